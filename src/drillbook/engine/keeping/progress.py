"""How far a drill came, according to its record. A pure function: the verdict depends only on the record."""

from __future__ import annotations

from collections.abc import Set

from drillbook.model.phases import Phase
from drillbook.model.record import SECOND_RECOVERY, Record, Role, StepRecord, UndoState
from drillbook.model.tags import NOT_REPEATABLE
from drillbook.model.verdict import Progress


def progress(record: Record, recovered: Set[int], told: Set[int], *, restored: bool) -> Progress:
    """How far the drill came.

    `recovered` and `told` are the numbers of the recovery steps that did one or the other. `restored`: the restore has
    run; before it, a good one is assumed.
    """

    def met(phase: Phase) -> int:
        # a bound holds with and without the incident, so it shows neither the incident nor its end
        bounds = () if phase in (Phase.SYMPTOMS, Phase.CRITERIA) else (Role.BOUND,)
        counts = (Role.EVIDENCE, *bounds)
        return sum(check.met and check.phase is phase and check.role in counts for check in record.checks)

    def steps(phase: Phase) -> list[StepRecord]:
        return [step for step in record.steps if step.phase is phase]

    return Progress(
        steps_planned=len(record.steps),
        steps_passed=sum(step.status == "passed" for step in record.steps),
        baseline_checks=met(Phase.BASELINE),
        faults_begun=sum(step.status not in {"planned", "left out"} for step in steps(Phase.FAULT)),
        faults_injected=len({fault.step for fault in record.faults if fault.took_effect}),
        symptom_checks=met(Phase.SYMPTOMS),
        recoveries_planned=len(steps(Phase.RECOVERY)),
        # telling people alone recovers nothing
        recoveries_done=len(recovered | told) if recovered else 0,
        criterion_checks=met(Phase.CRITERIA),
        undo_open=sum(fault.undo in {"pending", "failed"} for fault in record.faults) if restored else 0,
        cleanup_open=restored and record.cleanup in {UndoState.PENDING, UndoState.FAILED},
        baseline_again=met(Phase.RESTORE) if restored else 1,
        recoveries_repeated=len(again := [play for play in record.plays if play.purpose == SECOND_RECOVERY]),
        recoveries_changed_again=sum(play.changed for play in again),
        not_repeatable=NOT_REPEATABLE in record.scenario.tags,
    )
