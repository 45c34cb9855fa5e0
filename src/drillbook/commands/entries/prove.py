"""`drillbook prove`: a drill and its controls."""

from __future__ import annotations

from typing import Annotated

import typer

from drillbook.commands import prove as proving
from drillbook.commands.entries.calls import PYTEST_FOLLOWS, for_pytest, said_plainly, tell
from drillbook.errors import DrillbookError

app = typer.Typer(add_completion=False)


@app.command(context_settings=PYTEST_FOLLOWS)
def prove(
    features: Annotated[list[str], typer.Argument(help="features or node ids; options of pytest may follow")],
    ablate: Annotated[bool, typer.Option("--ablate", help="also without each task of the recovery in turn")] = False,
) -> None:
    """Run each drill and its controls; only when all of them end as they must is a runbook proven.

    Exit status 0 only when each drill that was asked for is proven.
    """
    named, options = for_pytest(features, "--ablate")
    with said_plainly():
        if not named:
            raise DrillbookError("name the features to prove, before the options of pytest: drillbook prove features")
        raise typer.Exit(proving.prove([*named, *options], ablate=ablate, say=tell))
