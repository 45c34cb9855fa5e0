"""`drillbook prove`: a drill and its controls."""

from __future__ import annotations

from typing import Annotated

import typer

from drillbook.commands import prove as proving
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
    tell,
)
from drillbook.errors import DrillbookError

app = typer.Typer(add_completion=False)


@app.command(context_settings=PYTEST_FOLLOWS)
def prove(
    features: Annotated[
        list[str] | None, typer.Argument(help="features or node ids; options of pytest may follow")
    ] = None,
    *,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="also run the recovery without each of its tasks in turn")
    ] = False,
    stale: Stale = False,
    one_a_family: OneAFamily = False,
    max_age: MaxAge = DEFAULT_AGE,
    trust: Trusted = None,
) -> None:
    """Run each drill and its controls. A runbook is proven only when all of them end as they must.

    Exit status 0 only when each drill that was asked for is proven.
    """
    named, options = for_pytest(features or [], "--ablate", "--stale", "--one-a-family", "--max-age", "--trust")
    with said_plainly():
        if stale or one_a_family:
            named = stale_only(named, options, max_age=max_age, one_a_family=one_a_family, trust=trust)
        if not named:
            raise DrillbookError("name the features to prove, before the options of pytest: drillbook prove features")
        raise typer.Exit(proving.prove([*named, *options], ablate=ablate, say=tell))
