"""Each rung of the ladder is met by a system that is well, and by no other; and the state is written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest
from steps import ladder

from drillbook.errors import CouldNotLookError
from drillbook.model.times.sample import Sample
from drillbook.model.work_balance import Answered, Attempt
from tests.support.stepdrill import RECOVERY_S, Said, StepDrill
from tests.support.unit import no_answer, sample

pytestmark = pytest.mark.unit

FREE = (
    "       total used free shared buff/cache available\n"
    "Mem: {total} 1 1 1 1 {free}\nSwap: 0 0 0\n"
    "Filesystem 1-blocks Used Available Capacity Mounted on\n/dev/x 1000 1 {disk} 1% /\n"
    "0.50 0.40 0.30 1/99 4242\n"
)
SOON = timedelta(seconds=0.2)
LATER = 1e12
"""Of all windows, whenever the test is run."""


def hosts(free: int = 500, disk: int = 500) -> dict[str, Said]:
    return {ladder.RESOURCES: Said(FREE.format(total=1000, free=free, disk=disk))}


def api(status: str = "ok", errors: float | None = 0.0, version: str = "1.4.2") -> Sample:
    return sample({"status": status, "requests": {"error_rate": errors}, "version": version}, status=200)


def queue(depth: int = 3, error_rate: float | None = 0.0) -> Sample:
    return sample({"depth": depth, "error_rate": error_rate, "processing_rate": 40.0}, status=200)


def log(*ages: timedelta) -> Sample:
    now = time.monotonic()
    lines = [{"at": (datetime.now(UTC) - age).isoformat(), "kind": "timeout"} for age in ages]
    return sample({"logs": lines}, status=200, at=now, took=0.0)


def item(value: int = 1, took: float = 0.01) -> Sample:
    return sample({"items": {"item-1": {"value": value}}}, status=200, took=took)


WELL: Mapping[str, Sequence[Sample]] = {
    "api": [api()] * 3,
    "queue": [queue()] * 3,
    "catalogue": [item()] * 20,
    "database": [sample(1, took=0.01)] * 20,
    "redis": [sample({"role": "master"})] * 3,
    "error log": [log(timedelta(minutes=5)), log()],
    "cache": [sample({"hit_rate": 0.9}, status=200)] * 3,
}
ENDPOINTS = list(WELL)


def work(accepted: int = 100, others: int = 0, done: Sequence[str] = ("j1",)) -> Any:
    tried = [Attempt("j1", LATER, LATER, Answered.ACKNOWLEDGED)] * accepted
    tried += [Attempt("j2", LATER, LATER, Answered.UNKNOWN)] * others
    return SimpleNamespace(attempts=tuple(tried), completed=lambda: dict.fromkeys(done, 1), rate=40.0)


def drill(load: Any = None, shell: Mapping[str, Said] | None = None, **endpoints: Sequence[Sample]) -> StepDrill:
    named = {name.replace("_", " "): samples for name, samples in endpoints.items()}
    made = StepDrill({**WELL, **named}, load=load or work(), shell=shell or hosts(), last_before="1.4.1")
    made.phase_opened_s = lambda: RECOVERY_S  # type: ignore[method-assign]
    return made


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "right_values", lambda _: {"item-1": 1})
    monkeypatch.setattr(ladder, "connections", lambda _: {"idle": 3})
    monkeypatch.setattr(ladder, "statements", lambda _: FAST)


BEFORE = {"1": (1000, 9000.0, "SELECT name FROM projects")}
FAST = {"1": (1010, 9100.0, "SELECT name FROM projects"), "2": (4, 9000.0, "SELECT pg_sleep($1)")}
NOBODY = [no_answer()] * 3
NO_IMMEDIATE = {
    "the API calls itself degraded": {"api": [api(), api("degraded"), api()]},
    "the API is silent for a moment": {"api": [api(), no_answer(), api()]},
    "look-ups fail": {"catalogue": NOBODY},
    "the queue cannot be counted": {"queue": NOBODY},
    "the database is silent": {"database": NOBODY},
    "Redis is silent": {"redis": NOBODY},
    "there is a new error": {"error_log": [log(SOON)]},
    "the log cannot be read": {"error_log": NOBODY},
}
NO_STEADY = {
    "1 % of the requests fail": {"api": [api(errors=0.01)]},
    "2 % of the jobs fail": {"queue": [queue(error_rate=0.02)]},
    "50 jobs wait": {"queue": [queue(depth=50)]},
}


@pytest.mark.parametrize(
    ("rung", "length"),
    [
        (ladder.immediate_checks_hold, 5),
        (ladder.extended_checks_hold, 10),
        (ladder.system_stays_well, 15),
        (ladder.system_is_well_a_day_later, 20),
    ],
)
def test_a_rung_watches_for_as_long_as_the_inventory_says(rung: Callable[[Any], None], length: float) -> None:
    made = drill()
    rung(made)
    assert made.met, [each for each in made.handed if not each.seen.met]
    assert {each.length for each in made.handed if each.verb == "throughout"} == {length}


def refused(rung: Callable[[Any], None], made: StepDrill) -> int:
    rung(made)
    return sum(not each.seen.met for each in made.handed)


@pytest.mark.parametrize("wrong", NO_IMMEDIATE)
def test_each_immediate_check_is_seen_failing(wrong: str) -> None:
    assert refused(ladder.immediate_checks_hold, drill(**NO_IMMEDIATE[wrong])) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rung", [ladder.extended_checks_hold, ladder.system_stays_well, ladder.system_is_well_a_day_later]
)
@pytest.mark.parametrize("wrong", NO_STEADY)
def test_each_further_check_is_seen_failing(wrong: str, rung: Callable[[Any], None]) -> None:
    assert refused(rung, drill(**NO_STEADY[wrong])) == 1  # type: ignore[arg-type]
    assert refused(ladder.immediate_checks_hold, drill(**NO_STEADY[wrong])) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", [hosts(free=40), hosts(disk=40), {ladder.RESOURCES: Said("free: not found\n")}])
def test_a_host_that_is_full_or_does_not_tell_is_refused(shell: Mapping[str, Said]) -> None:
    assert refused(ladder.extended_checks_hold, drill(shell=shell)) == 1


def test_no_failure_rate_where_nothing_ended_is_no_failure() -> None:
    assert refused(ladder.extended_checks_hold, drill(queue=[queue(error_rate=None)])) == 0


@pytest.mark.parametrize(
    ("made", "failing"),
    [
        (drill(), 0),
        (drill(catalogue=[item(value=2)] * 20), 1),
        (drill(catalogue=NOBODY), 2),
        (drill(work(done=())), 1),
        (drill(work(accepted=0)), 1),
    ],
    ids=["well", "a wrong item", "no item", "no job is done", "no job was accepted"],
)
def test_what_users_do_is_done_once(made: StepDrill, failing: int) -> None:
    assert refused(ladder.functional_checks_pass, made) == failing
    assert {each.verb for each in made.handed} == {"bound"}


@pytest.mark.parametrize(
    ("made", "failing"),
    [
        (drill(), 0),
        (drill(work(99, 1)), 1),
        (drill(work(19)), 1),
        (drill(catalogue=[item(), *[item(took=0.3)] * 19]), 1),
        (drill(database=[sample(1, took=0.1)] * 20), 1),
        (drill(queue=[queue(depth=50)]), 1),
        (drill(cache=[sample({"hit_rate": 0.7}, status=200)]), 1),
        (drill(cache=[sample({"hit_rate": None}, status=200)]), 1),
    ],
    ids=["well", "1 %", "too few jobs", "p95 of 300 ms", "queries of 100 ms", "50 wait", "70 % hits", "no look-ups"],
)
def test_each_metric_is_seen_off_its_target(made: StepDrill, failing: int) -> None:
    assert refused(lambda drill: ladder.metrics_are_on_target(drill, BEFORE), made) == failing
    assert made.observed["connections of the database"] == {"idle": 3}


@pytest.mark.parametrize(
    ("now", "seen"),
    [
        # its mean since its creation is 9 ms, and since the immediate checks it is 120 ms
        ({"1": (1010, 9000.0 + 1200.0, "SELECT name FROM projects")}, (120.0, 10, "SELECT name FROM projects")),
        ({**FAST, "2": (5, 500.0, "SELECT pg_sleep($1)")}, (100.0, 5, "SELECT pg_sleep($1)")),
        ({"1": (5, 600.0, "SELECT name FROM projects")}, (120.0, 5, "SELECT name FROM projects")),  # it counts anew
    ],
)
def test_a_slow_statement_is_off_its_target(
    now: Mapping[str, Any], seen: tuple[float, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "statements", lambda _: now)
    made = drill()
    ladder.statements_are_fast(made, BEFORE)  # type: ignore[arg-type]
    assert not made.met
    assert str(seen) in made.handed[0].seen.observed
    fast: Any = drill()
    monkeypatch.setattr(ladder, "statements", lambda _: FAST)
    ladder.statements_are_fast(fast, BEFORE)
    assert fast.met
    assert fast.observed["the slowest statements since the immediate checks"] == [
        "10.0 ms, 10 calls: SELECT name FROM projects"
    ]


@pytest.mark.parametrize("now", [BEFORE, {}, None], ids=["nothing was called", "it counts anew", "it is gone"])
def test_statements_that_nobody_calls_are_not_fast(now: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "statements", lambda _: now)
    made = drill()
    ladder.statements_are_fast(made, BEFORE)  # type: ignore[arg-type]
    assert not made.met
    assert "no statement was called 5 times" in made.handed[0].seen.observed


def test_a_database_that_counts_no_statements_is_written_down_as_that() -> None:
    made = drill()
    ladder.statements_are_fast(made, None)  # type: ignore[arg-type]
    assert made.handed == []
    assert "no pg_stat_statements" in str(made.observed["the slowest statements since the immediate checks"])


def test_a_statement_that_may_hold_a_secret_is_shown_by_its_first_word() -> None:
    assert ladder.shown("ALTER ROLE app PASSWORD 'x'") == "ALTER"
    assert ladder.shown("select\n  name from projects") == "select name from projects"
    assert ladder.shown("") == "hidden"


@pytest.mark.parametrize(
    ("made", "failing"),
    [
        (drill(), 0),
        (drill(**NO_IMMEDIATE["the log cannot be read"]), 2),  # type: ignore[arg-type]
        (drill(work(done=())), 1),
        (drill(**NO_STEADY["50 jobs wait"]), 2),  # type: ignore[arg-type]
        (drill(cache=[sample({"hit_rate": 0.7}, status=200)]), 1),
    ],
    ids=["well", "immediate, and again extended", "functional", "extended and metrics", "metrics"],
)
def test_each_rung_of_the_whole_ladder_is_seen_failing(
    made: StepDrill, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = chain([BEFORE], repeat(FAST))
    monkeypatch.setattr(ladder, "statements", lambda _: next(counted))
    assert refused(ladder.every_rung_holds, made) == failing


def test_a_percentile_is_that_of_the_nearest_rank_and_needs_twenty() -> None:
    assert ladder.percentile(list(range(1, 101)), 0.95) == 95
    assert ladder.percentile([1.0] * 19 + [9.0], 0.95) == 1.0
    with pytest.raises(CouldNotLookError, match="19 answers, and a percentile needs 20"):
        ladder.percentile([1.0] * 19, 0.95)


# ---------------------------------------------------------------- before anything is changed


def test_the_state_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "versions", lambda _: {"api-1": {"version": "1.5.0", "commit": "abc"}})
    monkeypatch.setattr(ladder, "rows", lambda _: {"public.items": 100})
    monkeypatch.setattr(ladder, "size_mb", lambda _: 8.04)
    made = drill()
    ladder.state_is_written_down(made)  # type: ignore[arg-type]
    assert made.met
    seen = made.observed
    assert seen["the version that answers"] == {"api-1": {"version": "1.5.0", "commit": "abc"}}
    assert seen["the last version that was well"] == "1.4.1"
    assert seen["requests that fail, as users see it"] == "0.0 %"
    assert seen["requests that fail, as the API counts them"] == "0.0 %"
    assert seen["lines of the error log"] == 0
    assert seen["rows of the database"] == {"public.items": 100}
    assert seen["the size of the database"] == "8.0 MB"
    assert seen["resources of api-1"] == {"memory that is free, %": 50.0, "disk that is free, %": 50.0, "load": 0.5}


def test_the_commits_are_written_down_where_releases_come_from_git(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"drillbook_release_repository": "/srv/p.git", "drillbook_release_stable": "abc"}
    said = {"git -C /srv/p.git log --oneline -5 --all": Said("abc good\ndef bad\n")}
    made: Any = drill(shell=said)
    assert ladder.told_releases(made) == {}
    made.inventory.hostvars["api-1"] = known
    assert ladder.told_releases(made) == {
        "the last commits": ["abc good", "def bad"],
        "the release that is stable": "abc",
    }


def test_whoever_does_not_answer_is_written_down_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> object:
        raise CouldNotLookError("connection refused")

    for name in ("versions", "rows", "size_mb"):
        monkeypatch.setattr(ladder, name, away)
    made = drill(api=NOBODY, queue=NOBODY, error_log=NOBODY)
    ladder.state_is_written_down(made)  # type: ignore[arg-type]
    assert made.met, "that the API is down is no reason not to write"
    assert made.observed["the version that answers"] == "not known: connection refused"
    assert made.observed["lines of the error log"] == "nothing"


def test_a_host_that_does_not_tell_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("versions", "rows", "size_mb"):
        monkeypatch.setattr(ladder, name, lambda _: 1)
    made = drill(shell={ladder.RESOURCES: Said("")})
    ladder.state_is_written_down(made)  # type: ignore[arg-type]
    assert not made.met
    assert "said something else" in made.handed[0].seen.observed
