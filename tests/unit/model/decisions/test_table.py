"""A decision table by itself: each row of the source's matrix and flow chart, and what cannot be decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from drillbook.model.decisions.conditions import (
    Condition,
    ConditionError,
    Metric,
    Span,
    Unit,
    checked,
    condition,
    shown,
    value,
)
from drillbook.model.decisions.table import Action, Rule, Severity, Table, UndecidedError, unreachable
from drillbook.repository.decision_table import own

pytestmark = pytest.mark.unit

METRICS = {
    each.name: each
    for each in (
        Metric("errors", Unit.PERCENT),
        Metric("factor", Unit.FACTOR, 1.0),
        Metric("broken", Unit.COUNT, 0),
        Metric("up", Unit.TRUTH, True),
        Metric("p95", Unit.MILLISECONDS),
    )
}


def rule(name: str, *when: str) -> Rule:
    return Rule(name, tuple(condition(each, METRICS) for each in when), Severity.P1, Action.MONITOR, "here")


# ---------------------------------------------------------------- the table that comes with Drillbook

WELL = {"error_rate": 0.0}
SWITCHED = WELL | {"broken_features": 1, "can_disable_feature": True}
NOT_FIXED = WELL | {"response_time_factor": 1.6, "optimisation_failed": True}


OF_THE_SOURCE: list[tuple[Mapping[str, object], str, str, str, float | None]] = [
    # the matrix, row by row
    ({"api_up": False}, "api-down", "P0", "roll back now", 900),
    ({"database_up": False}, "database-down", "P0", "roll back now", 900),
    ({"data_corrupted": True}, "data-corrupted", "P0", "roll back now", 900),
    ({"error_rate": 10.1}, "many-errors", "P1", "quick fix, then roll back", 1800),
    ({"error_rate": 7.5}, "some-errors", "P1", "investigate first, then maybe roll back", 1800),
    (WELL | {"response_time_factor": 2.1}, "twice-as-slow", "P2", "investigate first, then maybe roll back", 3600),
    (SWITCHED, "feature-can-be-switched-off", "P2", "switch the feature off", 3600),
    (WELL | {"broken_displays": 1}, "wrong-display", "P3", "hot fix", 14_400),
    (WELL | {"response_time_factor": 1.2}, "slightly-slow", "P3", "monitor", 14_400),
    # the severity levels and the flow chart, where they say more than the matrix
    ({"data_at_risk": True}, "data-at-risk", "P0", "roll back now", 900),
    ({"error_rate": 10.1, "quick_fix_failed": True}, "many-errors-not-fixed", "P1", "roll back now", 1800),
    (WELL | {"critical_features_broken": 1}, "critical-feature-broken", "P1", "roll back now", 1800),
    (NOT_FIXED, "slow-not-fixed", "P2", "roll back now", 3600),
    (WELL | {"response_time_factor": 1.6}, "slow-by-half", "P2", "investigate first, then maybe roll back", 3600),
    (WELL | {"broken_features": 2}, "feature-broken", "P2", "roll back now", 3600),
    # what the source leaves open: exactly 5 and 10 %, 1 to 5 %, and nothing at all
    ({"error_rate": 10.0}, "some-errors", "P1", "investigate first, then maybe roll back", 1800),
    ({"error_rate": 5.0}, "some-errors", "P1", "investigate first, then maybe roll back", 1800),
    ({"error_rate": 4.9}, "few-errors", "P3", "monitor", 14_400),
    (WELL | {"response_time_factor": 2.0}, "slow-by-half", "P2", "investigate first, then maybe roll back", 3600),
    (WELL, "well", "none", "nothing", None),
]  # fmt: skip
"""What is known; the rule that fires, its severity, decision and limit."""


@pytest.mark.parametrize(("known", "fired", "severity", "decision", "within_s"), OF_THE_SOURCE)
def test_each_row_of_the_source(
    known: Mapping[str, object], fired: str, severity: str, decision: str, within_s: float | None
) -> None:
    decided = own().decide(known)
    assert (decided.rule.id, decided.rule.severity, decided.rule.decision, decided.rule.within_s) == (
        *(fired, severity, decision),
        within_s,
    )
    assert decided.metrics == known
    assert decided.assumed.keys().isdisjoint(known)
    assert str(decided) == f"{decision}, {severity}, by the rule {fired}"


def test_each_rule_of_the_table_fires_in_a_test_above() -> None:
    assert {fired for _, fired, *_ in OF_THE_SOURCE} == {each.id for each in own().rules}


def test_what_is_decided_is_plain_json() -> None:
    told = own().decide({"error_rate": 12.0}).as_json()
    assert told["rule"] == "many-errors"
    assert told["when"] == ["error_rate > 10 %"]
    assert told["metrics"] == {"error_rate": 12.0}
    assert told["assumed"]["api_up"] is True


def test_a_rule_that_needs_what_nobody_knows_is_neither_taken_nor_passed_over() -> None:
    with pytest.raises(UndecidedError, match="error_rate is not known, and the rule 'many-errors' needs it"):
        own().decide({"broken_features": 1})
    # one that cannot hold whatever it is needs no answer
    assert own().decide({"broken_features": 1, "error_rate": 0}).rule.id == "feature-broken"


def test_a_table_without_a_last_rule_decides_nothing() -> None:
    with pytest.raises(UndecidedError, match="no rule fits"):
        Table("t", METRICS, (rule("a", "up is no"),)).decide({})


# ---------------------------------------------------------------- conditions and values


@pytest.mark.parametrize(
    ("text", "holds", "not_so"),
    [
        ("errors > 10 %", 10.1, 10.0),
        ("errors >= 10 %", 10.0, 9.9),
        ("errors < 1 %", 0.9, 1.0),
        ("errors <= 1 %", 1.0, 1.1),
        ("factor > 2 x", 2.1, 2.0),
        ("broken >= 1", 1, 0),
        ("broken > 1", 2, 1),
        ("broken < 1", 0, 1),
        ("p95 > 300 ms", 301, 300),
        ("up is no", False, True),
        ("up is yes", True, False),
    ],
)
def test_a_condition_holds_and_does_not(text: str, holds: float, not_so: float) -> None:
    found = condition(text, METRICS)
    assert (found.span.holds(holds), found.span.holds(not_so)) == (True, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("error > 1 %", "there is no metric 'error': known are errors, factor"),
        ("errors > 10", "'errors > 10': errors is counted in %, not without one"),
        ("errors > 10 ms", "errors is counted in %, not in ms"),
        ("broken > 1 x", "broken is counted without a unit, not in x"),
        ("broken > 1.5", "broken is a whole number, 0 or more"),
        ("errors > 120 %", "errors is between 0 and 100 %"),
        ("errors > 100 %", "'errors > 100 %' is never so"),
        ("errors is yes", "errors is counted in %, and is neither yes nor no"),
        ("up > 0", "up is yes or no: write 'up is yes'"),
        ("errors == 3 %", "'errors == 3 %' is no condition: write 'METRIC > NUMBER UNIT'"),
        ("__import__('os')", "is no condition"),
        ("errors > 10 % or up is no", "is no condition"),
        ("", "'' is no condition"),
    ],
)
def test_what_is_no_condition_is_said_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ConditionError) as error:
        condition(text, METRICS)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "found", "told"),
    [
        ("errors", "12", 12.0, "12 %"),
        ("errors", "12.5 %", 12.5, "12.5 %"),
        ("broken", "2", 2.0, "2"),
        ("factor", "3x", 3.0, "3 x"),
        ("up", "no", False, "no"),
        ("up", "yes", True, "yes"),
    ],
)
def test_a_value_as_a_person_gives_it(name: str, text: str, found: object, told: str) -> None:
    given = value(METRICS[name], text)
    assert given == found
    assert shown(METRICS[name], given) == told


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("up", "1", "'up=1': it is yes or no"),
        ("errors", "many", "'errors=many': it is a number, in %"),
        ("errors", "-1", "it is a number"),
        ("errors", "nan", "it is a number"),
        ("errors", "101", "errors is between 0 and 100 %"),
        ("errors", "3 ms", "errors is counted in %, not in ms"),
        ("broken", "1.5", "broken is a whole number, 0 or more"),
    ],
)
def test_a_value_that_is_none_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(ConditionError) as error:
        value(METRICS[name], text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("up", 1, "up is 1, and has to be true or false"),
        ("errors", True, "errors is True, and has to be a number, in %"),
        ("errors", None, "has to be a number"),
        ("errors", float("nan"), "errors is nan, and has to be between 0 and 100 %"),
        ("errors", 101, "errors is 101, and has to be between 0 and 100 %"),
        ("factor", -1.0, "factor is -1, and has to be 0 or more"),
        ("broken", 2.5, "broken is 2.5, and has to be a whole number, 0 or more"),
        ("broken", float("inf"), "broken is inf, and has to be a whole number, 0 or more"),
    ],
)
def test_a_measured_value_of_another_kind_is_refused(name: str, given: Any, said: str) -> None:
    with pytest.raises(ConditionError) as error:
        checked(METRICS[name], given)
    assert said in str(error.value)


# ---------------------------------------------------------------- rules that can never fire


BOTH = rule("a", "errors > 5 %", "up is yes"), rule("b", "errors > 5 %", "up is no")


@pytest.mark.parametrize(
    ("rules", "dead"),
    [
        ([rule("a", "errors > 10 %"), rule("b", "errors > 5 %"), rule("c")], []),
        ([rule("a", "errors > 5 %"), rule("b", "errors > 10 %"), rule("c")], ["b"]),
        ([rule("a", "errors > 5 %", "errors < 3 %"), rule("c")], ["a"]),
        ([rule("a", "errors > 5 %"), rule("b", "errors <= 5 %"), rule("c")], ["c"]),
        ([rule("a", "errors > 5 %"), rule("b", "errors < 5 %"), rule("c")], []),  # exactly 5 % is left
        ([rule("a", "up is yes"), rule("b", "up is no"), rule("c")], ["c"]),
        ([rule("a", "broken > 1"), rule("b", "broken < 1"), rule("c", "broken > 1", "up is no"), rule("d")], ["c"]),
        ([rule("a", "broken > 1"), rule("b", "broken < 2"), rule("c")], ["c"]),  # there is nothing between 1 and 2
        ([rule("a", "up is no"), rule("b", "errors > 5 %"), rule("c", "errors > 5 %", "up is yes"), rule("d")], ["c"]),
        # only both of them together leave nothing
        ([*BOTH, rule("c", "errors > 7 %"), rule("d")], ["c"]),
        ([rule("a"), rule("b")], ["b"]),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_fire_is_found(rules: list[Rule], dead: list[str]) -> None:
    assert [each.id for each in unreachable(rules)] == dead


def test_a_span_without_another() -> None:
    assert list(Span(0, 10).without(Span(3, 5, low_open=True))) == [Span(0, 3), Span(5, 10, low_open=True)]
    assert list(Span(0, 10).without(Span(0, 10))) == []
    assert Condition(METRICS["up"], Span(1, 1), "up is yes").span.holds(True)
