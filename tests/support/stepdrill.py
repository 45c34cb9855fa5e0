"""A drill that runs nothing. It takes the checks that a step hands over, and judges each by what a test says is seen.

The rule: it looks and judges as the engine does (`look_once`, `Check.judge`), and waits for nothing. A window and
"always" need every sample that the test gives. All other verbs need the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from drillbook.checks import MISSING, Check, Observation, Reading
from drillbook.engine.keeping.decisions import Deciding
from drillbook.model.times.profiles import Timings
from drillbook.model.times.sample import Sample
from drillbook.repository.decision_table import own
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing.waiting import look_once
from tests.support.unit import endpoint

FAULT_S, RECOVERY_S = 100.0, 200.0
"""Monotonic instants of the fault and of the recovery's start."""

GROUPS = {
    "api": ("api-1",),
    "queue": ("api-1",),
    "worker": ("worker-1",),
    "node_worker": ("worker-node",),
    "frontend": ("web",),
    "database": ("postgres",),
    "redis_nodes": ("redis-1", "redis-2"),
    "vercel": ("shop-on-vercel",),
    "github": ("shop-on-github",),
    "worker_platform": ("shop-on-cloudflare",),
    "network_of_api": ("net-front",),
}
VARIABLES = {
    "drillbook_queue": "webhooks",
    "drillbook_log_file": "/var/log/worker.log",
    "drillbook_redis_port": 6379,
    "drillbook_port": 8080,
    "drillbook_frontend_origin_url": "http://127.0.0.1/origin/",
    "drillbook_version_url": "http://127.0.0.1/version",
    "drillbook_settings_file": "/etc/api.env",
    "drillbook_settings": {"REDIS_PASSWORD": "from-the-vault", "ATTEMPTS": "3"},
    "drillbook_node_found": True,
    "drillbook_node_folder": "/srv/node",
    "drillbook_service_manager": "systemd",
    "drillbook_vercel_platform": "simulated",
    "drillbook_github_platform": "simulated",
    "drillbook_worker_platform": "simulated",
    "drillbook_database_backups": "/var/backups",
    "drillbook_database_script_backups": "/var/backups/by_script",
    "drillbook_database_bin": "/opt/pg/bin",
    "drillbook_database_data": "/srv/data",
    "drillbook_database_disk": "/srv/disk",
    "drillbook_database_corrupted": "SELECT 0",
    "drillbook_database_log": "/var/log/postgres.log",
    "drillbook_barman": ["barman", "-c", "/etc/barman.conf"],
    "drillbook_barman_server": "lab",
}


