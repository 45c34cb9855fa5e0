"""What an observation may hold, and that it stays what it was."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.render.terminal import lines, observation
from drillbook.model.json_values import json_value
from drillbook.model.phases import Phase
from drillbook.model.record import ObservationRecord, to_plain
from drillbook.repository.plan.planning_drill import PlanningDrill

pytestmark = pytest.mark.unit


class Word(StrEnum):
    OPEN = "open"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("text", "text"),
        (7, 7),
        (0.0004, 0.0004),
        (True, True),
        (None, None),
        (Word.OPEN, "open"),
        ((1, [2, {"a": None}]), [1, [2, {"a": None}]]),
    ],
)
def test_json_is_kept(value: object, kept: object) -> None:
    assert json_value("it", value) == kept
    record = ObservationRecord(Phase.SYMPTOMS, 1, "it", json_value("it", value), "", 1.23456)
    assert to_plain(record)["value"] == kept
    assert to_plain(record)["at_s"] == 1.235


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b"bytes", "a bytes"),
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "a datetime"),
        ([{1: "one"}], "names are not all texts"),
        ({1, 2}, "a set"),
        (math.nan, "nan, which JSON does not have"),
        ([math.inf], "inf, which JSON does not have"),
        (lambda: 1, "a function"),
    ],
)
def test_anything_else_is_refused_by_name(value: object, what: str) -> None:
    with pytest.raises(DrillbookError, match=rf"the observation of 'the depth' holds .*{what}"):
        json_value("the depth", value)
    with pytest.raises(DrillbookError, match="the observation of 'the depth' holds"):
        PlanningDrill().observe("the depth", value)


def test_what_is_changed_later_was_seen_as_it_was() -> None:
    seen: list[int] = [1]
    kept = json_value("it", seen)
    seen.append(2)
    assert kept == [1]


def test_a_plan_says_what_would_be_observed() -> None:
    drill = PlanningDrill()
    drill.observe("the queue's depth", 0, "jobs")
    drill.observe("what the recovery did", drill.recover("redis/start"))
    assert drill.notes == ["observes the queue's depth (jobs)", "observes what the recovery did"]


@pytest.mark.parametrize(
    ("value", "unit", "line"),
    [
        (12, "jobs", "depth: 12 jobs"),
        ("as\n  it is", "", "depth: as it is"),
        ({"wait": 3}, "", 'depth: {"wait": 3}'),
        ("x" * 200, "", f"depth: {'x' * 160}..."),
    ],
)
def test_the_terminal_shows_it_in_one_line(value: object, unit: str, line: str) -> None:
    assert observation({"subject": "depth", "value": value, "unit": unit}) == line


def test_it_stands_below_its_step() -> None:
    seen: dict[str, Any] = {"subject": "depth", "value": 12, "unit": "jobs"}
    event = {"event": "done", "status": "passed", "text": "Then x", "duration_s": 1, "observations": [seen]}
    assert lines(event) == ["    ✓ Then x  1 s", "      depth: 12 jobs"]
