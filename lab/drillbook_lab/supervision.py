"""The process manager: supervisord's configuration, how it is started, and how it is asked."""
# mypy: disable-error-code="no-untyped-call"
# (supervisor is not typed)

import configparser
import os
import shlex
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from typing import Any, cast

from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.xmlrpc import SupervisorTransport

from drillbook_lab.errors import LabError
from drillbook_lab.topology import HOST

# A unix socket's address holds 108 bytes with its end, and supervisord binds "<path>.<pid>" first.
_SOCKET_PATH_LIMIT = 95
UNREACHABLE = (OSError, HTTPException, xmlrpc.client.ProtocolError)


@dataclass(frozen=True, slots=True)
class Program:
    """One process under supervision."""

    name: str
    command: Sequence[str]
    folder: Path
    autostart: bool = True
    autorestart: bool = False
    stop_signal: str = "TERM"
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """Where supervisord listens: a unix socket, or with a password on loopback where the path is too long for one."""

    socket: Path | None
    port: int
    password: str

    @classmethod
    def choose(cls, state: Path, port: int, password: str) -> "Endpoint":
        path = state / "supervisor.sock"
        return cls(path if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT else None, port, password)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}" if self.socket else f"http://{HOST}:{self.port}"


def _escape(text: str) -> str:
    """supervisord expands % in its configuration."""
    return text.replace("%", "%%")


def render(state: Path, endpoint: Endpoint, programs: Sequence[Program], user: str | None) -> str:
    """The text of supervisord.conf."""
    config = configparser.RawConfigParser()
    if endpoint.socket:
        config["unix_http_server"] = {"file": _escape(str(endpoint.socket)), "chmod": "0700"}
    else:
        config["inet_http_server"] = {
            "port": f"{HOST}:{endpoint.port}",
            "username": "lab",
            "password": _escape(endpoint.password),
        }
    config["supervisord"] = {
        "logfile": _escape(str(state / "logs" / "supervisord.log")),
        "pidfile": _escape(str(state / "supervisord.pid")),
        "childlogdir": _escape(str(state / "logs")),
        "directory": _escape(str(state)),
        "identifier": "drillbook-lab",
        "umask": "077",
        "minfds": "4096",
        **({"user": user} if user else {}),
    }
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "drillbook_lab.supervision:make_rpcinterface"
    }
    config["supervisorctl"] = {
        "serverurl": _escape(endpoint.url),
        **({} if endpoint.socket else {"username": "lab", "password": _escape(endpoint.password)}),
    }
    for program in programs:
        environment = ",".join(f'{key}="{value}"' for key, value in program.environment.items())
        config[f"program:{program.name}"] = {
            "command": _escape(shlex.join(program.command)),
            "directory": _escape(str(program.folder)),
            "autostart": str(program.autostart).lower(),
            "autorestart": str(program.autorestart).lower(),
            "startsecs": "1",
            "startretries": "3",
            "stopsignal": program.stop_signal,
            "stopwaitsecs": "6",
            "redirect_stderr": "true",
            "stdout_logfile": _escape(str(state / "logs" / f"{program.name}.log")),
            "stdout_logfile_maxbytes": "5MB",
            "stdout_logfile_backups": "1",
            **({"environment": _escape(environment)} if environment else {}),
        }
    out = StringIO()
    config.write(out)
    return out.getvalue()


class PatientInterface(SupervisorNamespaceRPCInterface):
    """supervisord's own interface, but for one thing: it does not spin while a process stops.

    The answer to a stop is asked for again after `delay` seconds. Supervisor 4.3.0 has 0 there, and so takes a whole
    processor until the process has ended; for a start it has 0.05 (measured: 6 s of a processor for a stop of 6 s).
    """

    def stopProcess(self, name: str, wait: bool = True) -> Any:
        answer = super().stopProcess(name, wait)
        if callable(answer):
            answer.delay = 0.05
        return answer


def make_rpcinterface(supervisord: Any) -> PatientInterface:
    """What supervisord.conf names, in place of supervisor's own."""
    return PatientInterface(supervisord)


def launch(conf: Path, state: Path, environment: Mapping[str, str]) -> None:
    """Start supervisord, which leaves our session by itself; its complaints at the start become ours."""
    # who measures the coverage of their own code would measure every process of the lab with it
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(conf)],
        cwd=state,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    if done.returncode:
        raise LabError(f"supervisord did not start: {' '.join((done.stdout + done.stderr).split())[-600:]}")


class Supervisor:
    """supervisord's XML-RPC API, as far as the lab needs it."""

    def __init__(self, url: str, username: str | None, password: str | None) -> None:
        transport = SupervisorTransport(username, password, url)
        self._server = cast(Any, xmlrpc.client.ServerProxy(f"http://{HOST}", transport=transport))

    @classmethod
    def from_conf(cls, conf: Path) -> "Supervisor":
        """A client by the same file that supervisorctl reads."""
        config = configparser.RawConfigParser()
        if not config.read(conf):
            raise LabError(f"there is no supervisord configuration at {conf}")
        section = config["supervisorctl"]
        unescaped = {key: value.replace("%%", "%") for key, value in section.items()}
        return cls(unescaped["serverurl"], unescaped.get("username"), unescaped.get("password"))

    def _call(self, method: str, *arguments: object) -> Any:
        """One call on a connection of its own: supervisor's transport keeps it until somebody closes it."""
        try:
            return getattr(self._server.supervisor, method)(*arguments)
        finally:
            self._server("close")()

    def pid(self) -> int:
        return int(self._call("getPID"))

    def processes(self) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self._call("getAllProcessInfo"))

    def start(self, name: str) -> None:
        """Start a program without waiting for it; one that runs already is fine."""
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
        """Tell all programs to stop, at once: one after the other takes a second each."""
        self._call("stopAllProcesses", False)

    def shutdown(self) -> None:
        self._call("shutdown")


def reachable(conf: Path) -> bool:
    """Whether the supervisord of this configuration answers."""
    try:
        return Supervisor.from_conf(conf).pid() > 0
    except (LabError, *UNREACHABLE):
        return False
