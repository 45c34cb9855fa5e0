"""What each sentence of the steps takes for true, and what it refuses: one row, one sentence.

The rule: no sentence is without its failing twin. A sentence that has no row here stands in LEFT, with the test that
shows it failing. Answers look like the lab's (lab/drillbook_lab/app).
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry
from redis.exceptions import AuthenticationError, ConnectionError, ReadOnlyError
from steps import database_disk

from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.sample import Sample
from drillbook.model.work_balance import Account, Answered, Attempt, account
from drillbook.repository.vocabulary import drill_kind_of
from drillbook.target.probing.load import Load
from tests.support import ROOT
from tests.support.stepdrill import FAULT_S, RECOVERY_S, ByCommand, PatchedWith, Redis, Said, StepDrill, saying
from tests.support.unit import no_answer, sample

pytestmark = pytest.mark.unit

MODULES: list[ModuleType] = [
    importlib.import_module(f"steps.{path.stem}")
    for path in sorted((ROOT / "steps").glob("*.py"))
    if not path.stem.startswith("_")
]
DEFINITIONS: list[StepFunctionContext] = [
    context
    for context in step_function_context_registry.values()
    if any(each is context.step_func for module in MODULES for each in vars(module).values())
]

# ---------------------------------------------------------------- what the lab answers

UP = {"status": "up", "latency_ms": 0.61, "error": None, "error_kind": None, "since": "2026-11-26T13:58:10.000+00:00"}
API = {
    "status": "ok",
    "components": {"redis": UP, "database": {**UP}},  # a copy of one and the same would keep them one
    "circuit_breaker": {"state": "closed", "failures": 0},
    "buffer": {"size": 0, "limit": 1000},
    "requests": {"per_second": 50.0, "error_rate": 0.0, "p95_ms": 4.2},
    "memory": {"rss_bytes": 90_000_000},
    "version": "1.4.2",
    "commit": "7e54973",
}
QUEUE = {
    "depth": 3,
    "active": 2,
    "completed": 1788,
    "failed": 0,
    "delayed": 0,
    "paused": False,
    "processing_rate": 50.0,
    "error_rate": 0.0,
    "oldest_active_s": 0.2,
    "window_s": 2,
}
CACHE = {"hit_rate": 1.0, "hit": 120, "miss": 0, "bypass": 0, "window_s": 2}
ITEM = {"id": "item-1", "kind": "seed", "value": 10}
ITEMS = {"items": {"item-1": ITEM}, "sources": {"hit": 1, "miss": 0, "bypass": 0}}
VERSION = {"version": "1.1.0", "commit": "458e0d6", "started_at": 1700.5}
PRIMARY = {"role": "master", "node": "127.0.0.1:7001"}
WELL: Mapping[str, Any] = {
    "api": API,
    "queue": QUEUE,
    "cache": CACHE,
    "catalogue": ITEMS,
    "version": VERSION,
    "redis": PRIMARY,
    "database": 1,
    "api container": {
        "image": "drillbook/api:v1.1.0",
        "state": "running",
        "health": "healthy",
        "restarts": 0,
        "exit_code": 0,
        "oom_killed": False,
        "memory": {"used_bytes": 64_000_000, "limit_bytes": 256_000_000, "share": 0.25},
    },
}

NOBODY = no_answer()
BUSY = sample({"error": "Redis is away: TimeoutError"}, ok=False, status=503)
NO_NUMBERS = (True, False, "12")
"""Python orders truth values as 0 and 1."""
AWAY = CouldNotLookError("nobody answers")


class _Gone:
    """Deletes a member of an answer."""

    def __repr__(self) -> str:
        return "no such member"


GONE = _Gone()


def with_member(endpoint: str, path: str, value: object) -> Sample:
    """The good answer of an endpoint but for one member."""
    answer = copy.deepcopy(WELL[endpoint])
    at = answer
    *above, last = path.split(".")
    for part in above:
        at = at[part]
    if value is GONE:
        del at[last]
    else:
        at[last] = value
    return sample(answer, status=None if endpoint == "redis" else 200)


# ---------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class World:
    """What is so while a step looks. `patched`: what functions of its module answer; `raises`: why it cannot look."""

    shown: str
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    patched: Mapping[str, object] = field(default_factory=dict)
    drill: Mapping[str, Any] = field(default_factory=dict)
    raises: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence, what meets it and what must not. `given`: what earlier steps of the scenario gave."""

    sentence: str
    meets: Sequence[World]
    refuses: Sequence[World]
    given: Mapping[str, object] = field(default_factory=dict)


def of(endpoint: str, *samples: Sample, shown: str = "", **drill: Any) -> World:
    """One endpoint gave these samples, the last one just now."""
    words = shown or ", then ".join(each.error or f"status {each.status}" for each in samples)
    return World(words, {endpoint: samples}, drill=drill)


def reads(sentence: str, where: str, *, meets: Sequence[object], refuses: Sequence[object], **drill: Any) -> Row:
    """A member of an endpoint's answer. Always refused: nobody answers, no such member, null unless null meets it."""
    endpoint, _, member = where.partition(".")

    def worlds(values: Sequence[object]) -> list[World]:
        return [of(endpoint, with_member(endpoint, member, each), shown=repr(each), **drill) for each in values]

    never = [GONE] if None in meets else [GONE, None]
    nobody = of(endpoint, NOBODY, **drill)
    return Row(sentence, worlds(meets), [nobody, *worlds([*refuses, *never])])


def and_refuses(row: Row, *worlds: World) -> Row:
    """A row with what else must not meet it."""
    return replace(row, refuses=[*row.refuses, *worlds])


def for_a_moment(where: str, value: object, good: object) -> World:
    """It was otherwise between two looks at which it was well."""
    endpoint, _, member = where.partition(".")
    well, otherwise = (with_member(endpoint, member, each) for each in (good, value))
    return of(endpoint, well, otherwise, well, shown=f"{value} for a moment")


def the_same(value: object) -> str:
    """The text of a value in each process: names of tests have to be, and the order of a set is not."""
    return f"{{{', '.join(sorted(map(repr, value)))}}}" if isinstance(value, frozenset) else repr(value)


def asks(
    sentence: str,
    *names: str,
    meets: Sequence[object],
    refuses: Sequence[object],
    given: Mapping[str, object] | None = None,
    **drill: Any,
) -> Row:
    """What functions of the step's module answer: one value each (a tuple when there are several).

    Always refused: that the first of them cannot look.
    """

    def world(values: object) -> World:
        each = values if len(names) > 1 and isinstance(values, tuple) else (values,)
        return World(the_same(values), patched=dict(zip(names, each, strict=True)), drill=drill)

    nobody = (AWAY, *("",) * (len(names) - 1)) if len(names) > 1 else AWAY
    return Row(sentence, [*map(world, meets)], [*map(world, [*refuses, nobody])], given or {})


def shell(said: Mapping[str, Said], **patched: object) -> World:
    printed = ", ".join(repr(each.stdout or each.stderr) for each in said.values())
    words = f"{printed} and {patched}" if patched else printed
    return World(words, patched=patched, drill={"shell": said})


# ---------------------------------------------------------------- messages


def alert(subject: str = "Redis is down", channel: str = "#alerts", colour: str = "danger", at: float = 250.0) -> Any:
    """A row of the sink, as the lab's alerting sends it."""
    title = f"[{'RESOLVED' if colour == 'good' else 'FIRING'}] {subject}"
    attachment = {"color": colour, "title": title, "text": "down", "fallback": f"{title}: down"}
    return {
        "id": 1,
        "monotonic_s": at,
        "channel": channel,
        "payload": {"channel": channel, "attachments": [attachment]},
    }


def alerts(*rows: Any, shown: str) -> World:
    return of("alerts", sample({"messages": list(rows), "last_id": len(rows)}, status=200), shown=shown)


CHAT = "[ACTION] We are on it\n\nImpact: jobs wait\nReference: 482193"


def chat(text: str = CHAT, channel: str = "#incidents", shown: str = "") -> World:
    row = {"id": 1, "monotonic_s": 250.0, "channel": channel, "payload": {"channel": channel, "text": text}}
    return of("alerts", sample({"messages": [row], "last_id": 1}, status=200), shown=shown or text.splitlines()[0])


def mail(to: str = "oncall@example.org", subject: str = "[ACTION] We are on it", shown: str = "") -> World:
    row = {"id": 1, "monotonic_s": 250.0, "to": [to], "subject": subject, "text": "Reference: 482193"}
    return of("mail", sample({"messages": [row], "last_id": 1}, status=200), shown=shown or f"{subject} to {to}")


# ---------------------------------------------------------------- work


def balance(acknowledged: int = 3, done: Mapping[str, int] | None = None, refused: int = 0) -> Account:
    """Jobs j1, j2, ... were acknowledged; each done once, or as `done` says."""
    jobs = [f"j{number}" for number in range(1, acknowledged + 1)]
    attempts = [Attempt(job, 1.0, 1.1, Answered.ACKNOWLEDGED, 202) for job in jobs]
    attempts += [Attempt(f"r{number}", 1.0, 1.1, Answered.REFUSED, 503) for number in range(refused)]
    return account(attempts, dict.fromkeys(jobs, 1) if done is None else done)


def standing_still(processing_rate: float) -> World:
    """Nothing is submitted any more: no rate is below that."""
    still = {"load": SimpleNamespace(rate=0.0)}
    rate = with_member("queue", "processing_rate", processing_rate)
    return World(f"{processing_rate} of 0 per second", {"queue": [rate]}, drill=still, raises="no work is submitted")


def of_work(sentence: str, what: str, *, meets: Mapping[str, object], refuses: Mapping[str, object]) -> Row:
    """What one method of the drill's load answers."""

    def worlds(answers: Mapping[str, object]) -> list[World]:
        loads = {shown: SimpleNamespace(**{what: saying(each)}) for shown, each in answers.items()}
        return [World(shown, drill={"load": load}) for shown, load in loads.items()]

    return Row(sentence, worlds(meets), worlds(refuses))


def refusal(sent_s: float = FAULT_S, status: int = 503, *, retry_after: bool = True) -> Attempt:
    return Attempt("j1", sent_s, sent_s + 0.1, Answered.REFUSED, status, retry_after=retry_after)


def refused_jobs(shown: str, *attempts: Attempt) -> World:
    """What the drill's own load says of these."""
    load: Any = SimpleNamespace(attempts=attempts)
    load.refused = partial(Load.refused, load)
    return World(shown, drill={"load": load})


def down_with(sentence: str, *names: str, meets: Mapping[str, Any], refuses: Mapping[str, Any]) -> Row:
    """What the drill's load, and functions of the step's module, answer while Redis is down for the API.

    Always refused: the same as meets it, while Redis is up or nobody knows.
    """
    down, up = (with_member("api", "components.redis.status", status) for status in ("down", "up"))

    def world(shown: str, api: Sequence[Sample], values: Sequence[object]) -> World:
        load = SimpleNamespace(balance=saying(values[0]), completed=saying(values[0]))
        patched = dict(zip(names, values[1:], strict=True))
        return World(shown, {"api": api}, patched, {"load": load, "before": 5.0})

    kept = [world(shown, [down], each) for shown, each in meets.items()]
    without = [
        world(f"{shown}, {words}", api, each)
        for shown, each in meets.items()
        for words, api in (("Redis is up", [up]), ("the API says nothing", [NOBODY]), ("nobody has looked", []))
    ]
    return Row(sentence, kept, [*(world(shown, [down], each) for shown, each in refuses.items()), *without])


def log(*lines: tuple[str, str], before: str = "", shown: str = "") -> World:
    """The error log has these lines: when, and the cause. `before`: when the last one was written before the fault."""
    rows = [
        {"at": at, "level": "error", "service": "queue", "message": "the queue cannot be written", "count": 1}
        | ({"kind": kind} if kind else {})
        for at, kind in lines
    ]
    newest = datetime.fromisoformat(before) if before else datetime.min.replace(tzinfo=UTC)
    return of("error log", sample({"logs": rows}, status=200), shown=shown or repr(lines), last_before=newest)


def took(before: Sequence[float], now: Sequence[float] | Exception, shown: str = "") -> World:
    """How long workers took (ms) for the jobs before the fault, and for those of the last seconds."""

    def answer(_: object, since: float, until: float) -> object:
        if since == 0:
            assert abs(until - time.time()) > 1, "before the fault is not now"
            return before
        return saying(now)()

    return World(shown or f"{before[:1]}, {now}"[:60], patched={"took_ms": PatchedWith(answer)})


