"""`drillbook lab up|down|node|clients|status|logs|reset|within|needs`. An error is one sentence and exit status 1."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from drillbook_lab.base.errors import LabError
from drillbook_lab.compose import needs as needs_of_compose
from drillbook_lab.compose.lab import ComposeLab
from drillbook_lab.hosts import needs
from drillbook_lab.hosts.lab import HostsLab
from drillbook_lab.lifecycle.blueprint import Alerting
from drillbook_lab.lifecycle.lab import Lab
from drillbook_lab.lifecycle.parts import barman, nodejs, prometheus
from drillbook_lab.lifecycle.parts.vendors import clients as clients_of_vendors

app = typer.Typer(
    help="The reference staging: real parts on loopback, or on machines of their own.", no_args_is_help=True
)

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of the lab.", envvar="DRILLBOOK_LAB_STATE", show_default=".drillbook/lab"),
]


class Staging(StrEnum):
    """What the lab runs on."""

    LAB = "lab"
    HOSTS = "hosts"
    COMPOSE = "compose"


StagingOption = Annotated[
    Staging,
    typer.Option(
        "--staging",
        help="lab: processes on loopback. hosts: machines with systemd, reached over ssh (root). "
        "compose: containers of a Docker engine of the lab's own (root).",
    ),
]


AlertingOption = Annotated[
    Alerting | None,
    typer.Option(
        "--alerting",
        help="Whose alerts people get. prometheus: Prometheus and Alertmanager, if they are installed.",
        envvar="DRILLBOOK_LAB_ALERTING",
        show_default="lab",
    ),
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


def _on(staging: Staging, state: Path | None) -> Lab | HostsLab | ComposeLab:
    return _lab(state) if staging is Staging.LAB else _apart(staging, state)


def _apart(staging: Staging, state: Path | None) -> HostsLab | ComposeLab:
    """A staging with a network of its own, in a folder of its own: the embedded lab may be up as well."""
    of = (state or default_state()) / str(staging)
    return ComposeLab(of) if staging is Staging.COMPOSE else HostsLab(of)


@app.command()
def up(state: StateOption = None, staging: StagingOption = Staging.LAB, alerting: AlertingOption = None) -> None:
    """Bring the lab up; returns when a job went through."""
    with _said_plainly():
        if staging is Staging.LAB:
            _lab(state).up(typer.echo, alerting)
            return
        if alerting is not None:
            raise LabError("--alerting is for the embedded lab: the others have the lab's own")
        _apart(staging, state).up(typer.echo)


@app.command()
def down(state: StateOption = None, staging: StagingOption = Staging.LAB) -> None:
    """End every process of the lab and remove its data; the logs stay."""
    with _said_plainly():
        _on(staging, state).down(typer.echo)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def within(context: typer.Context, state: StateOption = None, staging: StagingOption = Staging.HOSTS) -> None:
    """Run a command in the network of the machines or the containers: drillbook lab within -- pytest ..."""
    with _said_plainly():
        if not context.args:
            raise LabError("say which command: drillbook lab within -- pytest features/...")
        if staging is Staging.LAB:
            raise LabError("the embedded lab has no network of its own: run the command as it is")
        words = [*_apart(staging, state).network(), *context.args]
    # in place of this process: a signal to it is one to the command
    os.execvp(words[0], words)


@app.command(name="needs")
def what_it_needs() -> None:
    """Show what each staging and each kind of drill needs and what of it is missing here; exit status 3 when any is."""
    rows: tuple[tuple[str, list[str], str], ...] = (
        ("lab", [], "parts on loopback, from wheels alone"),
        ("node", _absent_node(), "the worker on Node, for the drills that stop it"),
        (
            "storage",
            _absent_storage(),
            "object storage, for the drills of features/storage.feature and of whole systems",
        ),
        ("alerts", _absent_alerts(), "Prometheus and Alertmanager, as an option of the lab (--alerting prometheus)"),
        ("backups", barman.missing(), "Barman, for the drills of features/barman.feature"),
        ("vendors", _absent_clients(), "vercel, wrangler and gh, for the drills of features/platform_rollback.feature"),
        ("hosts", needs.missing(), "machines with systemd, over ssh (--staging hosts)"),
        ("compose", needs_of_compose.missing(), "containers, in a Docker engine of their own (--staging compose)"),
    )
    for name, missing, what in rows:
        typer.echo(f"{name:<8} {'missing' if missing else 'ready'}: {what}")
        for each in missing:
            typer.echo(f"{'':<8} - {each}")
    if any(missing for _, missing, _ in rows):
        raise typer.Exit(3)


def _absent_node() -> list[str]:
    return [] if nodejs.installed(nodejs.cache()) else ["its packages of npm (drillbook lab node)"]


def _absent_storage() -> list[str]:
    return [] if find_spec("moto") else ["moto (pip install 'drillbook[storage]')"]


def _absent_alerts() -> list[str]:
    packages = prometheus.find().missing
    return [prometheus.how_to_get(packages)] if packages else []


def _absent_clients() -> list[str]:
    absent = [each.name for each in clients_of_vendors.clients().values() if not each.there]
    return [f"{', '.join(absent)} (drillbook lab clients)"] if absent else []


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
def clients(state: StateOption = None) -> None:
    """Install vercel, wrangler and gh, once for all labs; drills that need one are not run without it."""
    with _said_plainly():
        _lab(state).install_clients(typer.echo)


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
