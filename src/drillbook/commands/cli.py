"""The `drillbook` command: a table of its commands. Only the called one is imported.

The rule: a call pays for its own imports. The help reads the table. Further commands come from entry points, and are
imported when they are called or listed. Exit statuses are those of the outcomes (docs/guide/errors.md); 64 for a wrong
call.
"""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from drillbook.evidence.sealing import passphrase

COMMANDS = {
    "restore": "Undo every fault that an earlier drill left behind. Exit status 12 when one is not proven gone.",
    "status": "Show open faults, locks with their holders, armed switches, and the last drill of each scenario.",
    "prove": "Run each drill and its controls. A runbook is proven only when all of them end as they must.",
    "drills": "Run every drill and its controls, on several labs at once or on a staging, and write one table of all.",
    "gate": "Fail for scenarios that were never proven, or too long ago, or with other files than those that are here.",
    "findings": "What drills of scenarios tagged @as-written measured: what source runbooks get wrong, as Markdown.",
    "evidence": "The evidence, newest first: list it, show one drill, or print its folder.",
    "verify": "Verify evidence offline: files, signatures and the ledger. Exit status 0 only when it is whole.",
    "report": "Write report.html of an evidence folder again, from its record.",
    "decide": "Say how severe an incident is, what to do by when, and by which rule. Exit status 64 when it cannot.",
    "keygen": "Make a key that signs evidence, and print its line for a trust file.",
    "lint": "Check features, steps, playbooks, runbooks and inventory without a drill. Exit status 1 for an error.",
}
"""Each command: a module of `entries` with an `app` that has this command only, and its line in the help."""


class _Later(TyperCommand):
    """A command of the table: imported when it is called, and not when the help lists it."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        entry = importlib.import_module(f"{__package__}.entries.{self.name}")
        command: Any = typer.main.get_command(entry.app)
        return command.make_context(info_name, args, parent, **extra)


class _Commands(TyperGroup):
    """The table, and after it the commands of entry points."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return [*COMMANDS, *(entry.name for entry in _brought())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name in COMMANDS:
            return _Later(cmd_name, help=COMMANDS[cmd_name])
        return next((_loaded(entry) for entry in _brought() if entry.name == cmd_name), None)


def _brought() -> list[EntryPoint]:
    return [each for each in entry_points(group="drillbook.commands") if each.name not in COMMANDS]


def _loaded(entry: EntryPoint) -> Any:
    try:
        command: Any = typer.main.get_group(entry.load())
    except ImportError as error:
        # the lab's parts are an extra: without them the other commands still work
        command = typer.main.get_command(_needing_an_extra(str(error)))
    command.name = entry.name
    return command


def _needing_an_extra(reason: str) -> typer.Typer:
    instead = typer.Typer(add_completion=False)

    @instead.command(
        help="(needs the extra 'lab')",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def missing() -> None:
        typer.echo(f"drillbook: this command needs the extra 'lab': pip install 'drillbook[lab]' ({reason})", err=True)
        raise typer.Exit(64)

    return instead


app = typer.Typer(
    cls=_Commands,
    help="Recovery drills: executable runbooks, proven on real systems.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"drillbook {version('drillbook')}")
        raise typer.Exit


@app.callback()
def _drillbook(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    """Runs before a command: the processes that it starts must not inherit the passphrase of the key."""
    passphrase.take()


if __name__ == "__main__":
    app()
