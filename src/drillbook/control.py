"""Controls: can the checks of a drill fail at all, and was it the playbook that recovered the system?

The rule: a control runs the same feature with one thing taken away, and holds only when what must be missing then was
looked for and was seen missing. What could not be looked at is never taken for missing.

no-fault: nothing is broken; the symptoms must not be observed (else they are empty).
no-recovery: nobody recovers; the criteria must not hold (else it was not the playbook that recovered the system).
recovery-twice: each recovery runs a second time; that must change nothing, and the criteria must hold. In a proof it is
    the end of the drill itself where it can be: the system is broken once less.
without:FILE:LINE: the recovery without one of its tasks; a task that nothing misses is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drillbook.evidence.record import CheckRecord, Role, StepRecord
from drillbook.phases import Phase, incidents
from drillbook.verdict import Axis, Finding, FindingKind, Outcome, Progress, Verdict, nothing_proven, restored_axis


class ControlKind(StrEnum):
    """What is taken away, or done once more."""

    NO_FAULT = "no-fault"
    NO_RECOVERY = "no-recovery"
    RECOVERY_TWICE = "recovery-twice"
    WITHOUT_TASK = "without"


@dataclass(frozen=True, slots=True)
class Control:
    """One control. `task` is `FILE:LINE` of the task that is left out, relative to the root, for WITHOUT_TASK."""

    kind: ControlKind
    task: str | None = None

    def __str__(self) -> str:
        return self.kind.value if self.task is None else f"{self.kind}:{self.task}"

    @classmethod
    def parse(cls, text: str) -> Control:
        """Read `no-fault` or `without:playbooks/recovery/x.yml:12`. Raises ValueError with a sentence."""
        kind, _, task = text.partition(":")
        known = ", ".join([*(each.value for each in STANDARD), f"{ControlKind.WITHOUT_TASK}:FILE:LINE"])
        if kind not in list(ControlKind):
            raise ValueError(f"{text!r} is no control: there are {known}")
        found = ControlKind(kind)
        if (found is ControlKind.WITHOUT_TASK) is not bool(task):
            raise ValueError(f"{text!r} is no control: there are {known}")
        return cls(found, task or None)

    @property
    def meaning(self) -> str:
        """What is done, and what must follow; for people."""
        return _MEANING[self.kind].format(task=self.task)


STANDARD = (ControlKind.NO_FAULT, ControlKind.NO_RECOVERY, ControlKind.RECOVERY_TWICE)
"""The controls of a proof."""

_MEANING = {
    ControlKind.NO_FAULT: "nothing is broken: the symptoms must not be observed",
    ControlKind.NO_RECOVERY: "nobody recovers: the criteria must not hold",
    ControlKind.RECOVERY_TWICE: "each recovery runs twice: the second run must change nothing",
    ControlKind.WITHOUT_TASK: "the recovery without {task}: is it missed?",
}


UNMISSED = "nothing misses the task"
"""How the reason of a control begins whose task was left out and made no difference."""

NOT_REPEATABLE = "not-repeatable"
"""The tag of a scenario whose recovery changes something each time that it is run, as some do that runbooks write."""


class Way(StrEnum):
    """How a step of some phase is run."""

    AS_WRITTEN = "as written"
    WITHHELD = "withheld"
    """The step is run, and the playbook that it names is not."""
    ABSENT = "absent"
    """What its checks look for must not be there."""
    LEFT_OUT = "left out"


REPEATED = Control(ControlKind.RECOVERY_TWICE)


def ends_its_drill(accepts_loss: bool, phases: Sequence[Phase]) -> bool:
    """Whether recovery-twice may be the end of a drill with these phases, instead of a drill of its own.

    Not where the recovery destroys what is counted exactly; nor after a second incident, over whose recovery nobody is
    to run the first one's.
    """
    return incidents(phases) == 1 and not accepts_loss


def way(control: Control | None, phase: Phase, incident: int) -> Way:
    """How a step of this phase is run; `incident` counts the faults' phases of the scenario from 1."""
    if control is None or phase is Phase.BASELINE or control.kind is ControlKind.RECOVERY_TWICE:
        return Way.AS_WRITTEN
    if control.kind is ControlKind.NO_FAULT:
        return {Phase.FAULT: Way.WITHHELD, Phase.SYMPTOMS: Way.ABSENT}.get(phase, Way.LEFT_OUT)
    if incident > 1:
        # the first incident was not recovered from: a second one on top of it would show nothing
        return Way.LEFT_OUT
    if phase is Phase.CRITERIA:
        return Way.ABSENT
    if phase is Phase.RECOVERY and control.kind is ControlKind.NO_RECOVERY:
        return Way.WITHHELD
    return Way.AS_WRITTEN


