"""Earlier drills of a scenario: which there were, and back to where they are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drillbook.evidence.files import dumps
from drillbook.evidence.history import MOST, attempts
from drillbook.model.record import AttemptRecord
from drillbook.model.verdict import Outcome
from tests.support.records import CONTROL, TITLE, record, scenario

pytestmark = pytest.mark.unit

FEATURE = "features/redis.feature"


def kept(root: Path, number: int, outcome: Outcome | None, **more: Any) -> None:
    made = record(run_id=f"run {number}", outcome=outcome, reason="so it was", **more)
    folder = root / f"20261122T1200{number:02d}Z-the-network-is-cut-00000{number % 10}/content"
    folder.mkdir(parents=True)
    (folder / "drill.json").write_text(dumps(made.as_json()))


def test_attempts_reach_back_to_the_last_that_passed(tmp_path: Path) -> None:
    for number, outcome in enumerate((Outcome.PASSED, Outcome.PASSED, Outcome.INVALID, None, Outcome.NOT_RECOVERED)):
        kept(tmp_path, number, outcome)
    found = attempts(tmp_path, FEATURE, TITLE)
    assert found[0] == AttemptRecord("run 4", "2026-11-22T12:00:00.000Z", Outcome.NOT_RECOVERED, "so it was")
    assert [each.outcome for each in found] == [Outcome.NOT_RECOVERED, None, Outcome.INVALID, Outcome.PASSED]


def test_controls_other_scenarios_and_what_cannot_be_read_are_none(tmp_path: Path) -> None:
    assert attempts(tmp_path / "nowhere", FEATURE, TITLE) == []
    kept(tmp_path, 1, Outcome.HELD, control=CONTROL)
    kept(tmp_path, 2, Outcome.INVALID, scenario=scenario("The network IS cut"))
    kept(tmp_path, 3, Outcome.INVALID)
    next(tmp_path.glob("*-000003")).joinpath("content/drill.json").write_text("{}")
    assert attempts(tmp_path, FEATURE, TITLE) == []


def test_of_many_the_newest_are_named(tmp_path: Path) -> None:
    for number in range(MOST + 5):
        kept(tmp_path, number, Outcome.INVALID)
    assert [each.run_id for each in attempts(tmp_path, FEATURE, TITLE)] == [f"run {14 - each}" for each in range(MOST)]
