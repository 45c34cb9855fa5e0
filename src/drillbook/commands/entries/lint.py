"""`drillbook lint`: a repository is checked without a drill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import Call, said_plainly
from drillbook.commands.lint import lint as look

app = typer.Typer(add_completion=False)


@app.command(cls=Call)
def lint(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="features, or folders of features (default: features/)")
    ] = None,
    inventory: Annotated[
        list[Path] | None, typer.Option("--inventory", help="Ansible inventory (default: as pytest's)", metavar="PATH")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="fail for warnings too")] = False,
) -> None:
    """Check features, steps, playbooks, runbooks and inventory without a drill. Exit status 1 for an error."""
    with said_plainly():
        report = look(paths or (), inventory or ())
    for line in report.lines():
        typer.echo(line)
    raise typer.Exit(report.exit_status(strict=strict))