def handed(*jobs: str) -> str:
    """What workers have logged, when these are the jobs that they were handed."""
    return "".join(f'{{"message": "was handed {job}", "worker": "worker-1"}}\n' for job in jobs)


def leaked(sessions: int, silent: int) -> World:
    """So many sessions have leaked, and so many of them are idle for too long."""
    found = PatchedWith(lambda _, rule: silent if "state_change" in rule else sessions)
    return World(f"{silent} of {sessions}", patched={"idle": found})


def started_anew(held: int, *, start: float = 1700.0, done: int = 1, state: str = "gone", shown: str = "") -> World:
    """Three jobs were acknowledged, so many of them are done, and the others are in this state of the queue."""
    jobs = balance(3, all_from(1, done))
    api = httpx.Response(200, json={"buffer": {"size": held}})
    patched = {
        "api_starts": {"api-1": start},
        "states": {f"wh-{job}": state for job in jobs.lost},
        "http_get": api,
    }
    words = shown or f"it holds {held}, {done} of 3 are done, the others {state}"
    return World(words, patched=patched, drill={"load": SimpleNamespace(balance=saying(jobs))})


def one_may_be_lost(shown: str, seen: object) -> World:
    """3 jobs were submitted before, and the scenario accepts that one is lost."""
    load = SimpleNamespace(attempts=("j1", "j2", "j3"), balance=saying(seen))
    return World(shown, drill={"load": load, "accepted_lost": 1})


def all_from(first: int, last: int) -> Mapping[str, int]:
    return {f"j{number}": 1 for number in range(first, last + 1)}


ROUTES = ("version", "projects", "search")


def all_routes(seen: Sample, **others: Sample) -> World:
    """This is seen on all routes but these."""
    return World(f"{seen} but {[*others]}", {name: [others.get(name, seen)] for name in ROUTES})


def released(version: str, projects: Sample | None = None, search: Sample | None = None) -> World:
    """Users are served this release, and are answered on its routes unless a sample says otherwise."""
    well = sample({}, status=200)
    samples = {"version": with_member("version", "version", version), "projects": projects or well}
    each = {**samples, "search": search or well}
    return World(repr((version, projects, search)), {name: [seen] for name, seen in each.items()})


def counted_rows(count: int) -> Redis:
    """A connection to a database that counts so many rows."""
    return Redis(execute=Redis(fetchall=[(count,)]))


class AnsweredBy:
    """Answers of these releases in turn; "" names none."""

    def __init__(self, *releases: str) -> None:
        self._releases, self._turn = releases, itertools.cycle(releases)

    def __repr__(self) -> str:
        return f"answered by {' and '.join(map(repr, self._releases))}"

    def __call__(self) -> httpx.Response:
        release = next(self._turn)
        return httpx.Response(200, headers={"x-release": release} if release else {})


# ---------------------------------------------------------------- the table

TAKEN = SimpleNamespace(rate=20.0)
GREP = "grep {}ERROR /var/log/worker.log | wc -l"
NO_LOG = Said("0\n", "grep: /var/log/worker.log: No such file or directory\n")
SEARCH = r'ps aux | grep "worker.ts\|worker.js"'
ITSELF = "root 2 grep worker.ts\n"
SHELL = "root 1 sh -c ps aux | grep worker.ts\n"
SS = "ss -Htn state established sport = :6379"
INSTALLED = "test -e /srv/node/node_modules/bullmq/package.json"
POISON = {"reason": "poison job wh-odd-one failed at attempt 3", "attempts made": 3, "times without a worker": 0}
REPLICA_OF_7001 = Redis(execute_command=["slave", "127.0.0.1", 7001, "connected", 4711])
LIMIT = ConnectionError("max number of clients reached")


def clients(taken: int, limit: str = "100") -> Redis:
    return Redis(config_get={"maxclients": limit}, info={"connected_clients": taken}, client_list=[])


def data_mb(size: float) -> Redis:
    return Redis(info={"used_memory_dataset": str(round(size * 1e6))})


def replicas(*ports: int) -> Redis:
    return Redis(execute_command=["master", 4711, [["127.0.0.1", str(port), "4711"] for port in ports]])


def served(looks_ms: Sequence[float], calls: int, keys_ms: float) -> World:
    """Looks at Redis that took so long, and what KEYS took by its own count: so many times, so long together."""
    stats = {"cmdstat_keys": {"calls": calls, "usec": round(1000 * keys_ms)}} if calls else {}
    looks = [sample(PRIMARY, at=at, took=each / 1000) for at, each in enumerate(looks_ms)]
    shown = f"looks of {looks_ms} ms, {calls} KEYS of {keys_ms} ms"
    return World(shown, {"redis": looks}, {"redis_client": Redis(info=stats)}, {"before": 0.4})


def served_items(value: object, shown: str = "", right: object = 10) -> World:
    """Users are served this, and the database has `right`."""
    return World(shown or repr(value), {"catalogue": [sample(value, status=200)]}, {"right_values": {"item-1": right}})


def cached_now(status: int, held: int) -> World:
    """A look-up ends with this status, and then so many items are cached."""
    return World(
        f"status {status}, {held} cached",
        patched={"httpx.get": httpx.Response(status, json=ITEMS), "redis_client": Redis(exists=held)},
        raises="" if status < 400 else f"the items cannot be looked up: status {status}",
    )


def settings_file(text: str, shown: str = "") -> World:
    return World(shown or repr(text), drill={"files": {"/etc/api.env": text}})


def listed(*ages_s: float) -> World:
    """The active list names a job for each age, and was begun so long ago."""
    jobs = {f"job-{number}": age for number, age in enumerate(ages_s)}

    def begun_s() -> Mapping[str, float]:
        return {job: time.time() - age for job, age in jobs.items()}

    return World(f"active for {ages_s} s", patched={"answer": [*jobs], "begun_s": begun_s})


ALERTS = [
    Row(
        'within 60 seconds an alert about "redis" reaches the "#alerts" channel',
        meets=[alerts(alert(), shown="Redis is down"), alerts(alert(at=FAULT_S), shown="with the fault")],
        refuses=[
            alerts(shown="no message at all"),
            alerts(alert(at=FAULT_S - 0.1), shown="one from before the fault"),
            alerts(alert(channel="#random"), shown="another channel"),
            alerts(alert("The database is down"), shown="another subject"),
            alerts(alert(colour="good"), shown="an all-clear"),
            of("alerts", NOBODY),
            of("alerts", sample("<html>", status=200), shown="a web page"),
        ],
    ),
    Row(
        'within 60 seconds the all-clear about "redis" reaches the "#alerts" channel',
        meets=[alerts(alert(colour="good"), shown="Redis is up")],
        refuses=[
            alerts(alert(), shown="still an alert"),
            alerts(alert(colour="good", at=RECOVERY_S - 0.1), shown="one from before the recovery"),
            alerts(alert("The database is down", colour="good"), shown="another subject"),
            of("alerts", NOBODY),
        ],
    ),
    Row(
        'within 60 seconds the message "initiating" reaches "#incidents"',
        meets=[chat()],
        refuses=[
            chat(channel="#random", shown="another channel"),
            chat(CHAT.replace("482193", "111111"), shown="another drill's reference"),
            chat(CHAT.replace("[ACTION]", "[UPDATE]"), shown="another message"),
            chat(CHAT.replace("jobs wait", ""), shown="a line that was not filled in"),
            chat(CHAT.replace("jobs wait", "{{ impact }}"), shown="a template that was not filled in"),
            of("alerts", sample({"messages": [], "last_id": 0}, status=200), shown="no message at all"),
            of("alerts", NOBODY),
        ],
    ),
    Row(
        'within 60 seconds the message "initiating" reaches "oncall@example.org"',
        meets=[mail()],
        refuses=[mail("boss@example.org"), mail(subject="[RESOLVED] It is over"), of("mail", NOBODY)],
    ),
]

SYSTEM = [
    Row(
        "the system is healthy",
        meets=[
            World("all is well", {"api": [sample(API)], "redis": [sample(PRIMARY)], "database": [sample(1)]}),
        ],
        refuses=[
            World(shown, {"api": [api], "redis": [redis], "database": [database]})
            for shown, api, redis, database in [
                ("the API is degraded", with_member("api", "status", "degraded"), sample(PRIMARY), sample(1)),
                ("the API says nothing of it", with_member("api", "status", GONE), sample(PRIMARY), sample(1)),
                ("no API", NOBODY, sample(PRIMARY), sample(1)),
                ("no Redis", sample(API), NOBODY, sample(1)),
                ("no database", sample(API), sample(PRIMARY), NOBODY),
            ]
        ],
    ),
    reads(
        "the API's memory is back to its baseline within 20 %",
        "api.memory.rss_bytes",
        meets=[90_000_000, 108_000_000],
        refuses=[108_000_001, *NO_NUMBERS],
        before=90.0,
    ),
    and_refuses(
        reads(
            "the API's memory never exceeds 300 MB",
            "api.memory.rss_bytes",
            meets=[300_000_000],
            refuses=[300_000_001, *NO_NUMBERS],
        ),
        for_a_moment("api.memory.rss_bytes", 301_000_000, good=90_000_000),
    ),
    reads(
        "within 60 seconds at most 1 % of the requests end in an error",
        "api.requests.error_rate",
        meets=[0.0, 0.01],
        refuses=[0.0101, *NO_NUMBERS],
    ),
]

HEALTH = [
    reads(
        'within 10 seconds the API calls itself "degraded"',
        "api.status",
        meets=["degraded"],
        refuses=["ok", "down", "", GONE],
    ),
    reads(
        'within 30 seconds the API reports "redis" as down',
        "api.components.redis.status",
        meets=["down"],
        refuses=["up", "degraded", ""],
    ),
    reads(
        'within 10 minutes the API reports "redis" as up',
        "api.components.redis.status",
        meets=["up"],
        refuses=["down", True],
    ),
    reads(
        'within 30 seconds the API names "auth" as the reason why "redis" is down',
        "api.components.redis.error_kind",
        meets=["auth"],
        refuses=["timeout", "other", ""],
    ),
    reads(
        "within 30 seconds the circuit breaker is open",
        "api.circuit_breaker.state",
        meets=["open"],
        refuses=["closed", "half_open"],
    ),
    Row(
        'within 30 seconds the API\'s error log names "timeout" as the cause',
        meets=[
            log(("2026-11-26T13:58:10.000+00:00", "timeout"), shown="the first line of all"),
            log(("2026-11-26T13:58:10.001+00:00", "timeout"), before="2026-11-26T13:58:10.000+00:00"),
            log(("2026-11-26T14:58:11.000+01:00", "timeout"), before="2026-11-26T13:58:10.000+00:00"),
            log(
                ("2026-11-26T13:58:10.000+00:00", "auth"),
                ("2026-11-26T13:58:11.000+00:00", "refused"),
                ("2026-11-26T13:58:12.000+00:00", "timeout"),
                before="2026-11-26T13:58:10.000+00:00",
            ),
        ],
        refuses=[
            log(shown="an empty log"),
            log(("2026-11-26T13:58:10.000+00:00", "timeout"), before="2026-11-26T13:58:10.000+00:00", shown="old"),
            log(("2026-11-26T14:58:09.000+01:00", "timeout"), before="2026-11-26T13:58:10.000+00:00"),
            log(("2026-11-26T13:58:10.000+00:00", "auth"), shown="another cause"),
            log(("2026-11-26T13:58:10.000+00:00", ""), shown="a line without a cause"),
            of("error log", NOBODY, last_before=datetime.min.replace(tzinfo=UTC)),
            of("error log", sample({"error": "no such page"}), last_before=datetime.min.replace(tzinfo=UTC)),
            of("error log", sample("<html>", status=200), last_before=datetime.min.replace(tzinfo=UTC), shown="html"),
        ],
    ),
    Row(
        "the API is alive all the time",
        meets=[of("api", sample(API, status=200))],
        refuses=[of("api", NOBODY), of("api", BUSY), of("api", sample(API, status=200), NOBODY, sample(API))],
    ),
]

