"""`drillbook drills`: every drill on labs of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from drillbook.commands import drills as drilling
from drillbook.commands.entries.calls import PYTEST_FOLLOWS, for_pytest, said_plainly

app = typer.Typer(add_completion=False)


@app.command(context_settings=PYTEST_FOLLOWS)
def drills(
    features: Annotated[list[str] | None, typer.Argument(help="features or node ids (default: features/)")] = None,
    labs: Annotated[
        int | None, typer.Option("--labs", help="how many labs side by side (default: two more than cores)")
    ] = None,
) -> None:
    """Run every drill and its controls on labs of their own, side by side, and write one table of all.

    Options of pytest may follow. Exit status 0 only when every drill PASSED and is proven.
    """
    named, options = for_pytest(features or [], "--labs")
    with said_plainly():
        raise typer.Exit(drilling.run(named, labs, options, typer.echo))
