"""`drillbook restore`: everything that an earlier drill left broken is undone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands import restoring
from drillbook.commands.entries.calls import said_plainly
from drillbook.model.printable import printable
from drillbook.model.verdict import Outcome

app = typer.Typer(add_completion=False)


def _say(line: str) -> None:
    typer.echo(printable(line))  # a play has said some of it


@app.command()
def restore(
    inventory: Annotated[
        list[Path] | None,
        typer.Option("--inventory", help="only faults of this inventory; given several times: merged", metavar="PATH"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="show what is open, and change nothing")] = False,
) -> None:
    """Undo every fault that an earlier drill left behind. Exit status 12 when one is not proven gone."""
    here = Path.cwd()
    with said_plainly():
        root = restoring.checkout(here)
    with said_plainly(Outcome.ABORTED.exit_status):
        if check:
            raise typer.Exit(restoring.check(root, _say))
        named = tuple(_found(each, here, root) for each in inventory or ())
        raise typer.Exit(restoring.restore(root, named, _say))


def _found(inventory: Path, here: Path, root: Path) -> Path:
    """Relative to the working directory, or else to the root."""
    return next((at / inventory for at in (here, root) if (at / inventory).exists()), root / inventory)
