"""`drillbook status`: what is open, who holds what, and how drills have ended."""

from __future__ import annotations

from pathlib import Path

import typer

from drillbook.commands import restoring, standing
from drillbook.commands.entries.calls import said_plainly

app = typer.Typer(add_completion=False)


@app.command()
def status() -> None:
    """Show open faults, locks with their holders, armed switches, and the last drill of each scenario."""
    with said_plainly():
        for line in standing.lines(restoring.checkout(Path.cwd())):
            typer.echo(line)
