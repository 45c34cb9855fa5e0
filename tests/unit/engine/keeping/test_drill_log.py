"""The times in a record do not contradict its verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.render.terminal import times_line
from drillbook.evidence.writer import Recorder
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import FaultRecord, UndoState, to_plain
from drillbook.model.times.clock import Anchor
from drillbook.model.times.timeline import Event, Moment
from drillbook.model.verdict import FindingKind
from drillbook.target.probing.prober import Prober
from tests.support.records import check, record

pytestmark = pytest.mark.unit

FAILED, UNKNOWN, ABORTED = FindingKind.FAILED, FindingKind.UNKNOWN, FindingKind.ABORTED


def log_of(tmp_path: Path, *, after_s: float = 10.0) -> DrillLog:
    """A drill of which every criterion held, so long after its fault."""
    phases = (Phase.BASELINE, Phase.SYMPTOMS, Phase.CRITERIA, Phase.RESTORE)
    kept = record(
        checks=[check(number, phase) for number, phase in enumerate(phases, start=1)],
        faults=[FaultRecord("cut", {}, "entry", UndoState.GONE, took_effect=True)],
    )
    objectives = Objectives(60.0, Event.FAULT_INJECTED, None)
    log = DrillLog(Anchor(), kept, Recorder(tmp_path / "run", kept, Redactor(), lambda _event: None), objectives)
    log.recovered_steps.add(2)
    begun_s = log.anchor.mono_s
    for event, at_s in ((Event.FAULT_INJECTED, 0), (Event.RECOVERED, after_s), (Event.STABLE, after_s + 1)):
        log.mark(event, Moment(begun_s + at_s))
    return log


def close(log: DrillLog) -> str:
    verdict = log.judge(restored=True)
    log.close(verdict, Prober({}), None, {})
    return verdict.outcome


def events(log: DrillLog) -> list[str]:
    return [each.event for each in log.record.timeline]


@pytest.mark.parametrize(
    ("phase", "kind", "outcome"),
    [
        (Phase.CRITERIA, FAILED, "NOT_RECOVERED"),
        (Phase.CRITERIA, UNKNOWN, "INVALID"),
        (Phase.FAULT, FAILED, "INVALID"),
        (Phase.CRITERIA, ABORTED, "ABORTED"),
    ],
)
def test_what_came_to_light_after_the_criteria_withdraws_the_recovery(
    phase: Phase, kind: FindingKind, outcome: str, tmp_path: Path
) -> None:
    log = log_of(tmp_path)
    log.find(phase, kind, "3 jobs are lost")
    assert close(log) == outcome
    times = log.record.times
    assert events(log) == [Event.FAULT_INJECTED]
    assert (times.recover_s, times.recover_uncertainty_s, times.rto_met) == (None, None, None)
    assert "recovered" not in times_line(to_plain(times))
    assert log.record.overhead is not None and log.record.overhead.in_recover_s is None


def test_a_late_recovery_is_one(tmp_path: Path) -> None:
    log = log_of(tmp_path, after_s=70.0)
    assert close(log) == "NOT_RECOVERED"
    assert (log.record.times.recover_s, log.record.times.rto_met) == (70.0, False)
    assert Event.RECOVERED in events(log)


def test_what_was_not_put_back_has_recovered_all_the_same(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.find(Phase.RESTORE, FAILED, "the fault 'cut' was not undone")
    assert close(log) == "NOT_RESTORED"
    assert log.record.axes["recovered"].holds
    assert (log.record.times.recover_s, log.record.times.rto_met) == (10.0, True)


def test_a_verdict_that_is_taken_back_takes_the_recovery_with_it(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert close(log) == "PASSED"
    log.find(Phase.CRITERIA, UNKNOWN, "a fixture failed after the drill")
    log.amend(log.judge(restored=True))
    assert log.record.outcome == "INVALID"
    assert Event.RECOVERED not in events(log)
    assert (log.record.times.recover_s, log.record.times.rto_met) == (None, None)
