"""`drillbook report`: the page of a drill again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import said_plainly
from drillbook.evidence.render.html import page

app = typer.Typer(add_completion=False)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="an evidence folder")]) -> None:
    """Write report.html of an evidence folder again, from its record."""
    with said_plainly():
        typer.echo(page.report(folder))
