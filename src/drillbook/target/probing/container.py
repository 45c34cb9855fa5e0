"""A container as its engine sees it, by the package `docker`, which talks to Docker and to Podman.

The rule: a container that does not run is an answer, and no failed look: its state, its exit status and whether the
kernel killed it for memory say what happened. There is no answer when the engine is silent, or knows no such container.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from docker.client import DockerClient
from docker.errors import DockerException
from requests.exceptions import RequestException

from drillbook.errors import CouldNotLookError
from drillbook.target.inventory.settings import Endpoint

_HEALTHY = frozenset({"healthy", "none"})
"""`none`: the container has no check of its health."""


def client(endpoint: Endpoint) -> DockerClient:
    """A client of the engine; close it after use. It reads nothing of the environment, and asks nobody yet."""
    return DockerClient(base_url=endpoint.url, version="auto", timeout=endpoint.timeout_s)


def look(engine: DockerClient, name: str) -> tuple[bool, Mapping[str, Any]]:
    """Whether the container runs and is not called unhealthy, and what the engine knows of it."""
    known = engine.api.inspect_container(name)
    state = known["State"]
    health = state.get("Health", state.get("Healthcheck")) or {}
    value = {
        "id": known["Id"],
        "image": known["Config"]["Image"],
        "state": state["Status"],
        "health": health.get("Status") or "none",
        "restarts": known.get("RestartCount", 0),
        "exit_code": state["ExitCode"],
        "oom_killed": state["OOMKilled"],
        "started_at": state["StartedAt"],
        "finished_at": state["FinishedAt"],
        "memory": _memory(engine, name) if state["Status"] == "running" else None,
    }
    return value["state"] == "running" and value["health"] in _HEALTHY, value


def _memory(engine: DockerClient, name: str) -> Mapping[str, Any] | None:
    """What it uses and may use, in bytes; None when it has ended meanwhile. The kernel's cache of files is no use."""
    stats = engine.api.stats(name, stream=False, one_shot=True)
    known = stats.get("memory_stats") or {}
    if "usage" not in known:
        return None
    details = known.get("stats") or {}
    cached = details.get("total_inactive_file", details.get("inactive_file", 0))
    used, limit = known["usage"] - cached, known["limit"]
    return {"used_bytes": used, "limit_bytes": limit, "share": used / limit if limit else 0.0}


def events(endpoint: Endpoint, action: str, since_s: float) -> list[float]:
    """The instants (monotonic) at which this happened to the container: `die`, `oom`, `kill`, `start`, ...

    The engine keeps its last events. Raises CouldNotLookError when it does not answer.
    """
    asked = {"type": "container", "container": endpoint.container, "event": action}
    with _asking(endpoint) as engine:
        ahead_s = _ahead_s(engine)
        span = {"since": since_s + ahead_s, "until": time.monotonic() + ahead_s}
        return [each["timeNano"] / 1e9 - ahead_s for each in engine.events(decode=True, filters=asked, **span)]


def log(endpoint: Endpoint, since_s: float) -> str:
    """What the container wrote to its outputs since an instant (monotonic), as its engine has kept it.

    Raises CouldNotLookError when the engine does not answer, or knows no such container.
    """
    with _asking(endpoint) as engine:
        found: bytes = engine.containers.get(endpoint.container).logs(since=since_s + _ahead_s(engine))
    return found.decode(errors="replace")


@contextmanager
def _asking(endpoint: Endpoint) -> Iterator[DockerClient]:
    try:
        with closing(client(endpoint)) as engine:
            yield engine
    except (DockerException, RequestException) as error:
        raise CouldNotLookError(f"{endpoint.name} cannot be asked of its engine: {error}") from error


def _ahead_s(engine: DockerClient) -> float:
    """What is to be added to a monotonic instant of here to have it by the engine's clock, in seconds since 1970."""
    return datetime.fromisoformat(engine.info()["SystemTime"]).timestamp() - time.monotonic()
