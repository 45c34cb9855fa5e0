"""The verdict of a control: did it make a difference to take this away?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drillbook.model.control import REPEATED, Control, ControlKind
from drillbook.model.phases import Phase
from drillbook.model.record import CheckRecord, Role, StepRecord
from drillbook.model.tags import NOT_REPEATABLE
from drillbook.model.verdict import (
    Axis,
    Finding,
    FindingKind,
    Outcome,
    Progress,
    Verdict,
    not_restored,
    nothing_proven,
    restored_axis,
)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a control showed, before anybody asks whether it was stopped and put back."""

    outcome: Outcome
    reason: str
    unmissed: bool = False


def judge(
    control: Control,
    progress: Progress,
    findings: Sequence[Finding],
    steps: Iterable[StepRecord],
    checks: Sequence[CheckRecord],
) -> Verdict:
    """Judge the run of a control: HELD, BETRAYED, or why it shows nothing. A pure function."""
    restored = restored_axis(progress, findings)
    before = [finding for finding in findings if finding.phase is not Phase.RESTORE]
    aborted = [finding.sentence for finding in before if finding.kind is FindingKind.ABORTED]
    found = _found(control, progress, before, steps, checks)
    invalid = found.outcome is Outcome.INVALID
    valid = Axis(not invalid, (found.reason,) if invalid else ())
    recovered = Axis(None)
    if restored.reasons:
        return Verdict(Outcome.NOT_RESTORED, not_restored(progress, restored), valid, recovered, restored)
    if aborted:
        return Verdict(Outcome.ABORTED, aborted[0], valid, recovered, restored)
    return Verdict(found.outcome, found.reason, valid, recovered, restored, found.unmissed)


def judge_repeat(drill: Verdict, progress: Progress, findings: Sequence[Finding]) -> tuple[Outcome, str]:
    """Judge recovery-twice where it was the end of a drill. A pure function."""
    if drill.outcome is not Outcome.PASSED:
        return Outcome.INVALID, f"the control shows nothing: the drill ended {drill.outcome}: {drill.reason}"
    again = [finding for finding in findings if finding.phase is Phase.REPEAT]
    found = _found(REPEATED, progress, again, (), ())
    return found.outcome, found.reason


def _found(
    control: Control,
    progress: Progress,
    findings: Sequence[Finding],
    steps: Iterable[StepRecord],
    checks: Sequence[CheckRecord],
) -> _Found:
    betrayed = [finding.sentence for finding in findings if finding.kind is FindingKind.BETRAYED]
    against = [finding for finding in findings if finding.kind not in (FindingKind.BETRAYED, FindingKind.MISSED)]
    if against:
        return _Found(Outcome.INVALID, f"the control shows nothing: {against[0].sentence}")
    if not progress.baseline_checks:
        return _Found(Outcome.INVALID, "the control shows nothing: the baseline was not looked at")
    if betrayed:
        return _Found(Outcome.BETRAYED, betrayed[0])
    match control.kind:
        case ControlKind.NO_FAULT:
            return _no_fault(checks)
        case ControlKind.RECOVERY_TWICE:
            return _twice(progress)
        case ControlKind.NO_RECOVERY | ControlKind.WITHOUT_TASK:
            silent = nothing_proven(progress)
            if silent:
                return _Found(Outcome.INVALID, f"the control shows nothing: {silent[0]}")
            missed = [finding.sentence for finding in findings if finding.kind is FindingKind.MISSED]
            return _Found(Outcome.HELD, missed[0]) if missed else _unrecovered(control, steps, checks)


