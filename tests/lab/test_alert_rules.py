"""Alert rules over time: pending, firing, resolved, and never by silence."""

from __future__ import annotations

from typing import Any

import pytest

from drillbook_lab.listeners.alerting import rules
from drillbook_lab.listeners.alerting.rules import Change, Rule, Watch, judge

pytestmark = pytest.mark.unit

DOWN = {"x": "down"}
UP = {"x": "up"}


def rule(for_s: float = 3) -> Rule:
    return Rule.from_toml({"name": "r", "title": "R", "look": "x", "is": "down", "for_s": for_s})


def story(one: Rule, *looks: tuple[float, dict[str, Any]]) -> list[tuple[float, bool]]:
    """What is announced when: (time, firing)."""
    watches: tuple[Watch, ...] = (Watch(one),)
    announced = []
    for at, seen in looks:
        watches, changes = judge(watches, seen, at)
        announced += [(at, change.firing) for change in changes]
    return announced


def test_fires_once_when_bad_for_long_enough_and_resolves_once() -> None:
    looks = [(0, DOWN), (2, DOWN), (3, DOWN), (4, DOWN), (5, UP), (6, UP)]
    assert story(rule(), *looks) == [(3, True), (5, False)]


def test_a_short_fault_is_not_announced() -> None:
    assert story(rule(), (0, DOWN), (2, DOWN), (2.5, UP), (4, DOWN), (6, DOWN)) == []


def test_what_cannot_be_seen_neither_fires_nor_resolves() -> None:
    assert story(rule(), (0, DOWN), (3, DOWN), (4, {}), (9, {})) == [(3, True)]
    assert story(rule(), (0, {}), (9, {})) == []


def test_zero_seconds_fire_at_the_first_look() -> None:
    assert story(rule(0), (7, DOWN)) == [(7, True)]


def test_a_rule_without_condition_or_with_a_misspelt_key_is_refused() -> None:
    with pytest.raises(ValueError, match="'r'"):
        Rule.from_toml({"name": "r", "title": "R", "look": "x", "for_s": 1})
    with pytest.raises(ValueError, match="'r'"):
        Rule.from_toml({"name": "r", "title": "R", "look": "x", "is": 1, "fors": 1})


def test_the_packages_own_rules_load_and_have_names_of_their_own() -> None:
    names = [watch.rule.name for watch in rules.load()]
    assert len(set(names)) == len(names)
    assert {"redis_down", "database_down", "api_down", "buffer_full", "jobs_stuck"} <= set(names)


def test_metrics_are_found_by_label_and_missing_figures_are_unknown() -> None:
    text = '# TYPE queue_jobs gauge\nqueue_jobs{state="depth"} 7\nqueue_jobs{state="failed"} NaN\n'
    seen = {"metrics": rules.parse_metrics(text)}
    assert rules.dig(seen, "metrics.queue_jobs{state=depth}") == 7
    assert rules.dig(seen, "metrics.queue_jobs{state=failed}") is rules.UNKNOWN


def test_a_message_is_slacks_shape() -> None:
    sent = rules.message(Change(rule(), True, "down", "timed out"), "#alerts")
    assert sent["channel"] == "#alerts"
    (attachment,) = sent["attachments"]
    assert attachment["color"] == "danger"
    assert "timed out" in attachment["fallback"]
    resolved = rules.message(Change(rule(), False, "up", None), "#alerts")
    assert resolved["attachments"][0]["color"] == "good"
