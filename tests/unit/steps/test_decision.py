"""What the steps of a decision measure, and what the table then says; each is seen saying something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest
from steps import decision, frontend

from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.sample import Sample
from drillbook.model.work_balance import Answered, Attempt
from tests.support.stepdrill import StepDrill
from tests.support.unit import no_answer, sample

pytestmark = pytest.mark.unit


def api(database: str = "up", buffer: int = 0) -> Sample:
    return sample({"components": {"database": {"status": database}}, "buffer": {"size": buffer}}, status=200)


def jobs(accepted: int, others: int) -> Any:
    now = 1e12  # of all windows, whenever the test is run
    tried = [Attempt("j", now, now, Answered.ACKNOWLEDGED)] * accepted + [
        Attempt("j", now, now, Answered.UNKNOWN)
    ] * others
    return SimpleNamespace(attempts=tuple(tried), rate=40.0)


WELL: Mapping[str, Sequence[Sample]] = {
    "api": [api()] * 12,
    "database": [sample(1)] * 3,
    "catalogue": [sample({"items": {}}, status=200, took=0.1)] * 3,
    "queue": [sample({"processing_rate": 40.0}, status=200)] * 6,
    "projects": [sample({"projects": []}, status=200)] * 3,
}
NO_TITLE = [sample({"error": "no such column"}, ok=False, status=500)] * 3
SILENT = [no_answer()] * 12
SLOW_BY_HALF = ("investigate first, then maybe roll back", "P2", "slow-by-half")
PAGE = '<input id="q"><ul id="found"></ul><script src="app.0.js"></script>'
SCRIPT = 'document.querySelector("#q").focus(); document.querySelector(".x"); document.querySelector("#found");'
SAID = {
    "data-corrupted": ("roll back now", "P0"),
    "wrong-display": ("hot fix", "P3"),
    "well": ("nothing", "none"),
}


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the database counts as corrupted, and the files of the page by their names; an exception for no answer."""
    seen: dict[str, Any] = {"corrupted": 0, "": PAGE, "app.0.js": SCRIPT}

    def answer(name: str) -> Any:
        if isinstance(seen[name], Exception):
            raise seen[name]
        return seen[name]

    monkeypatch.setattr(decision, "rows", lambda *_: [(answer("corrupted"),)])
    monkeypatch.setattr(frontend, "ask", lambda _, path="": httpx.Response(200, text=answer(path)))
    return seen


def drill(load: Any = None, **endpoints: Sequence[Sample]) -> Any:
    """A drill that looks alone: what else a step might do is not there."""
    made: Any = StepDrill({**WELL, **endpoints}, before=100.0, load=load or jobs(100, 0))
    made.phase_opened_s = lambda: 0.0
    return made


def slow(latency_ms: float) -> list[Sample]:
    return [sample({"items": {}}, status=200, took=latency_ms / 1000)] * 3


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (drill(), ("nothing", "none", "well")),
        (drill(api=SILENT, catalogue=SILENT, queue=SILENT), ("roll back now", "P0", "api-down")),
        (drill(database=SILENT), ("roll back now", "P0", "database-down")),
        (drill(api=[api("down")] * 12), ("roll back now", "P0", "database-down")),
        (drill(api=[api(buffer=3)] * 12), ("roll back now", "P0", "data-at-risk")),
        (drill(api=[*[api(buffer=3)] * 11, api()]), ("nothing", "none", "well")),  # it was passed through
        (drill(api=[api(buffer=3)] * 5), ("nothing", "none", "well")),  # for less than 2 s
        (drill(jobs(88, 12)), ("quick fix, then roll back", "P1", "many-errors")),
        (drill(jobs(92, 8)), ("investigate first, then maybe roll back", "P1", "some-errors")),
        (drill(catalogue=slow(210.0)), ("investigate first, then maybe roll back", "P2", "twice-as-slow")),
        (drill(catalogue=slow(160.0)), SLOW_BY_HALF),
        (drill(catalogue=slow(125.0)), ("monitor", "P3", "slightly-slow")),
        (drill(projects=slow(125.0)), ("monitor", "P3", "slightly-slow")),
        (drill(catalogue=slow(160.0), projects=slow(125.0)), SLOW_BY_HALF),
        (drill(catalogue=slow(110.0), projects=slow(110.0)), ("nothing", "none", "well")),  # 1.1 times, and not more
        (drill(projects=NO_TITLE), ("roll back now", "P1", "critical-feature-broken")),
        (drill(jobs(88, 12), projects=NO_TITLE), ("quick fix, then roll back", "P1", "many-errors")),
        (drill(projects=[*NO_TITLE, *WELL["projects"]]), ("nothing", "none", "well")),  # it answers now and then
        (drill(projects=[]), ("nothing", "none", "well")),  # nobody has looked
        (drill(queue=[sample({"processing_rate": 0.0}, status=200)] * 6), ("roll back now", "P2", "feature-broken")),
        (drill(catalogue=SILENT), ("roll back now", "P2", "feature-broken")),
    ],
)
def test_what_is_measured_is_decided(made: Any, says: tuple[str, str, str]) -> None:
    what, severity, rule = says
    decision.table_says(made, 20, what, severity, rule)
    assert made.met, made.handed[-1].seen
    assert (made.handed[-1].verb, made.handed[-1].within) == ("decide", 20)
    # the twin: another rule, and another severity, of the same metrics
    for other in ((what, severity, "other"), (what, "P3" if severity != "P3" else "P0", rule)):
        decision.table_says(made, 20, *other)
        assert not made.handed[-1].seen.met
        assert f"{what}, {severity}, by the rule {rule}" in made.handed[-1].seen.observed


