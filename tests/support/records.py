"""Records of drills with as much in them as a test is about."""

from __future__ import annotations

from typing import Any

from drillbook.model.control import ControlKind
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import (
    CheckRecord,
    ControlRecord,
    EnvironmentRecord,
    FeatureRecord,
    PlayRecord,
    Purpose,
    Record,
    ScenarioRecord,
    WorkRecord,
)
from drillbook.model.times.timeline import Event

TITLE = "The network is cut"
CONTROL = ControlRecord("no-fault", ControlKind.NO_FAULT, None, "as the feature states", None)


def feature(path: str = "features/redis.feature") -> FeatureRecord:
    return FeatureRecord("Redis fails over", path, 14, "9b1f6f2b")


def scenario(name: str = TITLE, *tags: str, description: str = "") -> ScenarioRecord:
    return ScenarioRecord(name, None, sorted(tags), [], description)


def record(**more: Any) -> Record:
    """A record as it is before the first step. `more` are fields to set."""
    values: dict[str, Any] = {
        "run_id": "0123456789abcdef",
        "title": TITLE,
        "feature": feature(),
        "scenario": scenario(),
        "environment": EnvironmentRecord("lab", "lab"),
        "inventory": "inventories/lab",
        "harness": {"python": "3.11"},
        "git": {},
        "process": 42,
        "started_at": "2026-11-22T12:00:00.000Z",
        "objectives": Objectives(60.0, Event.FAULT_INJECTED, None),
    }
    return Record(**(values | more))


def check(step: int, phase: Phase, *, name: str = "it", observed: str = "so", **more: Any) -> CheckRecord:
    return CheckRecord(step, phase, name, "api", "so", observed, **({"met": True} | more))


def play(purpose: Purpose, *tasks: dict[str, Any]) -> PlayRecord:
    return PlayRecord(1, purpose, "a.yml", {}, 0.5, 1.5, "successful", 0, True, [], {}, list(tasks))


def work(acknowledged: int = 40, *, lost: int = 0, accepted_lost: int | None = None) -> WorkRecord:
    return WorkRecord(
        attempted=acknowledged,
        acknowledged=acknowledged,
        refused=0,
        unknown=0,
        completed=acknowledged - lost,
        lost_count=lost,
        duplicated_count=0,
        unexpected_count=0,
        recovered_count=0,
        skipped=0,
        lost=[],
        duplicated=[],
        unexpected=[],
        rates=[],
        accepted_lost=accepted_lost,
    )
