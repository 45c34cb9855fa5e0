"""A running lab for tests, here and elsewhere: `with running_lab() as lab: ...`.

Its folder is temporary and has a short path, because a unix socket's path holds 108 bytes. `RunningLab.heal` undoes
whatever a test did, so that tests may run in any order over one lab. `down` follows in any case.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import httpx
import psycopg
from redis.client import Redis

from drillbook_lab.app.stores.cache import KEY as CACHED_ITEM
from drillbook_lab.base.poll import until
from drillbook_lab.base.topology import MASTER_NAME, PROGRAMS, REDIS_NODES, SENTINELS
from drillbook_lab.lifecycle import ready
from drillbook_lab.lifecycle.lab import Lab
from drillbook_lab.lifecycle.parts import postgres
from drillbook_lab.lifecycle.supervision.client import Supervisor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunningLab:
    """A lab that is up, with what a test needs to look at it and to break it."""

    lab: Lab
    contract: Mapping[str, Any]

    # -- looking -----------------------------------------------------------------------------------------------------

    def api(self, method: str, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
        """Send a request as a user does, with the right key unless another is given."""
        api = self.contract["api"]
        headers = {"X-API-Key": api["key"] if key is None else key}
        return _request(method, api["url"] + path, json=json, headers=headers)

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.api("GET", "/health/details").json()
        return answer

    def eventually(self, what: str, look: Callable[[], T], within_s: float = 20) -> T:
        """Repeat `look` until it is true. Errors of a system that is just being broken count as "not yet"."""
        return until(look, what=what, within_s=within_s, every_s=0.05, transient=ready.TRANSIENT)

    def sql(self, statement: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        database = self.contract["postgres"]
        url = postgres.url(database["port"], database["user"], database["password"], database["database"])
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def runs(self, prefix: str) -> dict[str, int]:
        """How often each job whose id begins with `prefix` was done."""
        rows = self.sql("SELECT job_id, count(*) FROM job_runs WHERE starts_with(job_id, %s) GROUP BY job_id", prefix)
        return {str(job): int(count) for job, count in rows}

    def redis(self, name: str) -> Redis:
        """A client of the node itself, without the proxy, as its administrator."""
        redis = self.contract["redis"]
        return ready.client(redis["nodes"][name]["port"], redis["admin_password"])

    def linked(self, link: str, timeout_s: float = 10.0) -> Redis:
        """A client through a link, over TLS with the lab's authority, as the application has it."""
        redis = self.contract["redis"]
        return ready.client(
            self.contract["links"][link]["listen"],
            redis["app_password"],
            username=redis["app_user"],
            ca=self.contract["ca"],
            timeout_s=timeout_s,
        )

    def primary(self) -> str:
        """Which node Sentinel takes for the primary."""
        redis = self.contract["redis"]
        with ready.client(redis["sentinels"][SENTINELS[0]]["port"], redis["sentinel_password"]) as sentinel:
            port = int(sentinel.sentinel_get_master_addr_by_name(MASTER_NAME)[1])
        return next(str(name) for name, node in redis["nodes"].items() if node["port"] == port)

    # -- breaking ----------------------------------------------------------------------------------------------------

    def proxy(self, method: str, path: str, json: Any = None) -> Any:
        answer = _request(method, self.contract["proxy"]["url"] + path, json=json)
        answer.raise_for_status()
        return answer.json()

    def cut(self, client: str, *servers: str) -> Any:
        """Put a blackhole on all links between a client and these servers."""
        fault = {"toxics": [{"name": "cut", "type": "timeout", "attributes": {"timeout": 0}}]}
        return self.proxy("POST", f"/proxies?client={client}&server={','.join(servers)}", fault)

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor.from_conf(Path(self.contract["supervisor"]["conf"]))

    def pid(self, program: str) -> int:
        return int(self._process(program)["pid"])

    def statename(self, program: str) -> str:
        """The state of a program in supervisor's words: RUNNING, STOPPED, ..."""
        return str(self._process(program)["statename"])

    def _process(self, program: str) -> dict[str, Any]:
        return next(each for each in self.supervisor.processes() if each["name"] == program)

    def kill(self, program: str) -> None:
        """Kill a program with SIGKILL once it runs, because supervisor restarts a program that dies while it starts.

        Waits until supervisor knows of the end. For a moment it calls the dead program RUNNING, and a caller who asks
        then would not start it again.
        """
        self.eventually(f"{program} that runs", lambda: self.statename(program) == "RUNNING")
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        self.eventually(f"supervisor that knows of the end of {program}", lambda: not self._runs_as(program, pid))

    def _runs_as(self, program: str, pid: int) -> bool:
        known = self._process(program)
        return bool(known["statename"] == "RUNNING" and int(known["pid"]) == pid)

    # -- putting back --------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Bring the lab back to health.

        Then there is no fault, every program runs, one primary has its replica, the API is well, and nothing is cached
        or paused.
        """
        self.proxy("POST", "/reset")

        def running() -> bool:
            stopped = [
                each["name"]
                for each in self.supervisor.processes()
                if each["name"] in PROGRAMS and each["statename"] not in ("RUNNING", "STARTING")
            ]
            for name in stopped:
                self.supervisor.start(name)
            return not stopped

        self.eventually("all programs", running, within_s=30)
        for name in REDIS_NODES:
            self.eventually(f"{name} with its users", partial(self._restore_users, name))
        self.eventually("one primary with its replica", self._replicated, within_s=60)
        self.eventually("a healthy API", lambda: self.health()["status"] == "ok", within_s=30)
        with self.redis(self.primary()) as cache:
            for key in cache.scan_iter(f"{CACHED_ITEM}*", count=1000):
                cache.unlink(key)
        self.api("POST", "/queue/resume")

    def _restore_users(self, name: str) -> bool:
        redis = self.contract["redis"]
        with self.redis(name) as node:
            node.execute_command("ACL", "SETUSER", redis["app_user"], "on", f">{redis['app_password']}")
            node.config_set("maxclients", 10_000)
        return True

    def _replicated(self) -> bool:
        primary = self.primary()
        with self.redis(primary) as node:
            if node.info("replication").get("slave0", {}).get("state") != "online":
                return False
        return self.settled()

    def sentinels(self) -> list[Redis]:
        """A client of each Sentinel itself, without the proxy."""
        redis = self.contract["redis"]
        return [ready.client(each["port"], redis["sentinel_password"]) for each in redis["sentinels"].values()]

    def settled(self) -> bool:
        """Whether each Sentinel sees a primary and its replica, both up, and no failover."""
        for sentinel in self.sentinels():
            with sentinel:
                masters: Any = sentinel.sentinel_masters()
                replicas: Any = sentinel.sentinel_slaves(MASTER_NAME)
            if masters[MASTER_NAME]["flags"] != "master" or [r["flags"] for r in replicas] != ["slave"]:
                return False
        return True


# A client for each request takes twice the CPU time, and a test polls. verify=False, because reading the trusted
# certificates takes 15 ms of CPU; the lab speaks http. No connection is kept: a test may have ended its other end.
_CLIENT = httpx.Client(timeout=10, trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0))


def _request(method: str, url: str, **more: Any) -> httpx.Response:
    return _CLIENT.request(method, url, **more)


@contextmanager
def running_lab() -> Iterator[RunningLab]:
    """Bring up a lab in a new temporary folder; afterwards it is taken down and the folder removed."""
    with tempfile.TemporaryDirectory(prefix="dbl-") as folder:
        lab = Lab(Path(folder))
        try:
            yield RunningLab(lab, lab.up())
        finally:
            lab.down()