@pytest.mark.parametrize(
    ("name", "seen", "rule"),
    [
        ("corrupted", 1, "data-corrupted"),
        ("app.0.js", SCRIPT.replace("#q", "#search"), "wrong-display"),
        ("app.0.js", SCRIPT.replace('"#q"', "'#search'"), "wrong-display"),
        ("", PAGE.replace('id="found"', 'class="found"'), "wrong-display"),
        ("", httpx.ConnectError("refused"), "wrong-display"),
        ("", "<html></html>", "wrong-display"),  # it names no file
    ],
    ids=["rows", "an element", "in other quotes", "a list", "no page", "another page"],
)
def test_what_is_looked_up_besides_is_decided(name: str, seen: object, rule: str, world: dict[str, Any]) -> None:
    world[name] = seen
    made = drill()
    decision.table_says(made, 20, *SAID[rule], rule)
    assert made.met, made.handed[-1].seen


def test_rows_that_cannot_be_counted_decide_nothing(world: dict[str, Any]) -> None:
    world["corrupted"] = psycopg.OperationalError("connection\nrefused")
    made = drill()
    decision.table_says(made, 20, "nothing", "none", "well")
    assert not made.met
    with pytest.raises(CouldNotLookError, match="corrupted rows: connection refused"):
        decision.measured(made)


def test_where_there_is_no_frontend_nobody_looks_at_displays(world: dict[str, Any]) -> None:
    world[""] = httpx.ConnectError("refused")
    made = drill()
    del made.inventory.endpoints["frontend"]
    assert "broken_displays" not in decision.measured(made)


def test_a_critical_feature_that_nobody_has_looked_at_is_not_measured() -> None:
    assert decision.measured(drill())["critical_features_broken"] == 0
    assert "critical_features_broken" not in decision.measured(drill(projects=[]))


@pytest.mark.parametrize(
    ("looks", "measured"),
    [
        ([0] * 12, False),
        ([3, 0], False),
        ([3] * 12, True),
        ([3] * 9, None),  # for less than 2 s: nobody knows whether it is emptied
        ([], None),
    ],
)
def test_work_in_memory_is_judged_by_looks_at_the_memory_alone(looks: Sequence[int], measured: bool | None) -> None:
    silent = [no_answer()] * 4  # a look at the API that is answered by nobody shows no memory
    seen = decision.measured(drill(api=[*silent, *(api(buffer=each) for each in looks)]))
    assert seen.get("data_at_risk") is measured
    assert ("data_at_risk" in seen) is (measured is not None)


@pytest.mark.parametrize(
    ("rates", "measured"),
    [
        ([40.0] * 6, 0),
        ([0.0, 0.0, 40.0], 0),
        ([0.0] * 4, 1),
        ([0.0] * 3, None),  # too few looks to say that nothing is done
        ([], None),
    ],
)
def test_a_feature_that_nobody_has_seen_working_is_not_measured(rates: Sequence[float], measured: int | None) -> None:
    queue = [sample({"processing_rate": each}, status=200) for each in rates] or SILENT
    seen = decision.measured(drill(queue=queue))
    assert seen.get("broken_features") == measured
    assert ("broken_features" in seen) is (measured is not None)
    # a feature that is broken counts, whatever is known of the other
    assert decision.measured(drill(queue=queue, catalogue=SILENT))["broken_features"] == 1 + (measured or 0)


def test_rows_are_not_counted_in_a_database_that_is_away(world: dict[str, Any]) -> None:
    world["corrupted"] = AssertionError("it was asked")
    assert "data_corrupted" not in decision.measured(drill(database=SILENT))


def test_where_the_inventory_counts_nothing_nobody_looks_for_corrupted_rows(world: dict[str, Any]) -> None:
    world["corrupted"] = 1
    made = drill()
    made.inventory.hostvars = {"postgres": {}}
    assert "data_corrupted" not in decision.measured(made)


def test_what_a_person_knows_changes_the_decision() -> None:
    broken = drill(jobs(80, 20))
    decision.table_says_once_known(broken, 20, "roll back now", "P1", "quick_fix_failed")
    assert broken.met
    decision.table_says_once_known(broken, 20, "roll back now", "P1", "can_disable_feature")
    assert not broken.met


def test_a_fact_that_no_table_knows_decides_nothing() -> None:
    made = drill()
    decision.table_says_once_known(made, 20, "nothing", "none", "moon_is_full")
    assert not made.met
    assert "there is no metric 'moon_is_full'" in made.handed[-1].seen.observed


@pytest.mark.parametrize(
    "made",
    [drill(jobs(30, 0)), drill(api=[api()] * 3)],
    ids=["too few jobs", "too few looks"],
)
def test_too_few_looks_decide_nothing(made: Any) -> None:
    with pytest.raises(CouldNotLookError, match="since then"):
        decision.measured(made)
    decision.table_says(made, 20, "nothing", "none", "well")
    assert not made.met


def test_a_short_baseline_counts_as_a_tenth_of_a_second() -> None:
    made = drill(catalogue=slow(90.0))
    made._before = 2.0
    assert decision.measured(made)["response_time_factor"] == 0.9


@pytest.mark.parametrize(("what", "severity"), [("panic", "P0"), ("monitor", "P7")])
def test_words_that_no_table_has_are_refused(what: str, severity: str) -> None:
    with pytest.raises(DrillbookError, match="it is one of"):
        decision.table_says(drill(), 20, what, severity, "well")