def _no_fault(checks: Sequence[CheckRecord]) -> _Found:
    symptoms = [check for check in checks if check.phase is Phase.SYMPTOMS and check.role is Role.EVIDENCE]
    unknown = [check for check in symptoms if check.unknown]
    if not symptoms or unknown:
        what = unknown[0].name if unknown else "no symptom"
        verb = "could not be looked at" if unknown else "was looked at"
        return _Found(Outcome.INVALID, f"the control shows nothing: {what} {verb}")
    empty = [check for check in symptoms if check.met]
    if empty:
        others = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        return _Found(
            Outcome.BETRAYED,
            f"{empty[0].name}: observed {empty[0].observed} although nothing was broken{others}: "
            "this symptom says nothing about the incident",
        )
    return _Found(Outcome.HELD, f"none of {len(symptoms)} symptoms was observed while nothing was broken")


def _twice(progress: Progress) -> _Found:
    if progress.steps_passed < progress.steps_planned or not progress.criterion_checks:
        return _Found(Outcome.INVALID, "the control shows nothing: the drill ended before all of its steps were done")
    if progress.not_repeatable:
        if not progress.recoveries_changed_again:
            return _Found(
                Outcome.BETRAYED,
                f"the scenario is @{NOT_REPEATABLE}, but the second run of the recovery changed nothing",
            )
        return _Found(Outcome.HELD, "the second run of the recovery changed something again, as the scenario says")
    if not progress.recoveries_repeated:
        return _Found(Outcome.HELD, "there is no playbook to run twice: the system is left to itself")
    ran = progress.recoveries_repeated
    playbooks = "1 playbook" if ran == 1 else f"{ran} playbooks"
    return _Found(
        Outcome.HELD, f"the second run of the recovery ({playbooks}) changed nothing, and every criterion held"
    )


def _unrecovered(control: Control, steps: Iterable[StepRecord], checks: Sequence[CheckRecord]) -> _Found:
    """Whether, for each recovery, a check saw one of its criteria unmet."""
    group_of = _groups(steps)
    groups: dict[int, list[CheckRecord]] = {}
    for check in checks:
        # a bound holds with and without the incident, so an unmet bound says nothing about the recovery
        missable = check.role is not Role.BOUND or control.kind is ControlKind.WITHOUT_TASK
        if check.phase is Phase.CRITERIA and check.step in group_of and missable:
            groups.setdefault(group_of[check.step], []).append(check)
    if not groups:
        return _Found(Outcome.INVALID, "the control shows nothing: no criterion was looked at")
    unmet = {group: next((c for c in of if not c.met and not c.unknown), None) for group, of in groups.items()}
    if control.kind is ControlKind.WITHOUT_TASK:
        # the control leaves out one task of one recovery: any unmet criterion shows that it is missed
        groups, unmet = {0: [c for of in groups.values() for c in of]}, {0: next(filter(None, unmet.values()), None)}
    for group, seen in unmet.items():
        if seen is not None:
            continue
        unknown = [check for check in groups[group] if check.unknown]
        if unknown:
            return _Found(Outcome.INVALID, f"the control shows nothing: {unknown[0].name} could not be looked at")
        if control.kind is ControlKind.WITHOUT_TASK:
            return _Found(
                Outcome.HELD, f"the task {control.task} is not missed: every criterion held without it", unmissed=True
            )
        which = f"recovery {group} of the scenario" if len(groups) > 1 else "the recovery"
        return _Found(
            Outcome.BETRAYED,
            f"recovered, not by the runbook: all {len(groups[group])} criteria of {which} held although nobody ran it",
        )
    first = next(iter(filter(None, unmet.values())))
    without = f"without {control.task}" if control.task else "without the recovery"
    return _Found(Outcome.HELD, f"{without}: {first.name}: observed {first.observed}, required {first.required}")


def _groups(steps: Iterable[StepRecord]) -> dict[int, int]:
    """For each step of the criteria, by its number: the recovery before it (counted from 1)."""
    groups: dict[int, int] = {}
    recovery, before = 0, Phase.BASELINE
    for step in steps:
        if step.phase is Phase.RECOVERY and before is not Phase.RECOVERY:
            recovery += 1
        elif step.phase is Phase.CRITERIA:
            groups[step.number] = recovery
        before = step.phase
    return groups