# ---- how long to wait for what must not come --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a control waits for what must not come, by what the drill needed for it."""

    factor: float
    margin_s: float

    def __str__(self) -> str:
        times = "as long as" if self.factor == 1.0 else f"{self.factor:g} times what"
        return f"{times} the drill needed, and {self.margin_s:g} s; at most what the feature allows"


_LIKE_THE_DRILL, _LONGER = Wait(1.0, 1.0), Wait(1.5, 3.0)


def wait_of(kind: ControlKind) -> Wait:
    """While nothing is broken nothing builds up: the symptoms get the time in which the drill saw them.

    A system that was not recovered may still recover, and more slowly than by the runbook: the criteria get longer.
    """
    return _LIKE_THE_DRILL if kind is ControlKind.NO_FAULT else _LONGER


@dataclass(frozen=True, slots=True)
class Measured:
    """What a drill of the same scenario needed for each of its checks, in seconds from the event that it counts from.

    Keys are (number of the step, how many checks of that step came before).
    """

    run_id: str
    needed_s: Mapping[tuple[int, int], float]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Measured:
        """Read drill.json."""
        needed: dict[tuple[int, int], float] = {}
        seen: dict[int, int] = {}
        for check in record["checks"]:
            if check["phase"] in (Phase.REPEAT, Phase.RESTORE):
                continue
            nth = seen[check["step"]] = seen.get(check["step"], -1) + 1
            if check["found_s"] is not None and check["since_s"] is not None:
                needed[check["step"], nth] = max(0.0, check["found_s"] - check["since_s"])
        return cls(str(record["run_id"]), needed)


def allowed_s(wait: Wait, measured: Measured | None, step: int, nth: int, stated_s: float) -> float:
    """How many seconds a control waits for what must not come, so that proving takes minutes and not RTOs."""
    needed_s = measured.needed_s.get((step, nth)) if measured is not None else None
    return stated_s if needed_s is None else min(stated_s, wait.factor * needed_s + wait.margin_s)


# ---- the verdict ------------------------------------------------------------------------------------------


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
    found, reason = _found(control, progress, before, steps, checks)
    valid = Axis(found is not Outcome.INVALID, (reason,) if found is Outcome.INVALID else ())
    recovered = Axis(None)
    if restored.reasons:
        return Verdict(Outcome.NOT_RESTORED, restored.reasons[0], valid, recovered, restored)
    if aborted:
        return Verdict(Outcome.ABORTED, aborted[0], valid, recovered, restored)
    return Verdict(found, reason, valid, recovered, restored)


def judge_repeat(drill: Verdict, progress: Progress, findings: Sequence[Finding]) -> tuple[Outcome, str]:
    """Judge recovery-twice where it was the end of a drill. A pure function."""
    if drill.outcome is not Outcome.PASSED:
        return Outcome.INVALID, f"the control shows nothing: the drill ended {drill.outcome}: {drill.reason}"
    return _found(REPEATED, progress, [finding for finding in findings if finding.phase is Phase.REPEAT], (), ())


def _found(
    control: Control,
    progress: Progress,
    findings: Sequence[Finding],
    steps: Iterable[StepRecord],
    checks: Sequence[CheckRecord],
) -> tuple[Outcome, str]:
    betrayed = [finding.sentence for finding in findings if finding.kind is FindingKind.BETRAYED]
    against = [finding for finding in findings if finding.kind not in (FindingKind.BETRAYED, FindingKind.MISSED)]
    if against:
        return Outcome.INVALID, f"the control shows nothing: {against[0].sentence}"
    if not progress.baseline_checks:
        return Outcome.INVALID, "the control shows nothing: the baseline was not looked at"
    if betrayed:
        return Outcome.BETRAYED, betrayed[0]
    match control.kind:
        case ControlKind.NO_FAULT:
            return _no_fault(checks)
        case ControlKind.RECOVERY_TWICE:
            return _twice(progress)
        case ControlKind.NO_RECOVERY | ControlKind.WITHOUT_TASK:
            silent = nothing_proven(progress)
            if silent:
                return Outcome.INVALID, f"the control shows nothing: {silent[0]}"
            missed = [finding.sentence for finding in findings if finding.kind is FindingKind.MISSED]
            return (Outcome.HELD, missed[0]) if missed else _unrecovered(control, steps, checks)