@dataclass(frozen=True, slots=True)
class Handed:
    """A check that a step handed over, how long to wait for it (seconds), and what was seen."""

    verb: str
    check: Check
    seen: Observation
    within: float | None = None
    length: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a command on a host printed, and its exit status."""

    stdout: str = ""
    stderr: str = ""
    rc: int = 0


class StepDrill:
    """Implements `DrillApi`.

    `samples` has the samples of each endpoint, in their order. `shell` has what a host answers to each command that a
    step may type there.
    """

    def __init__(
        self,
        samples: Mapping[str, Sequence[Sample]] | None = None,
        *,
        before: float | None = None,
        last_before: object = None,
        load: Any = None,
        shell: Mapping[str, Said] | None = None,
        files: Mapping[str, str] | None = None,
        people: Sequence[str] = (),
        accepted_lost: int = 0,
    ) -> None:
        self._samples, self._before, self._last_before = samples or {}, before, last_before
        self._shell, self._files = shell or {}, files or {}
        self.timings = Timings("ci", full=False, immediate_s=5, extended_s=10, watch_s=15, day_s=20)
        self.load, self.people, self.accepted_lost, self.reference = load, tuple(people), accepted_lost, "482193"
        self.inventory = SimpleNamespace(
            names=GROUPS.__getitem__,
            variable=lambda _, name: VARIABLES[name],
            hostvars={host: VARIABLES for hosts in GROUPS.values() for host in hosts},
            endpoints={
                "redis": endpoint("redis", "rediss://127.0.0.1", nat={"127.0.0.1:7001": "127.0.0.1:7101"}),
                "api": endpoint("api", "http://127.0.0.1/health/details"),
                "queue": endpoint("queue", "http://127.0.0.1/queue/metrics"),
                "catalogue": endpoint("catalogue", "http://127.0.0.1/items?ids=item-1"),
                "database": endpoint("database", "sql://127.0.0.1/app"),
                "version": endpoint("version", "http://127.0.0.1/version"),
                "projects": endpoint("projects", "http://127.0.0.1/projects"),
                "frontend": endpoint("frontend", "http://127.0.0.1/"),
                "error log": endpoint("error log", "http://127.0.0.1/logs?level=error&service=queue"),
                "search": endpoint("search", "http://127.0.0.1/search?q=item-1"),
                "alerts": endpoint("alerts", "http://127.0.0.1/messages"),
                "api container": Endpoint("api container", EndpointKind.CONTAINER, "unix:///d.sock", container="api"),
            },
        )
        self.handed: list[Handed] = []
        self.observed: dict[str, object] = {}
        self.compared: list[Reading] = []
        """The readings whose past a step has asked for."""

    @property
    def met(self) -> bool:
        """Whether each check was met. A step without a check meets nothing."""
        return bool(self.handed) and all(each.seen.met for each in self.handed)

    # ------------------------------------------------------------------ what steps may know

    def hosts(self, pattern: str) -> list[Any]:
        return [SimpleNamespace(run=self._run, file=self._file) for _ in GROUPS.get(pattern, (pattern,))]

    def _run(self, command: str, *arguments: str) -> Said:
        return self._shell[command % arguments if arguments else command]

    def _file(self, path: str) -> Any:
        return SimpleNamespace(content_string=self._files[path])

    def fault_at_s(self) -> float:
        return FAULT_S

    def phase_opened_s(self) -> float:
        return RECOVERY_S

    def before(self, reading: Reading) -> float:
        assert self._before is not None, "the test does not say what was before"
        self.compared.append(reading)
        return self._before

    def last_before(self, reading: Reading) -> object:
        self.compared.append(reading)
        return self._last_before

    def seen(self, reading: Reading, last_s: float | None = None) -> list[object]:
        assert isinstance(reading.source, str)
        values = [reading.read(sample) for sample in self._samples[reading.source]]
        return [value for value in values if value is not MISSING]

    def last(self, reading: Reading) -> object:
        return (self.seen(reading) or [None])[-1]

    # ------------------------------------------------------------------ what they may do

    def note(self, text: str) -> None:
        """No test asks for a remark."""

    def observe(self, subject: str, value: object, unit: str = "") -> None:
        self.observed[subject] = f"{value} {unit}" if unit else value

    def submit_work(self, per_second: float, count: int | None = None, **fields: object) -> None:
        """The test says what the work is."""

    def inject(self, name: str, **variables: object) -> None:
        """This drill breaks nothing."""

    def recover(
        self,
        name: str,
        *,
        tags: str | Sequence[str] = (),
        skip_tags: str | Sequence[str] = (),
        limit: str | Sequence[str] = (),
        **variables: object,
    ) -> None:
        """This drill recovers nothing."""

    def secret(self, value: str, name: str = "secret") -> str:
        """This drill writes nothing, so it redacts nothing."""
        return value

    def announce(self, name: str, **variables: object) -> None:
        """This drill tells nobody."""

    def leave_alone(self) -> None:
        """In this drill nobody acts anyway."""

    def baseline_begins(self) -> None:
        """This drill samples nothing."""

    # ------------------------------------------------------------------ what they look at

    def expect(self, check: Check) -> None:
        self._take("expect", check)

    def bound(self, check: Check, within: float | None = None) -> None:
        self._take("bound", check, within)

    def require(self, check: Check) -> None:
        self._take("require", check)

    def eventually(self, check: Check, within: float) -> None:
        self._take("eventually", check, within)

    def arrives(self, message: str, check: Check, within: float) -> None:
        self._take("arrives", check, within)

    def throughout(self, check: Check, for_: float, within: float | None = None) -> None:
        self._take("throughout", check, within, for_)

    def always(self, check: Check) -> None:
        self._take("always", check)

    def decide(
        self,
        measure: Callable[[], Mapping[str, object]],
        decision: str,
        severity: str,
        within: float,
        rule: str | None = None,
    ) -> None:
        self._take("decide", Deciding(own(), measure).check(decision, severity, rule), within)

    def _take(self, verb: str, check: Check, within: float | None = None, length: float | None = None) -> None:
        if isinstance(check.source, str):
            samples = self._samples[check.source]
            looks = samples if verb in ("throughout", "always") else samples[-1:]
        else:
            looks = [look_once(check.name, check.source)]
        seen = [check.judge(look) for look in looks]
        shown = next((each for each in seen if not each.met), seen[-1])
        self.handed.append(Handed(verb, check, shown, within, length))


class Redis:
    """A client whose methods answer what a test says, and raise what is an error. `Redis(ping=True,
    set=OSError("gone"))`.
    """

    def __init__(self, **answers: object) -> None:
        self._answers = answers

    def __repr__(self) -> str:
        return ", ".join(f"{name} answers {answer!r}" for name, answer in self._answers.items())

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_: object) -> None:
        """There is no connection to close."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        return saying(self._answers[name])


class ByCommand(dict[str, object]):
    """Answers for commands, by their first word. `ByCommand(DBSIZE=0, HGET=None)`."""


@dataclass(frozen=True, slots=True)
class PatchedWith:
    """An answer that depends on what is asked."""

    function: Callable[..., Any]


def saying(answer: object) -> Callable[..., Any]:
    """A function that answers this, whatever it is asked. It raises an error, and calls a function."""

    if isinstance(answer, PatchedWith):
        return answer.function

    def say(*asked: object, **_: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, ByCommand):
            return next(answer[each] for each in asked if isinstance(each, str))
        return answer() if callable(answer) else answer

    return say
