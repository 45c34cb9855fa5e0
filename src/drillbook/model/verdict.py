"""The verdict: three axes, never one boolean. A pure function of what the drill found.

valid: the baseline held, every fault took effect, every symptom was observed. recovered: every criterion held, within
the RTO and to the end of the hold window, after a clean recovery. restored: every undo ran, each fault is proven gone,
and the baseline holds again. It is independent of the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from drillbook.model.phases import Phase
from drillbook.model.times.timeline import Span


class Outcome(StrEnum):
    """How a drill ended."""

    PASSED = "PASSED"
    NOT_RECOVERED = "NOT_RECOVERED"
    INVALID = "INVALID"
    NOT_RESTORED = "NOT_RESTORED"
    ABORTED = "ABORTED"
    HELD = "HELD"
    """Of a control: it saw that what must be missing is missing."""
    BETRAYED = "BETRAYED"
    """Of a control: what it takes away makes no difference."""

    @property
    def good(self) -> bool:
        """Whether the run showed what it was to show."""
        return self in (Outcome.PASSED, Outcome.HELD)

    @property
    def exit_status(self) -> int:
        """The exit status of the process when this is the worst outcome of a session."""
        return _EXIT[self]


_EXIT = {
    Outcome.PASSED: 0,
    Outcome.NOT_RECOVERED: 1,
    Outcome.INVALID: 11,
    Outcome.NOT_RESTORED: 12,
    Outcome.ABORTED: 13,
    Outcome.HELD: 0,
    Outcome.BETRAYED: 14,
}
_WORST = (
    Outcome.NOT_RESTORED,
    Outcome.ABORTED,
    Outcome.INVALID,
    Outcome.NOT_RECOVERED,
    Outcome.BETRAYED,
    Outcome.HELD,
    Outcome.PASSED,
)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """The worst outcome, which names the whole session: a system left broken ranks above an unproven runbook."""
    return min(outcomes, key=_WORST.index)


class FindingKind(StrEnum):
    """What a finding speaks against."""

    FAILED = "failed"
    """A check looked, and its requirement was not met."""
    UNKNOWN = "unknown"
    """A check could not look, or the step did not do its work. It proves nothing either way."""
    ABORTED = "aborted"
    """Something outside stopped the drill, the drill timed out as a whole, or the guard refused it."""
    BETRAYED = "betrayed"
    """In a control: its checks saw what must not be so."""
    MISSED = "missed"
    """In a control: leaving the thing out made a difference, as it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a drill is not PASSED: its phase, and one sentence with observed and required."""

    phase: Phase
    kind: FindingKind
    sentence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of what a drill got done. They prove that nothing passed by silence."""

    steps_planned: int
    steps_passed: int
    baseline_checks: int
    faults_begun: int
    faults_injected: int
    symptom_checks: int
    recoveries_planned: int
    recoveries_done: int
    criterion_checks: int
    undo_open: int
    baseline_again: int
    cleanup_open: bool = False
    """Whether the work of the drill is still there, although the repository has a playbook that removes it."""
    recoveries_repeated: int = 0
    """Playbooks that ran a second time (control recovery-twice)."""
    recoveries_changed_again: int = 0
    """Those of them that changed something on the second run."""
    not_repeatable: bool = False
    """Whether the scenario says that its recovery changes something on each run."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: True, False, or None when the drill did not get that far; with the reasons against it."""

    holds: bool | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, its first reason, and the three axes.

    `unmissed`: the control left out a task of the recovery, and the criteria still held. `dated`: the moment at which
    all criteria held is that of a recovery, even one that came too late.
    """

    outcome: Outcome
    reason: str
    valid: Axis
    recovered: Axis
    restored: Axis
    unmissed: bool = False
    dated: bool = True


RESTORE = "undo it with 'drillbook restore'"
"""What to do about an open fault."""
BY_HAND = "no fault is open, so put this right by hand; 'drillbook status' shows what is open"
_VALIDITY = (Phase.BASELINE, Phase.FAULT, Phase.SYMPTOMS)


def judge(
    progress: Progress, findings: Sequence[Finding], *, time_to_recover: Span | None, rto_s: float | None
) -> Verdict:
    """Judge a drill after its restore.

    `time_to_recover` runs from the start of the RTO clock to the begin of the hold window; None when not recovered.
    """
    # the second run of the recovery, and the restore, say nothing about the drill itself
    before = [f for f in findings if f.phase not in (Phase.REPEAT, Phase.RESTORE)]
    against_valid = [f.sentence for f in before if f.phase in _VALIDITY]
    # a criterion that could not look proves nothing either way
    against_valid += [
        f.sentence for f in findings if f.phase in (Phase.RECOVERY, Phase.CRITERIA) and f.kind is FindingKind.UNKNOWN
    ]
    acted = progress.recoveries_done > 0 or any(f.phase in (Phase.RECOVERY, Phase.CRITERIA) for f in before)
    if acted or not before:
        against_valid += nothing_proven(progress)
    if not before:
        against_valid += _nothing_recovered(progress)
        against_valid += _not_shown(time_to_recover, rto_s)
    against_recovered = [
        f.sentence
        for f in findings
        if f.phase in (Phase.RECOVERY, Phase.CRITERIA) and f.kind not in (FindingKind.UNKNOWN, FindingKind.ABORTED)
    ]
    late = None if against_recovered else _late(time_to_recover, rto_s)
    if late:
        against_recovered.append(late)
    aborted = [f.sentence for f in findings if f.phase is not Phase.RESTORE and f.kind is FindingKind.ABORTED]

    valid = Axis(not against_valid, tuple(against_valid))
    finished = progress.criterion_checks > 0 and progress.steps_passed == progress.steps_planned
    recovered = Axis(
        False if against_recovered else (True if finished and not against_valid and not aborted else None),
        tuple(against_recovered),
    )
    restored = restored_axis(progress, findings)

    def verdict(outcome: Outcome, reason: str) -> Verdict:
        return Verdict(outcome, reason, valid, recovered, restored, dated=bool(recovered.holds or late))

    if restored.reasons:
        return verdict(Outcome.NOT_RESTORED, not_restored(progress, restored))
    if aborted:
        return verdict(Outcome.ABORTED, aborted[0])
    if against_valid:
        return verdict(Outcome.INVALID, against_valid[0])
    if against_recovered:
        return verdict(Outcome.NOT_RECOVERED, against_recovered[0])
    if not recovered.holds:
        return verdict(Outcome.INVALID, "the drill ended before all of its steps were done")
    return verdict(Outcome.PASSED, _passed(time_to_recover, rto_s))


def restored_axis(progress: Progress, findings: Sequence[Finding]) -> Axis:
    """Whether everything was put back. A drill and a control are judged alike."""
    against = [f.sentence for f in findings if f.phase is Phase.RESTORE]
    if progress.undo_open:
        against.append(f"{progress.undo_open} fault(s) are not proven gone")
    if progress.cleanup_open and not against:
        against.append("the work of the drill is not cleaned up")
    if progress.faults_injected and not progress.baseline_again and not against:
        against.append("no baseline check was repeated after the drill: nothing shows that it holds again")
    return Axis(not against, tuple(against))


def not_restored(progress: Progress, restored: Axis) -> str:
    """Why the system was not put back, and what is to be done now."""
    return f"{restored.reasons[0]}: {RESTORE if progress.undo_open or progress.cleanup_open else BY_HAND}"


def nothing_proven(progress: Progress) -> list[str]:
    """Reasons why a drill may have reached its recovery without an incident."""
    silent = []
    if not progress.baseline_checks:
        silent.append("the baseline was not looked at: no Given step handed a check to the drill")
    if progress.faults_injected < max(1, progress.faults_begun):
        silent.append(f"{progress.faults_injected} of {max(1, progress.faults_begun)} faults took effect")
    if not progress.symptom_checks:
        silent.append("no symptom was looked at: no Then step before the recovery handed a check to the drill")
    return silent


def _nothing_recovered(progress: Progress) -> list[str]:
    """Reasons why a drill may have reached its end without a recovery."""
    silent = []
    if progress.steps_passed < progress.steps_planned:
        silent.append(f"only {progress.steps_passed} of {progress.steps_planned} steps were done")
    if progress.recoveries_done < max(1, progress.recoveries_planned):
        silent.append(f"{progress.recoveries_done} of {progress.recoveries_planned} recoveries were done")
    if not progress.criterion_checks:
        silent.append(
            "no success criterion was looked at: no Then step after the recovery handed a check to the drill that is "
            "more than a bound"
        )
    return silent


def rto_met(took: Span | None, rto_s: float | None) -> bool | None:
    """Whether the RTO was kept; None when that is unknown: an upper bound above the RTO shows nothing."""
    if took is None or rto_s is None or took.least_s <= rto_s < took.seconds:
        return None
    return took.seconds <= rto_s


def _not_shown(took: Span | None, rto_s: float | None) -> list[str]:
    if rto_s is None or rto_met(took, rto_s) is not None:
        return []
    nothing = f"nothing shows that the RTO of {rto_s:g} s was kept"
    if took is None:
        return [f"the time to recover was not measured: {nothing}"]
    measured = f"recovered in {took.least_s:.1f} to {took.seconds:.1f} s, and nobody looked at a criterion before"
    return [f"{measured}: {nothing}; let its step come earlier, or let the prober look at it"]


def _late(took: Span | None, rto_s: float | None) -> str | None:
    if took is None or rto_s is None or rto_met(took, rto_s) is not False:
        return None
    least = "at least " if took.bounded else ""
    return f"recovered after {least}{took.least_s:.1f} s; the RTO is {rto_s:g} s"


def _passed(took: Span | None, rto_s: float | None) -> str:
    if took is None:
        return "every criterion held"
    allowed = f" of an RTO of {rto_s:g} s" if rto_s is not None else " (the feature states no RTO)"
    most = "at most " if took.bounded else ""
    return f"recovered in {most}{took.seconds:.1f} s{allowed}"
