"""`drillbook drills`: every drill on labs of their own, or on a staging."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import (
    DEFAULT_AGE,
    PYTEST_FOLLOWS,
    MaxAge,
    OneAFamily,
    Stale,
    Trusted,
    for_pytest,
    said_plainly,
    stale_only,
)
from drillbook.commands.fleet import command

app = typer.Typer(add_completion=False)


@app.command(context_settings=PYTEST_FOLLOWS)
def drills(
    features: Annotated[list[str] | None, typer.Argument(help="features or node ids (default: features/)")] = None,
    *,
    labs: Annotated[
        int | None, typer.Option("--labs", help="how many labs at once (default: two more than cores)")
    ] = None,
    inventory: Annotated[
        list[Path] | None,
        typer.Option("--inventory", help="drill this environment, without labs (default: as pytest's)", metavar="PATH"),
    ] = None,
    stale: Stale = False,
    one_a_family: OneAFamily = False,
    max_age: MaxAge = DEFAULT_AGE,
    trust: Trusted = None,
) -> None:
    """Run every drill and its controls, on several labs at once or on a staging, and write one table of all.

    Options of pytest may follow. Exit status 0 only when every drill that was asked for PASSED and is proven.
    """
    named, options = for_pytest(features or [], "--labs", "--stale", "--one-a-family", "--max-age", "--trust")
    options = [*(f"--inventory={each}" for each in inventory or ()), *options]
    with said_plainly():
        if stale or one_a_family:
            named = stale_only(named, options, max_age=max_age, one_a_family=one_a_family, trust=trust)
        raise typer.Exit(command.run(named, labs, options, typer.echo))
