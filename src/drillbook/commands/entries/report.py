"""`drillbook report`: the page of a drill again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import said_plainly, tell
from drillbook.evidence.render.html import page
from drillbook.evidence.sealing import bundle
from drillbook.evidence.sealing.statements import ATTESTATIONS, SUMS
from drillbook.evidence.store.place import is_url
from drillbook.evidence.store.reach import folder_of

app = typer.Typer(add_completion=False)


@app.command()
def report(
    folder: Annotated[str, typer.Argument(help="an evidence folder, or the URL of one in a store")],
) -> None:
    """Write report.html of an evidence folder again, from its record.

    Of one that is signed, or in a store, it is written here, as FOLDER.html: what is signed stays as it is.
    """
    with said_plainly():
        if is_url(folder):
            copy = folder_of(folder, tell)
            typer.echo(page.report(copy, Path(f"{copy.name}.html")))
        else:
            typer.echo(_again(Path(folder)))


def _again(folder: Path) -> Path:
    if (folder / ATTESTATIONS).exists():
        return page.report(folder, Path(f"{folder.resolve().name}.html"))
    written = page.report(folder)
    if (folder / SUMS).exists():
        bundle.write_sums(folder, bundle.sums_of(folder))
    return written
