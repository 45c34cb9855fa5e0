"""The verification ladder: the state before anybody changes anything, and what has to hold afterwards.

The inventory says for how long it has to hold (`drillbook_timings`). It cannot change what has to hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil

import httpx
import psycopg
from psycopg import sql
from steps.cache import CATALOGUE, HIT_RATE, right_values, wrong
from steps.decision import WINDOW_S, error_rate
from steps.health import API, ERROR_LOG, log_lines, metrics
from steps.jobs import FAILURES
from steps.queue import DEPTH, QUEUE
from steps.system import ERRORS

from drillbook import Drill, given, then
from drillbook.checks import MISSING, At, Check, Reading, Sample, looked, number
from drillbook.clients import sql_connection
from drillbook.errors import CouldNotLookError, DrillbookError

DATABASE = At("database", "the database")
MOST_ERRORS, MOST_FAILURES, MOST_P95_MS, MOST_QUERY_MS, MOST_WAITING, LEAST_HIT_RATE = 1, 2, 300, 100, 50, 70
"""The targets of the rollback plan: percent, percent, milliseconds, milliseconds, jobs and percent."""
LEAST_FREE = 5
"""The percentage of memory and of disk that has to be free on each host."""
LEAST_VALUES = 20
"""With fewer values, the greatest one would be the 95th percentile."""
LEAST_CALLS = 5
"""A statement that was called less often has no usual time."""
QUIET_S = 1.0
LIMIT_S = 60
UNREACHED = (DrillbookError, OSError, httpx.HTTPError, psycopg.Error)
Counted = Mapping[str, tuple[int, float, str]]
"""By the id of each statement: how often it was called, for how long in all (ms), and its words."""
STATEMENTS = """
SELECT coalesce(queryid::text, 'hidden'), sum(calls)::bigint, sum(total_exec_time), min(query) FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1
"""
NORMALISED = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH")
"""The server replaces the values in these. A statement of another kind may hold a password."""
RESOURCES = "LC_ALL=C; free -b; df -B1 -P /; cat /proc/loadavg"


# ---------------------------------------------------------------- before anything is changed


@given("the state before anything is changed is written down")
@then("the state before anything is changed is written down")
def state_is_written_down(drill: Drill) -> None:
    """What nobody can find out afterwards. If a part does not answer, that is written down."""
    seen: dict[str, object] = {}

    def look() -> int:
        seen.update(resources(drill))
        return len(seen)

    drill.bound(looked("the hosts that tell what they have left", look, "hosts").is_(len(drill.inventory.hostvars)))
    drill.observe("the version that answers", told(lambda: versions(drill)))
    drill.observe("the last version that was well", told(lambda: str(drill.last_before(API.json("version")))))
    for name, found in told_releases(drill).items():
        drill.observe(name, found)
    drill.observe("requests that fail, as users see it", told(lambda: round(error_rate(drill), 1)), "%")
    drill.observe("requests that fail, as the API counts them", now(drill, ERRORS), "%")
    drill.observe("lines of the error log", now(drill, Reading("lines", ERROR_LOG, count_lines)))
    drill.observe("the queue's metrics", now(drill, Reading("metrics", "queue", metrics)))
    drill.observe("rows of the database", told(lambda: rows(drill)))
    drill.observe("the size of the database", told(lambda: round(size_mb(drill), 1)), "MB")
    for host, free in seen.items():
        drill.observe(f"resources of {host}", free)


def told(ask: Callable[[], object]) -> object:
    """The answer. When there is none, it is a text with the reason."""
    try:
        return ask()
    except UNREACHED as error:
        return f"not known: {error}"


def now(drill: Drill, reading: Reading) -> object:
    """The last value, if somebody saw it in the last seconds. An older value may be from before the incident."""
    return told(lambda: next(reversed(drill.seen(reading, last_s=WINDOW_S)), "nothing"))


def versions(drill: Drill) -> Mapping[str, object]:
    """The version that each host of the API gives."""
    found = {}
    for host in drill.inventory.names("api"):
        url = str(drill.inventory.variable(host, "drillbook_version_url"))
        answer = httpx.get(url, timeout=drill.inventory.endpoints["api"].timeout_s, trust_env=False).json()
        found[host] = {name: answer.get(name) for name in ("version", "commit")}
    return found


def told_releases(drill: Drill) -> Mapping[str, object]:
    """The last commits of the repository from which releases come, where the inventory names one, and the stable
    release.
    """
    host = drill.inventory.names("api")[0]
    known = drill.inventory.hostvars[host]
    if "drillbook_release_repository" not in known:
        return {}
    commits = drill.hosts(host)[0].run("git -C %s log --oneline -5 --all", str(known["drillbook_release_repository"]))
    return {
        "the last commits": commits.stdout.splitlines() or f"not known: {commits.stderr.strip()}",
        "the release that is stable": str(known.get("drillbook_release_stable", "none is named")),
    }


def rows(drill: Drill) -> Mapping[str, int]:
    """How many rows each table has."""
    with sql_connection(drill.inventory.endpoints["database"]) as connection:
        tables = connection.execute("select schemaname, relname from pg_stat_user_tables order by 1, 2").fetchall()
        counted = {}
        for schema, table in tables:
            asked = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
            ((counted[f"{schema}.{table}"],),) = connection.execute(asked).fetchall()
        return counted


def size_mb(drill: Drill) -> float:
    with sql_connection(drill.inventory.endpoints["database"]) as connection:
        ((size,),) = connection.execute("select pg_database_size(current_database())").fetchall()
        return float(size) / 1e6


def resources(drill: Drill) -> Mapping[str, Mapping[str, float]]:
    """The memory, disk and load of each host, as `free`, `df` and the kernel report them."""
    names = list(drill.inventory.hostvars)
    return {name: left(drill.hosts(name)[0].run(RESOURCES).stdout) for name in names}


def left(said: str) -> Mapping[str, float]:
    """The output of `free -b; df -B1 -P /; cat /proc/loadavg`, as percentages that are free and the load of the last
    minute.
    """
    lines = [line.split() for line in said.splitlines() if line.strip()]
    memory = next((line for line in lines if line[0] == "Mem:"), None)
    disk = next((line for line in lines if line[-1] == "/" and len(line) == 6), None)
    if memory is None or disk is None or len(lines[-1]) != 5:
        raise CouldNotLookError("free, df or /proc/loadavg said something else than they do")
    return {
        "memory that is free, %": round(100 * float(memory[6]) / float(memory[1]), 1),
        "disk that is free, %": round(100 * float(disk[3]) / float(disk[1]), 1),
        "load": float(lines[-1][0]),
    }


def count_lines(sample: Sample) -> object:
    lines = log_lines(sample)
    return MISSING if lines is None else len(lines)


# ---------------------------------------------------------------- afterwards


@then("every rung of the ladder holds, up to the metrics")
def every_rung_holds(drill: Drill) -> None:
    counted = immediate_checks_hold(drill)
    functional_checks_pass(drill)
    extended_checks_hold(drill)
    metrics_are_on_target(drill, counted)


@then("the immediate checks hold", target_fixture="counted_before")
def immediate_checks_hold(drill: Drill) -> Counted | None:
    """Checks the health, each part of the API, its database and its Redis, and that its log has no new error.

    Returns what the database has counted of its statements until then. The metrics count from there.
    """
    hold(drill, immediate(), drill.timings.immediate_s)
    return statements(drill)


@then("the functional checks pass")
def functional_checks_pass(drill: Drill) -> None:
    """Does once what users do: looks an item up and finds it right, and sees a job done that came in since."""
    drill.bound(CATALOGUE.answers(), within=LIMIT_S)
    drill.bound(wrong(right_values(drill)).is_(0), within=LIMIT_S)
    since = drill.phase_opened_s()

    def done() -> int:
        finished = drill.load.completed()
        return sum(each.id in finished for each in drill.load.attempts if each.sent_s >= since)

    drill.bound(looked("jobs that came in since the recovery and are done", done, "jobs").at_least(1), within=LIMIT_S)


@then("the extended checks hold")
def extended_checks_hold(drill: Drill) -> None:
    """Holds the immediate checks for longer, and also checks errors, failures, queue, memory and disk."""
    hold(drill, [*immediate(), *steady()], drill.timings.extended_s)
    free = looked("the host with the least that is free", lambda: least_free(drill), "%")
    drill.bound(free.at_least(LEAST_FREE))


@then("the system is watched, and stays well")
def system_stays_well(drill: Drill) -> None:
    hold(drill, [*immediate(), *steady()], drill.timings.watch_s)


@then("a day later the system is as well")
def system_is_well_a_day_later(drill: Drill) -> None:
    hold(drill, [*immediate(), *steady()], drill.timings.day_s)


@then("the metrics are on target")
def metrics_are_on_target(drill: Drill, counted_before: Counted | None) -> None:
    """Each metric covers the last extended window; what the database counts covers the time since the immediate checks.

    The record also keeps the other percentiles, and the slowest statements.
    """
    targets = (
        below("jobs that were not accepted", lambda: not_accepted(drill), MOST_ERRORS, "%"),
        below("p95 of look-ups", lambda: percentile(times(drill, CATALOGUE), 0.95), MOST_P95_MS, "ms"),
        below("p95 of queries of the database", lambda: percentile(times(drill, DATABASE), 0.95), MOST_QUERY_MS, "ms"),
        few_wait(),
        HIT_RATE.satisfies(f"is above {LEAST_HIT_RATE} %", lambda rate: number(rate) > LEAST_HIT_RATE),
    )
    for target in targets:
        drill.bound(target, within=LIMIT_S)
    statements_are_fast(drill, counted_before)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        drill.observe(f"{name} of look-ups", told(partial(percentile, times(drill, CATALOGUE), share)), "ms")
    drill.observe("connections of the database", told(lambda: connections(drill)))


def statements_are_fast(drill: Drill, before: Counted | None) -> None:
    """Asks pg_stat_statements. If the database does not have it, that is written down, and the drill's own queries
    decide alone.
    """
    subject = "the slowest statements since the immediate checks"
    if before is None:
        drill.observe(subject, "not known: the database has no pg_stat_statements")
        return
    slowest = looked("the slowest statement, as the database counts it", lambda: since(drill, before)[0])
    fast = slowest.satisfies(f"takes less than {MOST_QUERY_MS} ms", lambda seen: number(seen[0]) < MOST_QUERY_MS)
    drill.bound(fast, within=LIMIT_S)
    drill.observe(subject, told(lambda: [f"{ms} ms, {n} calls: {words}" for ms, n, words in since(drill, before)[:3]]))


def statements(drill: Drill) -> Counted | None:
    """What the database has counted of its statements. None when it has no pg_stat_statements."""
    try:
        with sql_connection(drill.inventory.endpoints["database"]) as connection:
            rows = connection.execute(STATEMENTS).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.ObjectNotInPrerequisiteState):
        return None
    return {str(known): (int(calls), float(total_ms), str(words)) for known, calls, total_ms, words in rows}


def since(drill: Drill, before: Counted) -> list[tuple[float, int, str]]:
    """The mean time (ms) of each statement that was called often enough since then, the calls, and the words.

    The slowest is the first. Raises CouldNotLookError when there is none.
    """
    found = []
    for known, (calls, total_ms, words) in (statements(drill) or {}).items():
        earlier, earlier_ms, _ = before.get(known, (0, 0.0, ""))
        if calls < earlier:  # the server has begun to count anew
            earlier, earlier_ms = 0, 0.0
        if calls - earlier >= LEAST_CALLS:
            mean_ms = round((total_ms - earlier_ms) / (calls - earlier), 2)
            found.append((mean_ms, calls - earlier, shown(words)))
    if not found:
        raise CouldNotLookError(f"no statement was called {LEAST_CALLS} times since the immediate checks")
    return sorted(found, reverse=True)


def shown(words: str) -> str:
    """The beginning of a statement, or its first word alone if it may hold a secret."""
    first, *_ = words.split(None, 1) or ["hidden"]
    return " ".join(words.split())[:60] if first.upper() in NORMALISED else first


def immediate() -> Sequence[Check]:
    return (
        API.json("status", "the system").is_("ok"),
        CATALOGUE.answers(),
        QUEUE.answers(),
        DATABASE.answers(),
        At("redis", "Redis").answers(),
        Reading("the newest line of the error log", ERROR_LOG, age_s, "s old").at_least(QUIET_S),
    )


def steady() -> Sequence[Check]:
    return (
        ERRORS.satisfies(f"are below {MOST_ERRORS} %", lambda share: number(share) < MOST_ERRORS),
        FAILURES.satisfies(f"is below {MOST_FAILURES} %", lambda rate: 100 * number(rate or 0.0) < MOST_FAILURES),
        few_wait(),
    )


def few_wait() -> Check:
    return DEPTH.satisfies(f"is below {MOST_WAITING}", lambda jobs: number(jobs) < MOST_WAITING)


def hold(drill: Drill, checks: Sequence[Check], length_s: float) -> None:
    for check in checks:
        drill.throughout(check, for_=length_s)


def age_s(sample: Sample) -> object:
    """How old the newest line was when the log was read. It is infinite for a log without lines."""
    lines = log_lines(sample)
    if lines is None:
        return MISSING
    read_at = time.time() - (time.monotonic() - sample.done_s)
    return min((read_at - at.timestamp() for at, _ in lines), default=float("inf"))


def least_free(drill: Drill) -> float:
    return min(share for host in resources(drill).values() for name, share in host.items() if name.endswith("%"))


def not_accepted(drill: Drill) -> float:
    """The percentage of jobs that were not accepted, of those that were tried in the last extended window."""
    since = max(drill.phase_opened_s(), time.monotonic() - drill.timings.extended_s)
    tried = [each.answered.value for each in drill.load.attempts if each.sent_s >= since]
    if len(tried) < LEAST_VALUES:
        raise CouldNotLookError(f"{len(tried)} jobs were tried, and a share needs {LEAST_VALUES}")
    return 100 * sum(each != "acknowledged" for each in tried) / len(tried)


def times(drill: Drill, at: At) -> list[float]:
    """The times of the answers in the last extended window, in ms."""
    seen = drill.seen(at.latency(), last_s=drill.timings.extended_s)
    return [value for value in seen if isinstance(value, float)]


def percentile(values: Sequence[float], share: float) -> float:
    """A percentile by the nearest rank. Raises CouldNotLookError when there are too few values."""
    if len(values) < LEAST_VALUES:
        raise CouldNotLookError(f"{len(values)} answers, and a percentile needs {LEAST_VALUES}")
    return round(sorted(values)[ceil(share * len(values)) - 1], 1)


def below(subject: str, look: Callable[[], float], limit: float, unit: str) -> Check:
    return looked(subject, look, unit).satisfies(f"is below {limit} {unit}", lambda seen: number(seen) < limit)


def connections(drill: Drill) -> Mapping[str, int]:
    """The number of the database's connections in each state."""
    with sql_connection(drill.inventory.endpoints["database"]) as connection:
        asked = "select coalesce(state, 'of the server'), count(*) from pg_stat_activity group by 1 order by 1"
        return dict(connection.execute(asked).fetchall())
