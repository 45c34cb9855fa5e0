"""supervisord's configuration: every program of the lab, and where supervisord itself listens."""

import configparser
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from drillbook_lab.base.topology import HOST

# A unix socket's address holds 108 bytes with its final zero, and supervisord binds "<path>.<pid>" first.
_SOCKET_PATH_LIMIT = 95


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
    """Where supervisord listens: on a unix socket or, if its path is too long, on loopback with a password."""

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
    """Double each %, because supervisord expands % in its configuration."""
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
        "supervisor.rpcinterface_factory": "drillbook_lab.lifecycle.supervision.interface:make_rpcinterface"
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
