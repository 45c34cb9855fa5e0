"""The lab's state folder: what lies in it under which name, and who may change it.

`lab.json` is written last and removed first. `run.json` is written before the first process, so that `down` finds what
a crash has left.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import PROGRAMS, REDIS_NODES, SENTINELS, STARTED_BY_DRILLS

OWN = (
    *("lab.json", "run.json", "supervisord.conf", "supervisord.pid", "supervisor.sock"),
    *(
        "logs",
        "env",
        "tls",
        "proxy",
        "sink",
        "workers",
        "git",
        "site",
        "frontend",
        "node-worker",
        "platforms",
        "postgres",
        "prometheus",
        *REDIS_NODES,
        *SENTINELS,
    ),
)


def conf(state: Path) -> Path:
    """supervisord's configuration."""
    return state / "supervisord.conf"


def contract_file(state: Path) -> Path:
    return state / "lab.json"


def run_file(state: Path) -> Path:
    return state / "run.json"


def repository(state: Path) -> Path:
    """The product's bare repository."""
    return state / "git" / "origin.git"


def site(state: Path) -> Path:
    """Where the product's releases lie: releases/COMMIT, the link `current`, and `shared` for what they share."""
    return state / "site"


def frontend(state: Path) -> Path:
    """Where the frontend's releases lie, in the same form as the product's. They go live separately."""
    return state / "frontend"


def workers(state: Path) -> Path:
    """Where each worker has a site of its own, by its name. Each site has the form of the product's site."""
    return state / "workers"


def node_worker(state: Path) -> Path:
    return state / "node-worker"


def prometheus(state: Path) -> Path:
    """Where Prometheus and Alertmanager have their configuration and their data."""
    return state / "prometheus"


def platforms(state: Path) -> Path:
    """Where the stand-ins of the vendors have what they serve, and the vendors' clients their own files."""
    return state / "platforms"


def contract(state: Path) -> dict[str, Any] | None:
    """What lab.json says, or None if there is none. This does not say whether the lab is alive."""
    try:
        return cast(dict[str, Any], json.loads(contract_file(state).read_text()))
    except FileNotFoundError:
        return None


def run(state: Path) -> dict[str, Any] | None:
    """The lab that was begun here, and its supervisord: {"id", "pid", "created"}; None if there is none."""
    try:
        return cast(dict[str, Any], json.loads(run_file(state).read_text()))
    except (FileNotFoundError, ValueError):
        return None


def make_folders(state: Path) -> None:
    plain = ("logs", "env", "tls", "proxy", "sink", "git", "site", "frontend", "workers", "platforms")
    for name in (*plain, *REDIS_NODES, *SENTINELS):
        (state / name).mkdir(mode=0o700, exist_ok=True)


def remove(state: Path, keep_logs: bool) -> None:
    """Remove what the lab has written, and nothing else that lies there."""
    for name in OWN:
        path = state / name
        if name == "logs" and keep_logs:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def logs(state: Path, name: str, lines: int) -> str:
    """The last lines of a program's log, or of supervisord's. Raises LabError when there is none."""
    path = state / "logs" / f"{name}.log"
    known = (*PROGRAMS, *STARTED_BY_DRILLS, "hosting", "supervisord")
    if name not in known or not path.exists():
        raise LabError(f"no log of {name!r} in {path.parent}; programs: {', '.join(known)}")
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def port_was_taken(state: Path) -> bool:
    """Whether the log of one of the programs says that its port was taken."""
    for path in (state / "logs").glob("*.log"):
        if "address already in use" in path.read_text(errors="replace").lower():
            return True
    return False


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Allow one `up`, `down` or `reset` at a time in a state folder. The lock ends with the process that holds it."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)
    with os.fdopen(os.open(state / ".lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another `drillbook lab` is at work in {state}; wait for it") from None
        yield
