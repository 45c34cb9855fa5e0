"""`drillbook lab up|down|node|status|logs|reset`. An error is one sentence and exit status 1."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from drillbook_lab.base.errors import LabError
from drillbook_lab.lifecycle.lab import Lab

app = typer.Typer(help="The reference staging: real parts on loopback, from wheels alone.", no_args_is_help=True)

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of the lab.", envvar="DRILLBOOK_LAB_STATE", show_default=".drillbook/lab"),
]


def default_state() -> Path:
    """Below the present folder, or where that cannot be written, where XDG keeps state."""
    here = Path.cwd()
    nearest = next(path for path in (here / ".drillbook" / "lab", here / ".drillbook", here) if path.exists())
    if os.access(nearest, os.W_OK):
        return here / ".drillbook" / "lab"
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "drillbook" / "lab"


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def _lab(state: Path | None) -> Lab:
    return Lab(state or default_state())


@app.command()
def up(state: StateOption = None) -> None:
    """Bring the lab up; returns when a job went through."""
    with _said_plainly():
        _lab(state).up(typer.echo)


@app.command()
def down(state: StateOption = None) -> None:
    """End every process of the lab and remove its data; the logs stay."""
    with _said_plainly():
        _lab(state).down(typer.echo)


@app.command()
def reset(state: StateOption = None) -> None:
    """Back to empty and healthy."""
    with _said_plainly():
        _lab(state).reset(typer.echo)


@app.command()
def node(state: StateOption = None) -> None:
    """Install the worker on Node with npm, once for all labs; drills that need it are not run without it."""
    with _said_plainly():
        _lab(state).install_node(typer.echo)


@app.command()
def status(state: StateOption = None) -> None:
    """Show each program, its state and its port; exit status 3 when the lab is down."""
    found = _lab(state).status()
    if not found.up:
        typer.echo(f"down ({found.state})")
        raise typer.Exit(3)
    for program in found.programs:
        where = f"127.0.0.1:{program.port}" if program.port else "-"
        typer.echo(f"{program.name:<11} {program.state:<9} {program.pid or '-':<8} {where}")


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="Program, or supervisord.")],
    state: StateOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n")] = 100,
) -> None:
    """Show the end of a program's log."""
    with _said_plainly():
        typer.echo(_lab(state).logs(name, lines))


if __name__ == "__main__":
    app()