def _no_fault(checks: Sequence[CheckRecord]) -> tuple[Outcome, str]:
    symptoms = [check for check in checks if check.phase is Phase.SYMPTOMS and check.role is Role.EVIDENCE]
    unknown = [check for check in symptoms if check.unknown]
    if not symptoms or unknown:
        what = unknown[0].name if unknown else "no symptom"
        verb = "could not be looked at" if unknown else "was looked at"
        return Outcome.INVALID, f"the control shows nothing: {what} {verb}"
    empty = [check for check in symptoms if check.met]
    if empty:
        others = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        return Outcome.BETRAYED, (
            f"{empty[0].name}: observed {empty[0].observed} although nothing was broken{others}: "
            "this symptom says nothing about the incident"
        )
    return Outcome.HELD, f"none of {len(symptoms)} symptoms was observed while nothing was broken"


def _twice(progress: Progress) -> tuple[Outcome, str]:
    if progress.steps_passed < progress.steps_planned or not progress.criterion_checks:
        return Outcome.INVALID, "the control shows nothing: the drill ended before all of its steps were done"
    if progress.not_repeatable:
        if not progress.recoveries_changed_again:
            return (
                Outcome.BETRAYED,
                f"the scenario is @{NOT_REPEATABLE}, and run a second time the recovery changed nothing",
            )
        return Outcome.HELD, "run a second time the recovery changed something again, as the scenario says of it"
    if not progress.recoveries_repeated:
        return Outcome.HELD, "there is no playbook to run twice: the system is left to itself"
    ran = progress.recoveries_repeated
    playbooks = "1 playbook" if ran == 1 else f"{ran} playbooks"
    return Outcome.HELD, f"run a second time ({playbooks}) the recovery changed nothing, and every criterion held"


def _unrecovered(control: Control, steps: Iterable[StepRecord], checks: Sequence[CheckRecord]) -> tuple[Outcome, str]:
    """Whether, for each recovery, one of its criteria was seen unmet."""
    group_of = _groups(steps)
    groups: dict[int, list[CheckRecord]] = {}
    for check in checks:
        if check.phase is Phase.CRITERIA and check.step in group_of:
            groups.setdefault(group_of[check.step], []).append(check)
    if not groups:
        return Outcome.INVALID, "the control shows nothing: no criterion was looked at"
    unmet = {group: next((c for c in of if not c.met and not c.unknown), None) for group, of in groups.items()}
    if control.kind is ControlKind.WITHOUT_TASK:
        # one task of one recovery: it is missed when anything is
        groups, unmet = {0: [c for of in groups.values() for c in of]}, {0: next(filter(None, unmet.values()), None)}
    for group, seen in unmet.items():
        if seen is not None:
            continue
        unknown = [check for check in groups[group] if check.unknown]
        if unknown:
            return Outcome.INVALID, f"the control shows nothing: {unknown[0].name} could not be looked at"
        if control.kind is ControlKind.WITHOUT_TASK:
            return Outcome.HELD, f"{UNMISSED} {control.task}: every criterion held without it"
        which = f"recovery {group} of the scenario" if len(groups) > 1 else "the recovery"
        return Outcome.BETRAYED, (
            f"recovered, not by the runbook: all {len(groups[group])} criteria of {which} held although nobody ran it"
        )
    first = next(iter(filter(None, unmet.values())))
    without = f"without {control.task}" if control.task else "without the recovery"
    return Outcome.HELD, f"{without}: {first.name}: observed {first.observed}, required {first.required}"


def _groups(steps: Iterable[StepRecord]) -> dict[int, int]:
    """For each step of the criteria, by its number, the recovery that it follows (they count from 1)."""
    groups: dict[int, int] = {}
    recovery, before = 0, Phase.BASELINE
    for step in steps:
        if step.phase is Phase.RECOVERY and before is not Phase.RECOVERY:
            recovery += 1
        elif step.phase is Phase.CRITERIA:
            groups[step.number] = recovery
        before = step.phase
    return groups
