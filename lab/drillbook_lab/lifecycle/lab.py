"""The lab as a whole: up, down, status, logs, reset.

`up` returns only when a webhook went all the way through; if it fails, it leaves nothing running. `down` leaves no
process, even if supervisord was killed. `lab.json` is written last and removed first, so a reader can trust it. The one
exception is a lab whose processes all died with the machine; `up` and `status` notice that.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import PROGRAMS, STARTED_BY_DRILLS
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.blueprint import Alerting
from drillbook_lab.lifecycle.bringup import bring_up
from drillbook_lab.lifecycle.contract import ports_of
from drillbook_lab.lifecycle.parts import nodejs, prometheus
from drillbook_lab.lifecycle.parts.vendors import clients
from drillbook_lab.lifecycle.progress import Progress, silent
from drillbook_lab.lifecycle.supervision import client, processes
from drillbook_lab.lifecycle.teardown import take_down


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program as supervisord sees it."""

    name: str
    state: str
    pid: int | None
    port: int | None


@dataclass(frozen=True, slots=True)
class LabStatus:
    """`up` says whether supervisord answers; the programs are empty when it does not."""

    up: bool
    state: Path
    programs: tuple[ProgramStatus, ...]


class Lab:
    """A lab in a folder of its own. Two of them side by side do not know of each other."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()

    def up(self, progress: Progress = silent, alerting: Alerting | None = None) -> dict[str, Any]:
        """Bring an empty lab up; returns the contract (lab.json). A lab that is up already stays as it is.

        `alerting`: whose alerts people get; the lab's own if it is None. Raises LabError if a lab is up with another.
        """
        if alerting is Alerting.PROMETHEUS:
            prometheus.require()
        with folder.alone(self.state):
            if (contract := self._running()) is not None:
                if alerting not in (None, contract["alerting"]):
                    raise LabError(f"the lab is up with --alerting {contract['alerting']}: 'drillbook lab down' first")
                progress("already up")
                return contract
            take_down(self.state, progress)
            for last in (False, True):
                try:
                    return bring_up(self.state, progress, alerting or Alerting.LAB)
                except BaseException as error:
                    taken = folder.port_was_taken(self.state)
                    take_down(self.state, silent, keep_logs=True)
                    if last or not taken or not isinstance(error, LabError):
                        raise
                    progress("a port was taken meanwhile; once more with others")
            raise AssertionError("unreachable")

    def down(self, progress: Progress = silent) -> None:
        """End every process and remove the data; the logs stay. It is no error if there is nothing to do."""
        if self.state.is_dir():
            with folder.alone(self.state):
                take_down(self.state, progress, keep_logs=True)

    def reset(self, progress: Progress = silent) -> dict[str, Any]:
        """Make the lab empty and healthy again. Everything is new, the ports too, so read lab.json again."""
        told = self.contract() or {}
        self.down(progress)
        return self.up(progress, Alerting(told.get("alerting", Alerting.LAB)))

    def install_node(self, progress: Progress = silent) -> None:
        """Install the packages of the worker on Node, for this lab and those to come. Raises LabError."""
        progress("installing the worker's packages with npm")
        nodejs.install()
        node_worker = folder.node_worker(self.state)
        if node_worker.is_dir():
            nodejs.lay_out(node_worker)
        progress(f"installed: a drill can start {nodejs.WORKER}")

    def install_clients(self, progress: Progress = silent) -> None:
        """Install the vendors' clients, for the labs to come. Raises LabError, when it has tried each."""
        missing = []
        for each in clients.clients().values():
            try:
                if not each.there:
                    progress(f"installing {each.name}")
                    each.install()
                progress(f"installed: {each.name}")
            except LabError as error:
                missing.append(str(error))
        if missing:
            raise LabError("\n".join(missing))
        if self.contract() is not None:
            progress("a lab that is up learns of them by 'drillbook lab reset'")

    def contract(self) -> dict[str, Any] | None:
        """What lab.json says, or None if there is none. This does not say whether the lab is alive."""
        return folder.contract(self.state)

    def status(self) -> LabStatus:
        contract, conf = self.contract(), folder.conf(self.state)
        if contract is None or not client.reachable(conf):
            return LabStatus(False, self.state, ())
        ports = ports_of(contract)
        found = {each["name"]: each for each in client.Supervisor.from_conf(conf).processes()}
        return LabStatus(
            True,
            self.state,
            tuple(
                ProgramStatus(name, found[name]["statename"], found[name]["pid"] or None, ports.get(name))
                for name in (*PROGRAMS, *STARTED_BY_DRILLS)
                if name in found and (name in PROGRAMS or found[name]["pid"])
            ),
        )

    def logs(self, name: str, lines: int = 100) -> str:
        """The last lines of a program's log, or of supervisord's."""
        return folder.logs(self.state, name, lines)

    def _running(self) -> dict[str, Any] | None:
        """The contract of a lab that lives, or None."""
        contract, run = self.contract(), folder.run(self.state)
        if contract is None or run is None or not processes.alive(run["pid"], run["created"]):
            return None
        return contract if client.reachable(folder.conf(self.state)) else None
