"""A drill that is over is shown as it was when it ran."""

from __future__ import annotations

import pytest

from drillbook.evidence.reader import read_record
from drillbook.evidence.render.shown import summary
from drillbook.model.phases import Phase
from drillbook.model.record import FaultRecord, StepRecord, StepStatus, UndoState
from tests.support import ROOT, records
from tests.unit.evidence.test_reader import OLD, RECORDS

pytestmark = pytest.mark.unit

EXAMPLE = ROOT / "tests/data/drill_example"


def test_steps_verdict_times_and_work_stand_in_their_order() -> None:
    told = summary(read_record(EXAMPLE), "evidence/it")
    assert told[:4] == [
        "Redis outage: The network between the API and Redis is cut",
        "  features/redis_outage.feature:14 on lab, P0, RTO 10 min",
        "  baseline",
        "    ✓ Given the system is healthy  4.05 s",
    ]
    assert "      Redis' own latency: 0.35 ms" in told
    assert told[told.index("  restore") + 1] == "    ✓ network_cut is undone and proven gone"
    assert "  PASSED: recovered in 29.5 s of an RTO of 600 s" in told
    assert "    work: 731 acknowledged, 146 refused, 2 unanswered; 0 lost, 0 duplicated" in told
    assert told[-1] == "    evidence: evidence/it"


@pytest.mark.parametrize("name", OLD)
def test_what_earlier_versions_wrote_is_shown(name: str) -> None:
    record = read_record(RECORDS / name)
    ended = "no verdict: " if record.outcome is None else f"{record.outcome}: {record.reason}"
    assert any(line.startswith(f"  {ended}") for line in summary(record, "it"))


def test_a_drill_under_way_has_no_verdict_and_no_answer_moves_the_cursor() -> None:
    steps = [
        StepRecord(1, "Given", "it is \x1b[2Jwell", 2, Phase.BASELINE, StepStatus.PASSED, 0.0, 1.0),
        StepRecord(2, "When", "it breaks", 3, Phase.FAULT, StepStatus.RUNNING, 1.0),
        StepRecord(3, "Then", "it is down", 4, Phase.SYMPTOMS),
    ]
    fault = FaultRecord("cut", {}, "e1", undo=UndoState.FAILED, undo_problem="no host answers")
    told = summary(records.record(steps=steps, faults=[fault], control=records.CONTROL), "it")
    assert told == [
        "Redis fails over: The network is cut",
        "  features/redis.feature:14 on lab, RTO 60 s",
        "  control no-fault: nothing is broken: the symptoms must not be observed",
        "  baseline",
        "    ✓ Given it is \\x1b[2Jwell  1 s",
        "  restore",
        "    ✗ cut is NOT undone: no host answers",
        "  no verdict: the drill is under way in 'When it breaks', or was killed and is not closed yet",
        "    evidence: it",
    ]
