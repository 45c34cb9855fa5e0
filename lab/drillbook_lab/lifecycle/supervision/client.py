"""Starting supervisord, and calling its API."""
# mypy: disable-error-code="no-untyped-call"
# (supervisor is not typed)

import configparser
import os
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST

START_S = 60.0
"""It first imports what the programs need: half a second, on a busy machine many times that."""
UNREACHABLE = (OSError, HTTPException, xmlrpc.client.ProtocolError)


def launch(conf: Path, state: Path, environment: Mapping[str, str]) -> None:
    """Start supervisord, which leaves our session by itself. Raises LabError with its output if it does not start."""
    # else users who measure the coverage of their own code would measure every process of the lab, too
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    try:
        done = _launched(conf, state, {**inherited, **environment})
    except subprocess.TimeoutExpired:
        raise LabError(f"supervisord did not start within {START_S:.0f} s: is this machine busy?") from None
    if done.returncode:
        raise LabError(f"supervisord did not start: {' '.join((done.stdout + done.stderr).split())[-600:]}")


def _launched(conf: Path, state: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """supervisord's first process, which has ended: the daemon goes on. Raises subprocess.TimeoutExpired."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "drillbook_lab.lifecycle.supervision.daemon", "-c", str(conf)],
        cwd=state,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_S,
    )


class Supervisor:
    """supervisord's XML-RPC API, as far as the lab needs it."""

    def __init__(self, url: str, username: str | None, password: str | None) -> None:
        transport = SupervisorTransport(username, password, url)
        self._server = cast(Any, xmlrpc.client.ServerProxy(f"http://{HOST}", transport=transport))

    @classmethod
    def from_conf(cls, conf: Path) -> "Supervisor":
        """A client that reads the same file as supervisorctl."""
        config = configparser.RawConfigParser()
        if not config.read(conf):
            raise LabError(f"there is no supervisord configuration at {conf}")
        section = config["supervisorctl"]
        unescaped = {key: value.replace("%%", "%") for key, value in section.items()}
        return cls(unescaped["serverurl"], unescaped.get("username"), unescaped.get("password"))

    def _call(self, method: str, *arguments: object) -> Any:
        """Make one call, and close its connection, because supervisor's transport would keep the connection open."""
        try:
            return getattr(self._server.supervisor, method)(*arguments)
        finally:
            self._server("close")()

    def pid(self) -> int:
        return int(self._call("getPID"))

    def processes(self) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self._call("getAllProcessInfo"))

    def start(self, name: str) -> None:
        """Start a program without waiting for it. It is no error if the program runs already."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise LabError(f"{name} cannot be started: {fault.faultString}") from fault

    def stop(self, name: str, wait: bool = True) -> None:
        try:
            self._call("stopProcess", name, wait)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise LabError(f"{name} cannot be stopped: {fault.faultString}") from fault

    def stop_all(self) -> None:
        """Tell all programs to stop at once, because one after the other takes a second each."""
        self._call("stopAllProcesses", False)

    def shutdown(self) -> None:
        self._call("shutdown")


def reachable(conf: Path) -> bool:
    """Whether the supervisord of this configuration answers."""
    try:
        return Supervisor.from_conf(conf).pid() > 0
    except (LabError, *UNREACHABLE):
        return False
