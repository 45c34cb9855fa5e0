"""`drillbook lint`: a repository is checked without a drill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from drillbook.commands.entries.calls import WRONG_CALL, said_plainly
from drillbook.commands.lint import lint as look

app = typer.Typer(add_completion=False)
_UsageError: Any = typer.BadParameter.__mro__[1]  # typer has no name for it, and its place differs with the release


class _Lint(TyperCommand):
    """A wrong option has the status of a wrong call: 2, as typer has it, is pytest's word for a refused feature."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            vars(error)["exit_code"] = WRONG_CALL
            raise


@app.command(cls=_Lint)
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