QUEUES = [
    reads(
        "jobs are submitted at 50 per second",
        "queue.processing_rate",
        meets=[45, 50.0],
        refuses=[44.99, 0.0, *NO_NUMBERS],
    ),
    reads(
        "jobs that take 300 ms each are submitted at 20 per second",
        "queue.processing_rate",
        meets=[18.0],
        refuses=[17.99, *NO_NUMBERS],
    ),
    reads("within 60 seconds new jobs are kept in memory", "api.buffer.size", meets=[1], refuses=[0, *NO_NUMBERS]),
    reads(
        "within 60 seconds the memory buffer holds 1000 jobs",
        "api.buffer.size",
        meets=[1000],
        refuses=[999, *NO_NUMBERS],
    ),
    and_refuses(
        reads(
            "the memory buffer never holds more than 1000 jobs",
            "api.buffer.size",
            meets=[1000],
            refuses=[1001, *NO_NUMBERS],
        ),
        for_a_moment("api.buffer.size", 1001, good=0),
    ),
    reads("within 60 seconds the memory buffer is empty", "api.buffer.size", meets=[0], refuses=[1, "0", True, False]),
    Row(
        "within 60 seconds new jobs are refused with 503 and a time to retry",
        meets=[refused_jobs("one", refusal())],
        refuses=[
            refused_jobs("none"),
            refused_jobs("one before the fault", refusal(sent_s=FAULT_S - 0.1)),
            refused_jobs("one without a time to retry", refusal(retry_after=False)),
            refused_jobs("one with 429", refusal(status=429)),
        ],
    ),
    down_with(
        "within 30 seconds every job that was acknowledged before the fault is completed, although the API cannot "
        "reach Redis",
        meets={"each once": [balance()]},
        refuses={
            "one not done": [balance(done={"j1": 1, "j2": 1})],
            "one twice": [balance(done={"j1": 1, "j2": 2, "j3": 1})],
            "nothing was acknowledged": [balance(0, refused=3)],
            "no database": [AWAY],
        },
    ),
    down_with(
        "within 30 seconds every job that a worker had taken is done, although Redis refuses the worker",
        "members",
        "said_by_workers",
        meets={
            "two": [{"j1": 1, "j2": 1, "j3": 1}, ["wh-j1", "wh-j2"], handed("wh-j1", "wh-j2", "wh-j3")],
            "one that Redis lists, and that reached no worker": [{"j1": 1}, ["wh-j1", "wh-j2"], handed("wh-j1")],
        },
        refuses={
            "one of two": [{"j1": 1}, ["wh-j1", "wh-j2"], handed("wh-j1", "wh-j2")],
            "none was taken": [{"j1": 1}, [], handed("wh-j1")],
            "none reached a worker": [{"j1": 1}, ["wh-j2"], handed("wh-j1")],
            "others with longer names reached a worker": [{"j1": 1}, ["wh-j1"], handed("wh-j12", "wh-j1-2", "x-wh-j1")],
            "no log": [{"j1": 1}, ["wh-j1"], AWAY],
            "no database": [AWAY, ["wh-j1"], handed("wh-j1")],
            "no Redis": [{"j1": 1}, AWAY, handed("wh-j1")],
        },
    ),
    Row(
        "within 30 seconds the API, started anew, holds what the old one had acknowledged",
        meets=[started_anew(2), started_anew(3)],
        refuses=[
            started_anew(1),
            started_anew(0),
            started_anew(2, start=1600.0, shown="the old API still runs"),
            started_anew(2, done=3, shown="all are done, and nothing was left to hold"),
            started_anew(2, state="wait", shown="all are in Redis, and nothing was left to hold"),
            replace(started_anew(2), shown="no API", patched={**started_anew(2).patched, "api_starts": AWAY}),
        ],
        given={"api_started": {"api-1": 1600.0}},
    ),
    of_work(
        "within 2 minutes every acknowledged job is completed exactly once",
        "balance",
        meets={"each once": balance(), "and one refused": balance(refused=1)},
        refuses={
            "one lost": balance(done={"j1": 1, "j2": 1}),
            "one twice": balance(done={"j1": 1, "j2": 2, "j3": 1}),
            "one that nobody asked for": balance(done={"j1": 1, "j2": 1, "j3": 1, "x": 1}),
            "one that was refused": balance(done={"j1": 1, "j2": 1, "j3": 1, "r0": 1}, refused=1),
            "nothing was acknowledged": balance(0, refused=3),
            "no database": AWAY,
        },
    ),
    of_work(
        "no job is refused or left unanswered for 5 seconds",
        "failures",
        meets={"none": 0},
        refuses={"one": 1, "no job was answered": CouldNotLookError("no job was answered in the last 1 s")},
    ),
    and_refuses(
        reads(
            "within 60 seconds jobs are processed as fast as they are submitted, within 10 %",
            "queue.processing_rate",
            meets=[18.0, 25.0],
            refuses=[17.99, *NO_NUMBERS],
            load=TAKEN,
        ),
        standing_still(0.0),
    ),
    reads(
        "within 60 seconds the queue is as deep as before, within 10 % or 10 jobs",
        "queue.depth",
        meets=[0, 15],
        refuses=[16, *NO_NUMBERS],
        before=5.0,
    ),
    reads(
        "within 20 seconds the queue is as deep as before, within 10 % or 10 jobs",
        "queue.depth",
        meets=[220],
        refuses=[221],
        before=200.0,
    ),
    Row(
        "within 10 seconds the queue cannot be counted",
        meets=[of("queue", NOBODY), of("queue", BUSY)],
        refuses=[of("queue", sample(QUEUE, status=200))],
    ),
    Row(
        "the queue cannot be counted for 15 seconds",
        meets=[of("queue", BUSY, BUSY)],
        refuses=[of("queue", BUSY, sample(QUEUE, status=200), BUSY)],
    ),
    Row(
        "within 60 seconds the queue can be counted",
        meets=[of("queue", sample(QUEUE, status=200))],
        refuses=[of("queue", NOBODY), of("queue", BUSY)],
    ),
    reads("within 20 seconds 40 jobs wait", "queue.depth", meets=[40], refuses=[39, 41, "40"]),
    reads("within 20 seconds 0 jobs wait", "queue.depth", meets=[0], refuses=[1, "0", True, False]),
    reads("within 20 seconds 3 jobs are failed", "queue.failed", meets=[3], refuses=[2, 4, "3"]),
    of_work(
        "none of them is done for 2 seconds",
        "balance",
        meets={"none of one": balance(1, done={}), "none of three": balance(done={})},
        refuses={"one of three": balance(done={"j2": 1}), "none of none": balance(0), "no database": AWAY},
    ),
    Row(
        "within 60 seconds 20 new jobs are completed, and only what was accepted is lost",
        meets=[one_may_be_lost("1 lost of 23", balance(23, all_from(2, 23)))],
        refuses=[
            one_may_be_lost("none lost", balance(23)),
            one_may_be_lost("2 lost", balance(23, all_from(3, 23))),
            one_may_be_lost("only 22 were submitted", balance(22, all_from(2, 22))),
            one_may_be_lost("one twice", balance(23, {**all_from(2, 23), "j9": 2})),
            one_may_be_lost("no database", AWAY),
        ],
    ),
    reads(
        "within 60 seconds nothing is completed any more",
        "queue.processing_rate",
        meets=[0.0],
        refuses=[0.5, "0", True, False],
    ),
    reads(
        "within 60 seconds 50 more jobs wait than before",
        "queue.depth",
        meets=[55],
        refuses=[54, *NO_NUMBERS],
        before=5.0,
    ),
    and_refuses(
        reads(
            "within 60 seconds the other jobs go on",
            "queue.processing_rate",
            meets=[16.0],
            refuses=[15.99, 0.0, *NO_NUMBERS],
            load=TAKEN,
        ),
        standing_still(0.0),
    ),
    reads(
        "within 60 seconds the queue is not paused any more, although nobody resumed it",
        "queue.paused",
        meets=[False],
        refuses=[True, "false", 0],
    ),
]

JOBS = [
    asks(
        "within 60 seconds the 2 that fail are in no state that BullMQ knows",
        "states",
        meets=[{"a": "unknown", "b": "unknown"}],
        refuses=[{"a": "unknown", "b": "failed"}, {"a": "unknown"}, {"a": "gone", "b": "gone"}, {}],
    ),
    asks(
        "within 60 seconds the 2 that fail are failed",
        "states",
        meets=[{"a": "failed", "b": "failed"}],
        refuses=[{"a": "failed", "b": "unknown"}, {"a": "failed"}, {}],
    ),
    reads(
        "within 60 seconds a job is active for more than 15 seconds",
        "queue.oldest_active_s",
        meets=[15.001],
        refuses=[15.0, 0.2, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds a job is active for more than 500 ms",
        "queue.oldest_active_s",
        meets=[0.501],
        refuses=[0.5, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds no job is active for more than 15 seconds",
        "queue.oldest_active_s",
        meets=[None, 0.2, 15.0],
        refuses=[15.001, *NO_NUMBERS],
    ),
    asks(
        "within 60 seconds that job has lost its worker 2 times",
        "details",
        meets=[{"times without a worker": 2}, {"times without a worker": 3}],
        refuses=[{"times without a worker": 1}, {}],
    ),
    asks(
        "within 60 seconds that job has failed 3 times",
        "details",
        meets=[{"attempts made": 3}],
        refuses=[{"attempts made": 2}, {}],
    ),
    asks(
        'within 30 seconds that job is failed, with "poison" as its reason',
        "state_of",
        "details",
        meets=[("failed", POISON)],
        refuses=[
            ("failed", {"reason": None}),
            ("failed", {"reason": "stuck"}),
            ("delayed", POISON),
            ("unknown", POISON),
        ],
    ),
    asks(
        "within 60 seconds that job is completed",
        "state_of",
        meets=["completed"],
        refuses=["active", "failed", "wait", "unknown", "gone"],
    ),
    reads(
        "within 60 seconds more than 2 % of the jobs fail",
        "queue.error_rate",
        meets=[0.0201],
        refuses=[0.02, 0.0, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds at most 2 % of the jobs fail",
        "queue.error_rate",
        meets=[0.02, 0.0],
        refuses=[0.0201, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds the dead-letter queue holds no more jobs than before",
        "queue.failed",
        meets=[2, 1],
        refuses=[3, *NO_NUMBERS],
        before=2.0,
    ),
    reads(
        "within 60 seconds the dead-letter queue holds 1 more job than before",
        "queue.failed",
        meets=[3],
        refuses=[2, 4, "3"],
        before=2.0,
    ),
    asks(
        "within 60 seconds the dead-letter queue holds at least 1 job",
        "counts",
        meets=[{"failed": 1}],
        refuses=[{"failed": 0}, {"failed": -1}],
        before=0.0,
    ),
    reads("within 60 seconds the dead-letter queue is empty", "queue.failed", meets=[0], refuses=[1, "0", True, False]),
    asks(
        "within 60 seconds jobs are stuck for more than 15 seconds, and none is completed",
        "members",
        "details",
        "ask",
        meets=[(["1"], {"taken up (s ago)": 15.1}, 0)],
        refuses=[
            (["1"], {"taken up (s ago)": 15.0}, 0),
            (["1"], {"taken up (s ago)": 15.1}, 1),
            (["1"], {"taken up (s ago)": None}, 0),
            ([], {}, 0),
        ],
    ),
]

WORKERS = [
    Row(
        "the worker on Node is installed",
        meets=[shell({INSTALLED: Said()})],
        refuses=[shell({INSTALLED: Said(rc=1)})],
    ),
    asks(
        "the only worker of the queue is the one on Node",
        "workers",
        meets=[["worker-node"]],
        refuses=[[], ["worker-1"], ["worker-1", "worker-node"]],
    ),
    asks(
        'within 60 seconds every worker says that it runs release "1.1.0"',
        "releases",
        meets=[{"worker-1": "1.1.0"}],
        refuses=[{"worker-1": "1.2.0"}, {}, httpx.ConnectError("refused")],
    ),
    asks(
        'within 60 seconds jobs are done by release "1.1.0" alone, for 2 seconds',
        "done_by",
        meets=[["1.1.0"]],
        refuses=[["1.1.0", "1.2.0"], ["1.2.0"], []],
    ),
    asks("within 60 seconds no worker is connected to the queue", "workers", meets=[[]], refuses=[["worker-1"]]),
    asks("within 60 seconds 1 worker is connected to the queue", "workers", meets=[["a"]], refuses=[[], ["a", "b"]]),
    asks("within 60 seconds 2 workers are connected to the queue", "workers", meets=[["a", "b"]], refuses=[["a"]]),
    Row(
        "2 people are present",
        meets=[World("two", drill={"people": ["Ada", "Grace"]}), World("three", drill={"people": ["A", "B", "C"]})],
        refuses=[World("nobody"), World("one", drill={"people": ["Ada"]})],
    ),
]

AS_WRITTEN = [
    asks(
        'for 5 seconds jobs lie in "waiting", where no worker looks, and are not completed',
        "members",
        "states",
        meets=[(["1", "2"], {"1": "unknown", "2": "completed"})],
        refuses=[(["1"], {"1": "completed"}), (["1"], {"1": "wait"}), (["1"], {"1": "gone"}), ([], {})],
    ),
    asks('within 60 seconds no job lies in "waiting"', "members", meets=[[]], refuses=[["1"]]),
    asks(
        "within 60 seconds that job is in no state that BullMQ knows",
        "state_of",
        meets=["unknown"],
        refuses=["active", "failed", "completed", "gone"],
    ),
    asks(
        'within 20 seconds the length of "waiting" is 0 while 50 jobs wait',
        "answer",
        "counts",
        meets=[(0, {"wait": 50})],
        refuses=[(0, {"wait": 49}), (1, {"wait": 50}), ("WRONGTYPE Operation", {"wait": 50}), (0, {"wait": -1})],
    ),
    asks(
        'the length of "failed" is refused with "WRONGTYPE"',
        "answer",
        meets=["WRONGTYPE Operation against a key holding the wrong kind of value"],
        refuses=[0, 7, "NOPERM no permissions"],
    ),
    Row(
        'the list of jobs that are active for "more than 15 minutes" names one that is younger',
        meets=[listed(2), listed(1000, 2)],
        refuses=[listed(1000), listed(), World("no answer", patched={"answer": AWAY, "begun_s": {}})],
    ),
    asks(
        "the list of all queues names keys, at least 5 of one queue",
        "ask",
        meets=[[f"bull:webhooks:{number}" for number in range(5)]],
        refuses=[
            [f"bull:webhooks:{number}" for number in range(4)],
            [*(f"bull:webhooks:{number}" for number in range(5)), "bull:other:1"],
            [],
        ],
    ),
    Row(
        "the search for worker processes finds one, although none runs",
        meets=[shell({SEARCH: Said(ITSELF + SHELL)}, workers=[])],
        refuses=[shell({SEARCH: Said(SHELL)}, workers=[]), shell({SEARCH: Said(ITSELF)}, workers=["worker-1"])],
    ),
    Row(
        "the lines with ERROR in the logs of the workers are 0",
        meets=[shell({GREP.format(""): Said("0\n")})],
        refuses=[shell({GREP.format(""): Said("1\n")}), shell({GREP.format(""): NO_LOG})],
    ),
    Row(
        "the lines with an error of any spelling are at least 1",
        meets=[shell({GREP.format("-i "): Said("1\n")})],
        refuses=[shell({GREP.format("-i "): Said("0\n")})],
    ),
    Row(
        "the lines with an error of any spelling are as many as before the recovery, or more",
        meets=[shell({GREP.format("-i "): Said(f"{lines}\n")}) for lines in (7, 8)],
        refuses=[
            *(shell({GREP.format("-i "): Said(f"{lines}\n")}) for lines in (6, 0)),
            shell({GREP.format("-i "): NO_LOG}),
        ],
        given={"error_lines": 7},
    ),
    asks(
        'Redis answers the engineer\'s PING, and the length of "waiting" is 0',
        "ask",
        "answer",
        meets=[(True, 0)],
        refuses=[(True, 1), (True, "WRONGTYPE Operation"), (False, 0)],
    ),
    Row(
        'the engineer\'s shell on the host of the API has no "REDIS_PASSWORD", although the API is started with one',
        meets=[shell({'echo "$REDIS_PASSWORD"': Said("\n")}, settings={"REDIS_PASSWORD": "x"})],
        refuses=[
            shell({'echo "$REDIS_PASSWORD"': Said("x\n")}, settings={"REDIS_PASSWORD": "x"}),
            shell({'echo "$REDIS_PASSWORD"': Said("\n")}, settings={}),
            shell({'echo "$REDIS_PASSWORD"': Said("\n")}, settings={"REDIS_PASSWORD": ""}),
        ],
    ),
    asks(
        "the queue's metrics are refused with 401 to whoever asks without the key",
        "httpx.get",
        meets=[httpx.Response(401)],
        refuses=[httpx.Response(200), httpx.Response(403), httpx.Response(503)],
    ),
]

REDIS = [
    Row(
        "within 10 seconds Redis takes no writes",
        meets=[of("redis", NOBODY)],
        refuses=[of("redis", sample(PRIMARY), shown="a primary")],
    ),
    Row(
        "Redis takes no writes for 5 seconds",
        meets=[of("redis", NOBODY, NOBODY)],
        refuses=[of("redis", NOBODY, sample(PRIMARY), NOBODY, shown="a primary for a moment")],
    ),
    reads(
        "within 30 seconds another node is the primary",
        "redis.node",
        meets=["127.0.0.1:7002"],
        refuses=["127.0.0.1:7001"],
        last_before="127.0.0.1:7001",
    ),
    asks(
        "within 30 seconds Redis takes writes",
        "redis_client",
        meets=[Redis(set=True)],
        refuses=[Redis(set=None), Redis(set=ReadOnlyError("You can't write against a read only replica."))],
    ),
    asks(
        "within 60 seconds the old primary follows the new one",
        "redis_client",
        # 7001 led before; the endpoint's nat names it by 7101, where it is reached
        meets=[replicas(7001), replicas(7002, 7001), replicas(7101)],
        refuses=[replicas(), replicas(7002), replicas(70010), REPLICA_OF_7001],
        last_before="127.0.0.1:7001",
    ),
    asks(
        "within 60 seconds every other Redis node follows the primary",
        "redis_client",
        meets=[replicas(7002)],
        refuses=[replicas(), replicas(7002, 7003), REPLICA_OF_7001],
    ),
    and_refuses(
        reads(
            "Redis answers the API within 5 ms for 2 seconds",
            "api.components.redis.latency_ms",
            meets=[5, 0.61],
            refuses=[5.01, *NO_NUMBERS],
        ),
        for_a_moment("api.components.redis.latency_ms", 5.01, good=0.61),
    ),
    Row(
        '"REDIS_PASSWORD" in the environment of the API is not what the vault has',
        meets=[settings_file("REDIS_PASSWORD=wrong\n")],
        refuses=[
            settings_file("REDIS_PASSWORD=from-the-vault\n"),
            settings_file("REDIS_PASSWORD=\n"),
            settings_file(""),
        ],
    ),
    Row(
        '"REDIS_PASSWORD" in the environment of the API is what the vault has',
        meets=[settings_file("REDIS_PASSWORD=from-the-vault\n")],
        refuses=[settings_file("REDIS_PASSWORD=wrong\n"), settings_file("REDIS_PASSWORD=\n"), settings_file("")],
    ),
    Row(
        "every setting of the API is set",
        meets=[settings_file("REDIS_PASSWORD=wrong\nATTEMPTS=3\nPORT=8000\n")],
        refuses=[
            settings_file("REDIS_PASSWORD=\nATTEMPTS=3\n"),
            settings_file("REDIS_PASSWORD=x\nATTEMPTS=3\nPORT=\n"),
            settings_file("ATTEMPTS=3\n", "a line of the vault's is not there"),
            settings_file("", "an empty file"),
        ],
    ),
    asks(
        "within 60 seconds Redis answers PING over TLS with the password of the API",
        "redis_client",
        "settings",
        meets=[(Redis(ping=True), {"REDIS_USERNAME": "app", "REDIS_PASSWORD": "x"})],
        refuses=[
            (Redis(ping=AuthenticationError("WRONGPASS")), {"REDIS_USERNAME": "app", "REDIS_PASSWORD": "x"}),
            (Redis(ping=False), {"REDIS_USERNAME": "app", "REDIS_PASSWORD": "x"}),
            (Redis(ping=True), {"REDIS_USERNAME": "app"}),
        ],
    ),
    Row(
        "within 30 seconds whoever asks the queue is told 503 and the reason",
        meets=[of("queue", BUSY)],
        refuses=[
            of("queue", NOBODY),
            of("queue", sample(QUEUE, status=200)),
            of("queue", sample({"error": "Redis is away"}, ok=False, status=500)),
            of("queue", sample({"error": "Redis is away"}, status=200)),
            of("queue", sample({}, ok=False, status=503), shown="503 without a reason"),
            of("queue", sample({"error": "try later"}, ok=False, status=503), shown="503 with another reason"),
        ],
    ),
    asks(
        'within 60 seconds a new connection to Redis is refused with "max number of clients"',
        "redis_client",
        meets=[Redis(ping=LIMIT)],
        refuses=[
            Redis(ping=True),
            Redis(ping=AuthenticationError("WRONGPASS")),
            Redis(ping=ConnectionError("refused")),
        ],
    ),
    asks(
        "within 60 seconds a new connection to Redis is accepted",
        "redis_client",
        meets=[Redis(ping=True)],
        refuses=[Redis(ping=False), Redis(ping=LIMIT)],
    ),
    Row(
        "within 60 seconds at most 50 % of the connections of Redis are taken",
        meets=[World("50 of 100", patched={"redis_client": clients(50)})],
        refuses=[World("51 of 100", patched={"redis_client": clients(51)})],
    ),
    Row(
        "at least 2 connections lead to Redis, counted on its hosts",
        meets=[shell({SS: Said("ESTAB a b\nESTAB c d\n")})],
        refuses=[shell({SS: Said("ESTAB a b\n")}), shell({SS: Said()})],
    ),
    asks(
        "Redis uses at least 10 MB more memory than before",
        "redis_client",
        meets=[data_mb(22.3)],
        refuses=[data_mb(22.2), data_mb(12.3)],
        given={"memory_before_mb": 12.3},
    ),
    asks(
        "within 60 seconds Redis uses at most 10 MB more memory than before",
        "redis_client",
        meets=[data_mb(22.3), data_mb(12.3)],
        refuses=[data_mb(22.4)],
        given={"memory_before_mb": 12.3},
    ),
    Row(
        "Redis served nobody for at least 20 ms while it carried out KEYS",
        # before the fault there were 2, of 300 ms together
        meets=[served([0.4, 20.0], 3, 320.0), served([0.4], 3, 320.0), served([], 4, 340.0)],
        refuses=[
            served([0.4, 90.0], 3, 319.9),
            served([0.4, 90.0], 4, 339.8),
            served([0.4, 90.0], 2, 300.0),
        ],
        given={"spent_before": (2, 300.0)},
    ),
]

NOT_READY = {"ready": False, "reasons": ["database down"]}


def over(maintenance: object, paused: object) -> World:
    """What the API says of maintenance, and the queue of its pause."""
    samples = {"api": [sample({**API, "maintenance": maintenance})], "queue": [sample({**QUEUE, "paused": paused})]}
    return World(f"maintenance {maintenance}, paused {paused}", samples)


DAMAGED = datetime(2026, 11, 30, 12, tzinfo=UTC)
HELD = {"public.projects": (200, "a1"), "public.scenes": (600, "b2")}

DATABASE = [
    Row(
        "within 10 seconds the API is not ready because of the database",
        meets=[of("api ready", sample(NOT_READY, ok=False, status=503))],
        refuses=[
            of("api ready", sample({"ready": True, "reasons": []}, status=200)),
            of("api ready", sample({**NOT_READY, "reasons": ["redis down and buffer full"]}, ok=False, status=503)),
            of("api ready", sample(NOT_READY, status=200), shown="ready, and yet a reason"),
            of("api ready", NOBODY),
        ],
    ),
    Row(
        "within 10 seconds the API is ready",
        meets=[of("api ready", sample({"ready": True, "reasons": []}, status=200))],
        refuses=[of("api ready", sample(NOT_READY, ok=False, status=503)), of("api ready", NOBODY)],
    ),
    asks(
        "within 10 seconds whoever looks up what is not cached is told 503",
        "http_get",
        meets=[httpx.Response(503)],
        refuses=[httpx.Response(200), httpx.Response(500)],
    ),
    asks(
        "within 10 seconds the database takes no writes",
        "write",
        meets=["could not extend file: No space left on device"],
        refuses=["written"],
    ),
    asks(
        "within 10 seconds the database takes writes",
        "write",
        meets=["written"],
        refuses=["connection refused", ""],
    ),
    asks(
        'within 10 seconds a new session of the application is refused with "remaining connection slots"',
        "log_in",
        meets=["FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute"],
        refuses=["accepted", "connection refused"],
    ),
    asks(
        "within 10 seconds a new session of the application is accepted",
        "log_in",
        meets=["accepted"],
        refuses=["FATAL: remaining connection slots are reserved", ""],
    ),
    Row(
        "within 10 seconds at least 10 sessions have leaked, and all are idle for too long",
        meets=[leaked(10, 10), leaked(27, 27)],
        refuses=[leaked(9, 9), leaked(24, 21), leaked(0, 0), World("nobody", patched={"idle": AWAY})],
    ),
    asks("within 10 seconds no session has been idle for too long", "idle", meets=[0], refuses=[1]),
    asks("the runbook's rule finds none of them", "idle", meets=[0], refuses=[1]),
    Row(
        "the sessions in which the application works are known",
        meets=[World("one", patched={"working": frozenset({(4711, "12:00")})})],
        refuses=[World("none", patched={"working": frozenset()})],
    ),
    Row(
        "within 60 seconds workers take as long for a job as before, within 50 % or 50 ms",
        meets=[
            took([20.0] * 10, [70.0] * 10),
            took([200.0] * 10, [300.0] * 10),
            took([20.0] * 10, [*[20.0] * 6, *[900.0] * 5], "most of them"),
        ],
        refuses=[
            took([20.0] * 10, [70.1] * 10),
            took([200.0] * 10, [300.1] * 10),
            took([20.0] * 10, [20.0] * 9, "too few jobs"),
            took([20.0] * 10, []),
            took([20.0] * 10, AWAY),
        ],
    ),
    asks(
        "the sessions in which the application works were left alone",
        "working",
        meets=[frozenset({(1, "a"), (2, "b"), (9, "z")}), frozenset({(2, "b"), (3, "c")})],
        refuses=[frozenset({(3, "c")}), frozenset({(1, "new"), (2, "new")}), frozenset()],
        given={"working_sessions": frozenset({(1, "a"), (2, "b"), (3, "c")})},
    ),
    Row(
        "what each table holds is known",
        meets=[World("two tables", {"database": [sample(1)]}, {"held": HELD})],
        refuses=[World("nobody answers", {"database": [NOBODY]}, {"held": HELD})],
    ),
    asks(
        "each table holds what it held before",
        "held",
        meets=[HELD],
        refuses=[
            {**HELD, "public.scenes": (600, "c3")},
            {**HELD, "public.scenes": (599, "b2")},
            {"public.projects": HELD["public.projects"]},
            {**HELD, "public.more": (0, "")},
        ],
        given={"held_before": HELD},
    ),
    of_work(
        "the 3 jobs that came in are done",
        "balance",
        meets={"all of 3": balance(3)},
        refuses={"2 of 3": balance(3, all_from(1, 2)), "4": balance(4)},
    ),
    asks("within 10 seconds 20 projects are empty", "empty", meets=[[20, None]], refuses=[[19, None], [21, None]]),
    asks("within 10 seconds 200 scenes belong to no project", "orphans", meets=[200], refuses=[199, 0]),
    asks("the database refuses a scene without a project", "rows", meets=[[[1]]], refuses=[[[0]]]),
    Row(
        "projects and scenes are what the newest backup has, row for row",
        meets=[World("the same", patched={"held": {**HELD, "public.items": (9, "z")}, "backup": HELD})],
        refuses=[
            World("one row less", patched={"held": {**HELD, "public.scenes": (599, "b2")}, "backup": HELD}),
            World("another row", patched={"held": {**HELD, "public.projects": (200, "z9")}, "backup": HELD}),
            World("no table", patched={"held": {}, "backup": HELD}),
            World("no backup", patched={"held": HELD, "backup": AWAY}),
        ],
    ),
    Row(
        "the newest write that survived is at most 2 minutes older than the damage",
        meets=[World("2 minutes", patched={"rows": [[DAMAGED - timedelta(minutes=2)]]})],
        refuses=[World("a bit more", patched={"rows": [[DAMAGED - timedelta(minutes=2, milliseconds=1)]]})],
        given={"damaged_at": DAMAGED},
    ),
    Row(
        "each project is known",
        meets=[World("one", {"database": [sample(1)]}, {"projects": {"project-1": "a"}})],
        refuses=[World("nobody answers", {"database": [NOBODY]}, {"projects": {}})],
    ),
    Row(
        "1 projects differ from before, those that users have written since",
        meets=[World("one", patched={"projects": {"p-1": "a", "p-2": "z"}, "written": {"p-2"}})],
        refuses=[
            World("none", patched={"projects": {"p-1": "a", "p-2": "b"}, "written": set()}),
            World("another one", patched={"projects": {"p-1": "z", "p-2": "b"}, "written": {"p-2"}}),
            World("two", patched={"projects": {"p-1": "z", "p-2": "z"}, "written": {"p-2"}}),
            World("one is gone", patched={"projects": {"p-1": "a"}, "written": set()}),
        ],
        given={"projects_before": {"p-1": "a", "p-2": "b"}},
    ),
    Row(
        "within 10 seconds users are shown no projects",
        meets=[of("projects", sample({"error": "column name does not exist"}, ok=False, status=500))],
        refuses=[of("projects", sample({"projects": []}, status=200))],
    ),
    Row(
        "within 10 seconds users are shown projects",
        meets=[of("projects", sample({"projects": []}, status=200))],
        refuses=[of("projects", sample({"error": "no"}, ok=False, status=500)), of("projects", NOBODY)],
    ),
    Row(
        "within 10 seconds maintenance is over, and the queue is not paused",
        meets=[over(False, False)],
        refuses=[over(True, False), over(False, True), over(None, False), over(False, None)],
    ),
    asks("what users wrote after the damage is not there", "rows", meets=[[[0]]], refuses=[[[5]], [[1]]]),
    asks(
        "the 5 projects that users wrote after the backup are as they left them",
        "rows",
        meets=[[[5]]],
        refuses=[[[4]], [[0]]],
    ),
]

STAT = "stat --file-system --format='%a %b %S' /srv/disk/"
CONTROL = "/opt/pg/bin/pg_controldata /srv/data"
REDO = "Latest checkpoint's REDO WAL file:    000000010000000000000007\n"
NEEDED = "test -e /srv/data/pg_wal/000000010000000000000007"
NO_ROOM = 'could not extend file "base/5/16412": No space left on device HINT: Check free disk space.'
STARTED = "2026-11-30 10:00:00.000 UTC [1] @ LOG:  starting PostgreSQL 18.6 on x86_64\n"
PANIC = (
    '2026-11-30 10:00:01.000 UTC [2] @ PANIC:  could not write to file "pg_wal/xlogtemp.2": No space left on device\n'
)
ENDED = "2026-11-30 10:00:02.000 UTC [1] @ LOG:  database system is shut down\n"
WORDS = f"grep -E {database_disk.LAST_WORDS} /var/log/postgres.log"

DISK = [
    Row(
        "at most 100 MB are free on the disk of the database",
        meets=[shell({STAT: Said("100 4096 1000000")})],
        refuses=[
            shell({STAT: Said("101 4096 1000000")}),
            shell({STAT: Said("0 4096 1000000")}),
            shell({STAT: Said("", "No such file or directory", 1)}),
        ],
    ),
    asks(
        'within 10 seconds a write that needs room is refused with "No space left on device"',
        "grow",
        meets=[NO_ROOM],
        refuses=["taken", "connection refused"],
    ),
    asks("within 10 seconds a write that needs room is taken", "grow", meets=["taken"], refuses=[NO_ROOM, ""]),
    Row(
        "99 % of the disk of the database are taken",
        meets=[shell({STAT: Said("0 100 4096")}), shell({STAT: Said("1 100 4096")})],
        refuses=[shell({STAT: Said("2 100 4096")}), shell({STAT: Said("", "Permission denied", 1)})],
    ),
    Row(
        'within 10 seconds the server has ended by itself, with "No space left on device"',
        meets=[shell({WORDS: Said(STARTED + PANIC + ENDED)}), shell({WORDS: Said(STARTED + ENDED + PANIC + ENDED)})],
        refuses=[
            shell({WORDS: Said(text, rc=rc)})
            for text, rc in (
                ("", 1),
                (STARTED + PANIC, 0),  # it goes on
                (STARTED + ENDED, 0),  # somebody has stopped it
                (STARTED + PANIC + ENDED + STARTED, 0),  # it was started since
                (STARTED + PANIC.replace("No space left on device", "Input/output error") + ENDED, 0),
            )
        ]
        + [shell({WORDS: Said("", "No such file or directory", 2)})],
    ),
    Row(
        "projects and scenes hold what they held before",
        meets=[World("the same, and more jobs", patched={"held": {**HELD, "public.items": (9, "z")}})],
        refuses=[
            World("one row less", patched={"held": {**HELD, "public.scenes": (599, "b2")}}),
            World("no table", patched={"held": {}}),
            World("nobody answers", patched={"held": AWAY}),
        ],
        given={"held_before": HELD},
    ),
    Row(
        "the server lacks the WAL that it needs to start",
        meets=[shell({CONTROL: Said(REDO), NEEDED: Said(rc=1)})],
        refuses=[shell({CONTROL: Said(REDO), NEEDED: Said()}), shell({CONTROL: Said("", "could not open file", 1)})],
    ),
    asks("what users wrote since the WAL was last archived is lost", "rows", meets=[[[0]]], refuses=[[[5]], [[1]]]),
]

BY_SCRIPT = "/var/backups/by_script"
BAD_NIGHT = "0|pg_dump: error: connection failed Backup created successfully\n"
LOUD_NIGHT = "1|psql: error: connection failed\n"
READ = (
    f"for file in {BY_SCRIPT}/*.dump; "
    "do /opt/pg/bin/pg_restore --file=/dev/null $file && echo whole || echo broken; done"
)
ZCAT = (
    f"for file in {BY_SCRIPT}/backup_*.sql.gz; do test -e $file || continue; test -r $file || exit 9; "
    "zcat $file | grep -q '^COPY ' && echo good || echo empty; done"
)
RESTORED = 'ERROR:  relation "projects" already exists\n' * 5


def backups(name: str, contents: str) -> World:
    """The newest dump has this name, and this table of contents."""
    listing = {"ls -1 /var/backups": Said(f"{name}.rows\n{name}.dump\n")}
    return shell({**listing, f"/opt/pg/bin/pg_restore --list /var/backups/{name}.dump": Said(contents)})


DATABASE_AS_WRITTEN = [
    Row(
        "the script calls each of the 2 nights a success",
        meets=[shell({f"cat {BY_SCRIPT}/nights.log": Said(BAD_NIGHT * 2)})],
        refuses=[
            shell({f"cat {BY_SCRIPT}/nights.log": Said(text)})
            for text in ("", BAD_NIGHT, BAD_NIGHT + "1|pg_dump: error: connection failed Backup failed\n")
        ],
    ),
    Row(
        "of the 2 files that the script has kept none can be restored",
        meets=[shell({ZCAT: Said("empty\nempty\n")})],
        refuses=[shell({ZCAT: Said(text)}) for text in ("empty\ngood\n", "empty\n", "")]
        + [replace(shell({ZCAT: Said("empty\n", rc=9)}), shown="unread", raises="cannot be read")],
    ),
    Row(
        "the backup calls each of the 2 nights a failure",
        meets=[shell({f"cat {BY_SCRIPT}/nights.log": Said(LOUD_NIGHT * 2)})],
        refuses=[
            shell({f"cat {BY_SCRIPT}/nights.log": Said(text)})
            for text in ("", LOUD_NIGHT, LOUD_NIGHT + BAD_NIGHT, LOUD_NIGHT * 3)
        ],
    ),
    Row(
        "each of the 2 backups from before can be restored",
        meets=[shell({READ: Said("whole\nwhole\n")})],
        refuses=[shell({READ: Said(text)}) for text in ("", "whole\n", "whole\nbroken\n", "whole\nwhole\nbroken\n")],
    ),
    Row(
        "within 60 seconds a backup taken since can be restored",
        meets=[backups("backup_29990101T000000.000Z", "1; 0 TABLE DATA public projects app\n")],
        refuses=[
            backups("backup_20010101T000000.000Z", "1; 0 TABLE DATA public projects app\n"),
            backups("backup_29990101T000000.000Z", ""),
            shell({"ls -1 /var/backups": Said("", "No such file or directory", 2)}),
        ],
    ),
    of_work(
        "3 jobs have been done",
        "balance",
        meets={"all of 3": balance(3)},
        refuses={"2 of 3": balance(3, all_from(1, 2))},
    ),
    Row(
        "the runbook's restore ended with status 0, after at least 5 errors",
        meets=[shell({f"cat {BY_SCRIPT}.log": Said(RESTORED + "status 0\n")})],
        refuses=[
            shell({f"cat {BY_SCRIPT}.log": Said(text)})
            for text in ("", "status 0\n", RESTORED, RESTORED + "status 3\n")
        ],
    ),
    of_work(
        "within 10 seconds 2 jobs have been done twice, as the database has it",
        "balance",
        meets={"2 of 3": balance(3, {"j1": 2, "j2": 2, "j3": 1})},
        refuses={"none": balance(3), "1": balance(3, {"j1": 2, "j2": 1, "j3": 1})},
    ),
]

CACHED = [
    Row(
        "users look items up",
        meets=[
            World(
                "a hit rate of 90 %", {"catalogue": [sample(ITEMS)], "cache": [with_member("cache", "hit_rate", 0.9)]}
            )
        ],
        refuses=[
            World("of 89 %", {"catalogue": [sample(ITEMS)], "cache": [with_member("cache", "hit_rate", 0.89)]}),
            World("of nothing", {"catalogue": [sample(ITEMS)], "cache": [with_member("cache", "hit_rate", None)]}),
            World("no catalogue", {"catalogue": [NOBODY], "cache": [sample(CACHE)]}),
            World("no cache", {"catalogue": [sample(ITEMS)], "cache": [NOBODY]}),
        ],
    ),
    Row(
        "users have looked up 2 further items",
        meets=[cached_now(200, 2)],
        refuses=[cached_now(200, 1), cached_now(200, 0), cached_now(503, 2)],
    ),
    asks(
        "within 20 seconds none of the items that users have looked up is cached",
        "redis_client",
        meets=[Redis(exists=0)],
        refuses=[Redis(exists=1), Redis(exists=2)],
        given={"looked_up": ["item-51", "item-52"]},
    ),
    asks(
        "all items that users have looked up are still cached",
        "redis_client",
        meets=[Redis(exists=2)],
        refuses=[Redis(exists=1), Redis(exists=0)],
        given={"looked_up": ["item-51", "item-52"]},
    ),
    Row(
        "within 20 seconds users are served wrong values",
        meets=[served_items(ITEMS, right=11), served_items({"items": {"item-1": None}}, "null for an item")],
        refuses=[
            served_items(ITEMS),
            served_items({"items": {}}),
            served_items({"error": "no such page"}),
            served_items("<html>"),
        ],
    ),
    Row(
        "within 60 seconds users are served right values",
        meets=[served_items(ITEMS)],
        refuses=[
            served_items(ITEMS, right=11),
            served_items({"items": {"item-1": None}}, "null for an item"),
            served_items({"items": {}}),
            served_items({"error": "no such page"}),
            served_items("<html>"),
            World("no answer", {"catalogue": [NOBODY]}, {"right_values": {"item-1": 10}}),
        ],
    ),
    Row(
        "the 300 entries with blanks in their names are still there",
        meets=[World("all", patched={"redis_client": Redis(exists=101)})],
        refuses=[World("all but one", patched={"redis_client": Redis(exists=100)})],
    ),
    reads(
        "within 60 seconds look-ups are answered by the database",
        "catalogue.sources.bypass",
        meets=[1, 20],
        refuses=[0, *NO_NUMBERS],
    ),
    Row(
        "no look-up fails",
        meets=[of("catalogue", sample(ITEMS, status=200))],
        refuses=[of("catalogue", NOBODY), of("catalogue", sample(ITEMS, status=200), BUSY, sample(ITEMS, status=200))],
    ),
    reads(
        "within 60 seconds more than 70 % of the look-ups are answered by the cache",
        "cache.hit_rate",
        meets=[0.7001, 1.0],
        refuses=[0.7, 0.0, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds the cache answers as many look-ups as before, within 10 %",
        "cache.hit_rate",
        meets=[0.9, 1.0],
        refuses=[0.8999, *NO_NUMBERS],
        before=100.0,
    ),
]

DEPLOYMENT = [
    Row(
        'users are served release "1.1.0"',
        meets=[released("1.1.0")],
        refuses=[
            released("1.2.0"),
            released("1.1.0", projects=NOBODY),
            released("1.1.0", search=BUSY),
            World("no version", {**released("").samples, "version": [NOBODY]}),
        ],
    ),
    reads(
        'within 20 seconds users are served release "1.2.0"', "version.version", meets=["1.2.0"], refuses=["1.1.0", ""]
    ),
    asks(
        'within 60 seconds users are served release "1.1.0" alone, for 2 seconds',
        "http_get",
        meets=[AnsweredBy("1.1.0")],
        refuses=[AnsweredBy("1.2.0"), AnsweredBy("1.1.0", "1.2.0"), AnsweredBy("")],
    ),
    reads('users are served release "1.1.0" all the time', "version.version", meets=["1.1.0"], refuses=["1.2.0", ""]),
    Row(
        "within 20 seconds users are not answered",
        meets=[all_routes(NOBODY), all_routes(BUSY)],
        refuses=[all_routes(NOBODY, **{name: sample({})}) for name in ROUTES],
    ),
    asks(
        'within 60 seconds the script has said "ROLLBACK COMPLETED"',
        "script_log",
        meets=["ROLLBACK COMPLETED\n"],
        refuses=["", "Health check failed"],
    ),
    reads("within 60 seconds the queue is paused", "queue.paused", meets=[True], refuses=[False, 1]),
    Row(
        "no look at the queue finds it paused",
        meets=[of("queue", with_member("queue", "paused", False), NOBODY)],
        refuses=[of("queue", NOBODY), for_a_moment("queue.paused", True, False)],
    ),
    Row(
        'within 60 seconds "search" is not answered',
        meets=[of("search", NOBODY), of("search", BUSY)],
        refuses=[of("search", sample({"found": []}, status=200))],
    ),
    asks(
        'within 60 seconds "projects" is not answered, although users are served release "1.1.0"',
        "http_get",
        meets=[httpx.Response(500, headers={"x-release": "1.1.0"})],
        refuses=[
            httpx.Response(200, headers={"x-release": "1.1.0"}),
            httpx.Response(500, headers={"x-release": "1.2.0"}),
            httpx.Response(500),
        ],
    ),
    Row(
        'within 60 seconds "projects" is answered',
        meets=[of("projects", sample({"projects": []}, status=200))],
        refuses=[of("projects", NOBODY), of("projects", BUSY)],
    ),
    asks("within 60 seconds the newest commit is not built", "newest", meets=["not built"], refuses=["built"]),
    asks(
        "within 60 seconds 1 migration is applied",
        "sql_connection",
        meets=[counted_rows(1)],
        refuses=[counted_rows(0), counted_rows(2)],
    ),
    reads(
        "within 60 seconds more than 5 % of the requests take longer than 300 ms",
        "api.requests.p95_ms",
        meets=[300.1, 500],
        refuses=[300, 0, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds the API uses at least 30 MB more memory than before",
        "api.memory.rss_bytes",
        meets=[120_000_000],
        refuses=[119_000_000, *NO_NUMBERS],
        before=90.0,
    ),
    reads(
        "within 60 seconds more than 10 % of the requests end in an error",
        "api.requests.error_rate",
        meets=[0.1001, 1.0],
        refuses=[0.1, 0.0, *NO_NUMBERS],
    ),
    reads(
        "within 60 seconds 95 % of the requests are answered as fast as before, within 20 % or 100 ms",
        "api.requests.p95_ms",
        meets=[4.2, 105.0],
        refuses=[105.1, *NO_NUMBERS],
        before=5.0,
    ),
    reads(
        "within 10 seconds 95 % of the requests are answered as fast as before, within 20 % or 100 ms",
        "api.requests.p95_ms",
        meets=[1200.0],
        refuses=[1200.1],
        before=1000.0,
    ),
    reads(
        "within 60 seconds 95 % of the requests are answered within 300 ms",
        "api.requests.p95_ms",
        meets=[0, 300],
        refuses=[300.1, *NO_NUMBERS],
    ),
]

BAD_JS = "app.0badc0de.js"
SHOP_JS = f"app.{hashlib.sha256(b'shop').hexdigest()[:8]}.js"


def page(version: str = "1.1.0", *files: str) -> str:
    named = "".join(f'<script src="{each}"></script>' for each in files or (SHOP_JS,))
    return f'<meta name="version" content="{version}">{named}'


def site(shown: str, found: Mapping[str, str | int]) -> World:
    """A site with these texts, or answers of this status, by path; "" is the page. All others are not there."""

    def ask(_: object, path: str = "", origin: bool = False) -> httpx.Response:
        held = found.get(f"origin/{path}" if origin else path, 404)
        return httpx.Response(held) if isinstance(held, int) else httpx.Response(200, text=held)

    world = World(shown, patched={"ask": PatchedWith(ask)})
    text = found.get("", 404)
    at_cdn = NOBODY if isinstance(text, int) else sample(text, status=200)
    return replace(world, samples={"frontend": [at_cdn]})


FRONTEND = [
    Row(
        'browsers load release "1.1.0" of the frontend',
        meets=[site("the good one", {"": page()})],
        refuses=[
            site("another", {"": page("1.2.0")}),
            site("one without a version", {"": page("")}),
        ],
    ),
    Row(
        'within 60 seconds browsers load release "1.1.0" of the frontend',
        meets=[site("the good one", {"": page()})],
        refuses=[site("another", {"": page("1.2.0")}), site("no page", {})],
    ),
    Row(
        'for 3 seconds browsers load release "1.2.0" of the frontend all the same',
        meets=[site("the bad one", {"": page("1.2.0")})],
        refuses=[site("the good one", {"": page()}), site("no page", {})],
    ),
    Row(
        'within 60 seconds browsers load release "1.1.0" of the frontend alone, with all its files, for 2 seconds',
        meets=[site("all of it", {"": page(), SHOP_JS: "shop"})],
        refuses=[
            site("another release", {"": page("1.2.0"), SHOP_JS: "shop"}),
            site("a file that is not there", {"": page()}),
            site("a file of another content", {"": page(), SHOP_JS: "other"}),
            site("one file of two", {"": page("1.1.0", SHOP_JS, BAD_JS), SHOP_JS: "shop"}),
            site("a page that names no file", {"": '<meta name="version" content="1.1.0">'}),
            site("no page", {SHOP_JS: "shop"}),
        ],
    ),
    Row(
        "within 60 seconds no file of the bad release is served any more",
        meets=[site("the good one", {"": page(), SHOP_JS: "shop"})],
        refuses=[
            site("one of them", {"": page(), BAD_JS: "bad"}),
            site("nobody who knows", {"": page(), BAD_JS: 503}),
        ],
        given={"bad_files": [BAD_JS]},
    ),
    Row(
        'the origin serves release "1.1.0" of the frontend',
        meets=[site("the good one", {"": page("1.2.0"), "origin/": page()})],
        refuses=[site("the bad one", {"": page(), "origin/": page("1.2.0")}), site("no page", {"": page()})],
    ),
    Row(
        "within 60 seconds the origin serves every file of the bad release all the same",
        meets=[site("all", {f"origin/{BAD_JS}": "bad", "origin/bad.css": "bad"})],
        refuses=[
            site("some", {f"origin/{BAD_JS}": "bad"}),
            site("those at the CDN", {BAD_JS: "bad", "bad.css": "bad"}),
        ],
        given={"bad_files": [BAD_JS, "bad.css"]},
    ),
]

GIT = [
    asks(
        "within 60 seconds the commit of the colleague is in the branch",
        "messages",
        meets=[["Notes", "A project has an owner"]],
        refuses=[[], ["Notes on it"]],
    ),
    asks(
        "within 60 seconds the commit of the colleague is in no branch any more",
        "git",
        meets=[""],
        refuses=["a5c1f00"],
    ),
]


def stored(shown: str, found: Mapping[str, str | int]) -> World:
    """A storage with these files, or answers of this status, by key. The checksums are those of "a" and "b"."""
    sums = "".join(f"{hashlib.sha256(each.encode()).hexdigest()}  {each}.txt\n" for each in "ab")

    def ask(_: object, key: str) -> httpx.Response:
        held = {"SHA256SUMS": sums, **found}.get(key, 404)
        return httpx.Response(held) if isinstance(held, int) else httpx.Response(200, text=held)

    return World(shown, patched={"ask": PatchedWith(ask)})


NO_SUMS = {"a.txt": "a", "b.txt": "b", "SHA256SUMS": ""}
STORAGE = [
    asks("the object storage can be used", "usable", meets=["usable"], refuses=["no server of S3 for the lab"]),
    Row(
        "within 60 seconds users get 2 files of the object storage damaged, or not at all",
        meets=[stored("one damaged, one gone", {"a.txt": "x"})],
        refuses=[
            stored("all right", {"a.txt": "a", "b.txt": "b"}),
            stored("one damaged", {"a.txt": "a", "b.txt": "x"}),
            stored("no list of checksums", NO_SUMS),
        ],
    ),
    Row(
        "within 60 seconds users get every file of the object storage as its checksum says, for 2 seconds",
        meets=[stored("all right", {"a.txt": "a", "b.txt": "b"})],
        refuses=[
            stored("one damaged", {"a.txt": "a", "b.txt": "x"}),
            stored("one gone", {"a.txt": "a"}),
            stored("no list of checksums", NO_SUMS),
        ],
    ),
]


def rule(name: str = "database_down", state: str = "inactive", health: str = "ok") -> dict[str, str]:
    return {"name": name, "state": state, "health": health}


def untold(*arrived: Any) -> World:
    """These alerts arrived since, while the API is not ready and the rule is healthy."""
    messages = httpx.Response(200, json={"messages": list(arrived), "last_id": len(arrived)})
    words = ", ".join(f"{row['payload']['attachments'][0]['title']} at {row['monotonic_s']}" for row in arrived)
    return World(words or "nothing", patched={"http_get": messages, "readiness": 503, "rules": [rule()]})


UNTOLD = (
    'for 20 seconds the API is not ready, Prometheus calls the rule "database_down" healthy, and nobody is told in '
    '"#alerts"'
)
PROMETHEUS = [
    asks(
        "Prometheus and Alertmanager can be used", "usable", meets=["usable"], refuses=["not here; missing: prometheus"]
    ),
    asks("Barman can be used", "usable", meets=["usable"], refuses=["not here; missing: rsync"]),
    asks(
        UNTOLD,
        "readiness",
        "rules",
        "told",
        meets=[(503, [rule(), rule("redis_down", "firing")], 0)],
        refuses=[
            (200, [rule()], 0),
            (503, [rule(state="firing")], 0),
            (503, [rule(state="pending")], 0),
            (503, [rule(health="err")], 0),
            (503, [rule("redis_down")], 0),
            (503, [rule()], 1),
        ],
    ),
    Row(
        UNTOLD,
        meets=[
            untold(),
            untold(alert(at=50.0)),
            untold(alert(colour="good")),
            untold(alert(channel="#incidents")),
        ],
        refuses=[untold(alert())],
    ),
    asks(
        "within 60 seconds no rule of Prometheus fires",
        "rules",
        meets=[[rule()], [rule(), rule("redis_down", "pending")]],
        refuses=[[rule(state="firing")], []],
    ),
]


def dispatched(words: str, conclusion: str) -> World:
    """What the client said of a dispatch, and how its run ended."""
    return World(f"{words!r}, {conclusion}", patched={"said": f"{words}\nmore", "conclusion": conclusion})


def worker(release: str, health: int, products: int, session: int = 200) -> World:
    """A Worker of this release, with the status of each of its answers."""
    seen = {"served": (release, [health, products]), "session": session}
    return World(f"{release}: {health}, {products}, {session}", patched=seen)


PLATFORMS = [
    asks("Vercel's client can be used", "client", meets=["installed"], refuses=["vercel is missing"]),
    asks(
        'users get release "1.1.0" from Vercel',
        "served",
        meets=[("1.1.0", [])],
        refuses=[("1.2.0", []), ("1.1.0", ["a.js"]), ("status 404", [])],
    ),
    asks(
        'within 2 minutes users get release "1.2.0" from Vercel, without its script',
        "served",
        meets=[("1.2.0", ["a.js"])],
        refuses=[("1.2.0", []), ("1.1.0", ["a.js"]), ("status 404", [])],
    ),
    asks(
        'the rollback has ended with status 0, and has said "Success!"',
        "said",
        meets=["status 0\n> Success! shop was rolled back"],
        refuses=["status 1\n> Success!", "status 0\nno", "nothing"],
    ),
    asks(
        'within 2 minutes users get release "1.1.0" from Vercel, for 2 seconds',
        "served",
        meets=[("1.1.0", [])],
        refuses=[("1.2.0", []), ("1.1.0", ["a.js"]), ("status 404", [])],
    ),
    asks("GitHub's client can be used", "client", meets=["installed"], refuses=["gh is missing"]),
    Row(
        'within 60 seconds the dispatch has ended with status 0, and its run with "failure"',
        meets=[dispatched("status 0", "failure")],
        refuses=[dispatched("status 1", "failure"), dispatched("status 0", "success"), dispatched("nothing", "no run")],
    ),
    asks("Cloudflare's client can be used", "client", meets=["installed"], refuses=["wrangler is missing"]),
    Row(
        'users get release "1.1.0" of the Worker, and their sessions are known',
        meets=[worker("1.1.0", 200, 200)],
        refuses=[worker("1.0.0", 200, 200), worker("1.1.0", 503, 200), worker("1.1.0", 200, 200, 401)],
    ),
    Row(
        'within 2 minutes release "1.2.0" of the Worker answers its health with 503 and its products with 500',
        meets=[worker("1.2.0", 503, 500)],
        refuses=[worker("1.1.0", 503, 500), worker("1.2.0", 200, 500), worker("1.2.0", 503, 200)],
    ),
    asks("within 2 minutes a session of a user is answered with 401", "session", meets=[401], refuses=[200, 500]),
    Row(
        'within 2 minutes users get release "1.1.0" of the Worker, and their sessions are known, for 2 seconds',
        meets=[worker("1.1.0", 200, 200)],
        refuses=[worker("1.0.0", 200, 200), worker("1.1.0", 200, 404), worker("1.1.0", 200, 200, 401)],
    ),
]

CUT = "echo http://127.0.0.1/logs?level=error&service=queue"
FOR_NOBODY = "curl -sf http://127.0.0.1:9/logs?level=error&service=queue"
AMPERSAND = (
    'the question for the queue\'s errors loses "service=queue" in a shell, and ends with 0 where nobody answers'
)


def typed(printed: str, rc: int) -> World:
    logs = httpx.Response(200, json={"logs": [{"service": "redis"}]})
    return replace(shell({CUT: Said(printed), FOR_NOBODY: Said(rc=rc)}, http_get=logs), shown=f"{printed!r}, {rc}")


UNQUOTED = [
    Row(
        AMPERSAND,
        meets=[typed("http://127.0.0.1/logs?level=error\n", 0)],
        refuses=[
            typed("http://127.0.0.1/logs?level=error&service=queue\n", 0),
            typed("http://127.0.0.1/logs?level=error\n", 7),
            typed("", 0),
        ],
    ),
    asks(
        "for 3 seconds that job stays active, although no worker is left that could end it",
        "state_of",
        "workers",
        meets=[("active", [])],
        refuses=[("completed", []), ("wait", []), ("active", ["worker-1"])],
    ),
]

ENGINE = "api container"
FULL = "within 10 seconds the container of the API was killed for lack of memory"


def container(told: object = None, **members: object) -> World:
    """What the engine says of the container; `told`: the instants of its events."""
    known = {**WELL[ENGINE], **members}
    seen = sample(known, ok=known["state"] == "running")
    words = " ".join(str(each) for each in (members, told) if each is not None)
    return World(words, {ENGINE: [seen]}, {"container_events": told} if told is not None else {})


def ended(status: int = 137, **more: object) -> Mapping[str, object]:
    return {"state": "exited", "exit_code": status, "health": "unhealthy", "memory": None, **more}


def listens(who: object, **members: object) -> World:
    return replace(container(**members), shown=f"{who} {members}", patched={"listening": who})


CONTAINERS = [
    reads(
        "the container of the API is healthy",
        "api container.health",
        meets=["healthy"],
        refuses=["unhealthy", "starting", "none", ""],
    ),
    reads(
        "within 10 seconds the container of the API is healthy",
        "api container.health",
        meets=["healthy"],
        refuses=["unhealthy", "starting", "none", ""],
    ),
    Row(
        "within 10 seconds the container of the API has ended with 137",
        meets=[container(**ended()), container(**ended(state="dead"))],
        refuses=[
            container(),
            container(exit_code=137),  # of an earlier end
            container(**ended(1)),
            container(**ended(oom_killed=True)),
            container(**ended(state="restarting")),
            of(ENGINE, NOBODY),
        ],
    ),
    Row(
        FULL,
        meets=[container([250.0], **ended(oom_killed=True))],
        refuses=[
            container([250.0], **ended()),
            container([], **ended(oom_killed=True)),
            container([250.0], oom_killed=True),
            container(AWAY, **ended(oom_killed=True)),
            World("nobody", {ENGINE: [NOBODY]}, {"container_events": [250.0]}),
        ],
    ),
    reads(
        "within 10 seconds the container of the API uses at most 50 % of its memory",
        "api container.memory.share",
        meets=[0.5, 0.0],
        refuses=[0.51, *NO_NUMBERS],
    ),
    asks(
        'within 10 seconds the container of the API has said "address already in use"',
        "container_log",
        meets=["[Errno 98] error while attempting to bind: address already in use\n"],
        refuses=["", "listening on 8080"],
    ),
    Row(
        "within 10 seconds the port of the API is taken, and not by its container",
        meets=[listens("somebody", **ended(1))],
        refuses=[
            listens("nobody", **ended(1)),
            listens("somebody"),
            listens(AWAY, **ended(1)),
            World("nobody knows", {ENGINE: [NOBODY]}, {"listening": "somebody"}),
        ],
    ),
]

TABLE = [
    *ALERTS,
    *SYSTEM,
    *HEALTH,
    *QUEUES,
    *JOBS,
    *WORKERS,
    *AS_WRITTEN,
    *REDIS,
    *CACHED,
    *DEPLOYMENT,
    *FRONTEND,
    *GIT,
    *DATABASE,
    *STORAGE,
    *PROMETHEUS,
    *PLATFORMS,
    *UNQUOTED,
    *DISK,
    *DATABASE_AS_WRITTEN,
    *CONTAINERS,
]

LEFT = {
    **dict.fromkeys(
        (
            "as_written.info_hit_rate_hides_it",
            "as_written.info_hit_rate_is_known",
            "as_written.metrics_have_no_such_line",
            "as_written.watched_length_proves_nothing",
        ),
        "tests/unit/steps/test_as_written.py",
    ),
    "decision.table_says": "tests/unit/steps/test_decision.py",
    "decision.table_says_once_known": "tests/unit/steps/test_decision.py",
    **dict.fromkeys(
        (
            "ladder.every_rung_holds",
            "ladder.extended_checks_hold",
            "ladder.functional_checks_pass",
            "ladder.immediate_checks_hold",
            "ladder.metrics_are_on_target",
            "ladder.state_is_written_down",
            "ladder.system_is_well_a_day_later",
            "ladder.system_stays_well",
        ),
        "tests/unit/steps/test_ladder.py",
    ),
    "people.hosts_can_be_reached": "tests/drills/test_prerequisites.py",
    "people.channel_can_be_read": "tests/drills/test_prerequisites.py",
}
"""Steps without a row, and where they are seen failing."""


# ---------------------------------------------------------------- diagnoses


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A sentence that writes down what it sees, and what it writes where there is nothing. It never writes nothing."""

    sentence: str
    world: World
    written: Mapping[str, object]
    given: Mapping[str, object] = field(default_factory=dict)


def nothing(endpoint: str, **patched: object) -> World:
    """The endpoint answers, and the rest is empty."""
    return World("nothing", {endpoint: [sample(WELL[endpoint], status=200)]}, patched)


NONE_BY_STATE = {"wait": 0, "active": 0, "failed": 0}

DIAGNOSES = [
    Diagnosis(
        'the jobs in "waiting" are written down',
        nothing("redis", members=[], the_type="none", counts=NONE_BY_STATE),
        {
            "jobs in 'waiting', which BullMQ does not read": "0 jobs",
            "type of bull:webhooks:waiting": "none",
            "jobs by state": NONE_BY_STATE,
        },
    ),
    Diagnosis(
        "the runbook's own questions are asked, and their answers written down",
        nothing("redis", answer=ByCommand(LLEN=0, LRANGE=[]), counts=NONE_BY_STATE),
        {
            "LLEN bull:webhooks:waiting": 0,
            "LLEN bull:webhooks:active": 0,
            "LLEN bull:webhooks:failed": 0,
            "LRANGE bull:webhooks:active 0 -1": [],
            "jobs by state": NONE_BY_STATE,
        },
    ),
    Diagnosis(
        "the keys of the database and the queue's pause are written down",
        nothing("redis", ask=ByCommand(DBSIZE=0, HGET=None)),
        {"keys in the database": "0 keys", "whether the queue is paused": False},
    ),
    Diagnosis(
        "the items that users are served wrong are written down",
        World(
            "no item is wrong",
            {"catalogue": [sample(ITEMS, status=200)], "cache": [NOBODY]},
            {"right_values": {"item-1": 10}},
        ),
        {"the items that users are served wrong": "none", "the cache's hit rate": "nothing %"},
    ),
    Diagnosis(
        "the items that users are served wrong are written down",
        World(
            "no item is served",
            {"catalogue": [sample({"items": {}}, status=200)], "cache": [sample(CACHE)]},
            {"right_values": {"item-1": 10}},
        ),
        {"the items that users are served wrong": "no item was served", "the cache's hit rate": "100.0 %"},
    ),
    Diagnosis(
        "what the API, the queue and Sentinel say is written down",
        World(
            "others answer in the place of API and queue, and no Sentinel",
            {name: [sample({"detail": "Not Found"}, status=404)] for name in ("api", "queue")},
            {"redis_client": AWAY},
        ),
        {
            "what the API depends on, as it sees it": "status 404",
            "the circuit breaker": "nothing",
            "the memory buffer": "nothing jobs",
            "the API's memory": "nothing MB",
            "the queue's metrics": "status 404",
            "the primary, as Sentinel names it": "nobody names one: nobody answers",
        },
    ),
    Diagnosis(
        "the queue's counts, its oldest active jobs and its workers are written down",
        nothing(
            "redis", counts=NONE_BY_STATE, workers=[], processes={"worker-1": "nothing"}, connections=1, members=[]
        ),
        {
            "jobs by state": NONE_BY_STATE,
            "workers connected to the queue": [],
            "processes of the workers": {"worker-1": "nothing"},
            "connections to Redis": 1,
            "active jobs": "none",
        },
    ),
    Diagnosis(
        'the processes of "redis_nodes" and "worker" are written down',
        replace(
            nothing("api"),
            drill={
                "shell": {
                    f"systemctl show --property=ActiveState,SubState,MainPID {name}": Said("\n", rc=4)
                    for name in ("redis-1", "redis-2", "worker-1")
                }
            },
        ),
        {
            "processes of redis_nodes": {
                "redis-1": "nothing, with status 4",
                "redis-2": "nothing, with status 4",
            },
            "processes of worker": {"worker-1": "nothing, with status 4"},
        },
    ),
    Diagnosis(
        "the release that is served, its errors and its answers' time are written down",
        World("nobody but the database answers", {"database": [sample(1)], "version": [NOBODY], "api": [NOBODY]}),
        {
            "the release that is served": "nothing",
            "its commit": "nothing",
            "requests that end in an error": "nothing %",
            "the time within which 95 % of the requests are answered": "nothing ms",
        },
    ),
    Diagnosis(
        "the sessions of the database are written down, by their programs and states",
        World("nobody is connected", {"database": [sample(1)]}, {"rows": []}),
        {"sessions of the database": {}},
    ),
    Diagnosis(
        "the moment of the damage is written down",
        World("nothing is empty", {"database": [sample(1)]}, {"empty": [0, None]}),
        {"the first empty project was written at": "no project is empty"},
    ),
    Diagnosis("the latest failed jobs are written down", nothing("redis", members=[]), {"failed jobs": "none"}),
    Diagnosis(
        "the time that Redis has spent on KEYS is known",
        World("a Redis that nobody asked", patched={"redis_client": Redis(info={})}),
        {"calls of KEYS before the fault": 0},
    ),
    Diagnosis(
        "the start of the API is known",
        World("an API of the year 1970", patched={"http_get": httpx.Response(200, json={"started_at": 0.5})}),
        {"the starts of the API before the fault, in seconds since 1970": {"api-1": 0.5}},
    ),
    Diagnosis(
        "the files of that release, and how long the CDN keeps its page, are written down",
        site("the good release", {"": page()}),
        {
            "the release that browsers load": "1.1.0",
            "files that only this release has": "none",
            "Cache-Control of the page": "nothing",
            "Age of the page": "nothing",
            "X-Cache of the page": "nothing",
        },
        {"good_files": [SHOP_JS]},
    ),
    Diagnosis(
        "what was pushed since the stable release is written down",
        nothing("database", messages=[], branch="main"),
        {"commits of main since the stable release, newest first": "none"},
    ),
    Diagnosis(
        "what is wrong with the files of the object storage is written down",
        nothing("api", differing=[]),
        {"what is wrong with the files": "nothing"},
    ),
    Diagnosis(
        "what is wrong with the files of the object storage is written down",
        nothing("api", differing=AWAY),
        {"what is wrong with the files": "nobody answers"},
    ),
    Diagnosis(
        "what Barman has is written down",
        replace(nothing("database"), drill={"shell": {"barman -c /etc/barman.conf list-backups lab": Said("")}}),
        {"backups that Barman lists": "none"},
    ),
    Diagnosis(
        "what Prometheus says of its rules is written down",
        World("no Prometheus", {"alerts": [sample({"messages": []}, status=200)]}, {"rules": AWAY}),
        {"what Prometheus says": "nobody answers"},
    ),
    Diagnosis(
        "what Vercel serves is written down",
        nothing("api", served=("status 404", []), said="nothing"),
        {
            "the platform": "simulated",
            "the release that users get": "status 404",
            "scripts that are not there": "none",
            "what a rollback said that named no deployment": "nothing",
        },
    ),
    Diagnosis(
        "what GitHub says of the rollback is written down",
        nothing("api", said="nothing", conclusion="no run"),
        {"the platform": "simulated", "what the dispatch said": "nothing", "how the newest run ended": "no run"},
    ),
    Diagnosis(
        "what the Worker serves is written down",
        nothing("api", served=("no release", [404, 404]), session=404),
        {
            "the platform": "simulated",
            "the release that answers users": "no release",
            "the status of its health and its products": [404, 404],
            "the answer to a user's session": 404,
        },
    ),
    Diagnosis(
        "what the engine says of the container of the API is written down",
        container(**ended(oom_killed=True)),
        {
            "how the container of the API ended": "ended with 137, killed for lack of memory",
            "the image of the API": "drillbook/api:v1.1.0",
            "how often the engine has started it again": 0,
            "the part of its memory that it uses": "nothing %",
        },
    ),
    Diagnosis(
        "the memory of Redis is known",
        World("an empty Redis", patched={"redis_client": data_mb(0)}),
        {"the memory of Redis before the fault": "0.0 MB"},
    ),
]


# ---------------------------------------------------------------- tests


def definition(sentence: str) -> StepFunctionContext:
    (found,) = (each for each in DEFINITIONS if each.parser.is_matching(sentence))
    return found


def named(context: StepFunctionContext) -> str:
    func = context.step_func
    return f"{func.__module__.removeprefix('steps.')}.{func.__name__}"


def said(
    sentence: str, world: World, patch: pytest.MonkeyPatch, given: Mapping[str, object] | None = None
) -> StepDrill:
    """The drill after this sentence in this world."""
    context = definition(sentence)
    for name, answer in world.patched.items():
        patch.setattr(name if "." in name else f"{context.step_func.__module__}.{name}", saying(answer))
    drill = StepDrill(world.samples, **world.drill)
    context.step_func(drill, **(context.parser.parse_arguments(sentence) or {}), **(given or {}))
    return drill


def cases(side: Callable[[Row], Sequence[World]]) -> list[Any]:
    return [pytest.param(row, world, id=f"{row.sentence} - {world.shown}") for row in TABLE for world in side(row)]


@pytest.mark.parametrize(("row", "world"), cases(lambda row: row.meets))
def test_a_sentence_is_met(row: Row, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = said(row.sentence, world, monkeypatch, row.given)
    assert drill.met, [each.seen for each in drill.handed]


@pytest.mark.parametrize(("row", "world"), cases(lambda row: row.refuses))
def test_a_sentence_is_refused(row: Row, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    if world.raises:
        with pytest.raises(DrillbookError, match=world.raises):
            said(row.sentence, world, monkeypatch, row.given)
        return
    drill = said(row.sentence, world, monkeypatch, row.given)
    assert not drill.met, [each.seen for each in drill.handed]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.sentence)
def test_the_time_of_a_sentence_is_what_the_engine_waits(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    known = definition(row.sentence).parser.parse_arguments(row.sentence) or {}
    drill = said(row.sentence, row.meets[0], monkeypatch, row.given)
    if "deadline" in known:
        assert {each.within for each in drill.handed} == {known["deadline"]}
    for each in drill.handed:
        assert each.verb != "throughout" or each.length == known["length"]


@pytest.mark.parametrize("row", DIAGNOSES, ids=lambda row: f"{row.sentence} - {row.world.shown}")
def test_a_diagnosis_of_nothing_says_so(row: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = said(row.sentence, row.world, monkeypatch, row.given)
    assert drill.observed == row.written
    assert drill.met or not row.world.samples, "nobody would know whether anybody answered"


@pytest.mark.parametrize("row", DIAGNOSES, ids=lambda row: f"{row.sentence} - {row.world.shown}")
def test_a_diagnosis_is_refused_when_nobody_answers(row: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    world = replace(row.world, samples={name: [NOBODY] for name in row.world.samples})
    if world.samples:
        assert not said(row.sentence, world, monkeypatch, row.given).met
        return
    with pytest.raises(CouldNotLookError, match="nobody answers"):
        said(row.sentence, replace(world, patched=dict.fromkeys(world.patched, AWAY)), monkeypatch)


def test_each_step_that_looks_is_seen_failing_here_or_where_the_list_says() -> None:
    looking = {
        named(each) for each in DEFINITIONS if each.type in ("given", "then") and drill_kind_of(each.step_func) is None
    }
    sentences = [*(row.sentence for row in TABLE), *(row.sentence for row in DIAGNOSES)]
    shown = {named(definition(each)) for each in sentences}
    assert looking - shown - set(LEFT) == set(), "no row shows these failing"
    assert set(LEFT) <= looking - shown, "the list of what is left is not up to date"
    assert [path for path in LEFT.values() if not (ROOT / path).is_file()] == []


def test_each_row_has_both_sides() -> None:
    assert [row.sentence for row in TABLE if not (row.meets and row.refuses)] == []


def test_what_a_step_counts_is_written_down_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "the lines with an error of any spelling are as many as before the recovery, or more"
    drill = said(sentence, shell({GREP.format("-i "): Said("7\n")}), monkeypatch, {"error_lines": 7})
    assert drill.observed == {"grep -i ERROR LOG | wc -l": "7 lines"}


def test_a_log_that_is_not_there_is_no_log_without_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    drill = said("the lines with ERROR in the logs of the workers are 0", shell({GREP.format(""): NO_LOG}), monkeypatch)
    (handed,) = drill.handed
    assert "the log of worker-1: grep: " in handed.seen.observed
