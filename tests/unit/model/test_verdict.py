"""The verdict: any reason against a drill keeps it from passing, and so does any proof that is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.model.phases import Phase
from drillbook.model.times.timeline import Span
from drillbook.model.verdict import Axis, Finding, FindingKind, Outcome, Progress, Verdict, judge, rto_met, worst
from tests.support.unit import quickly

pytestmark = pytest.mark.unit

FAILED, UNKNOWN, ABORTED = FindingKind.FAILED, FindingKind.UNKNOWN, FindingKind.ABORTED
COMPLETE = Progress(
    steps_planned=5,
    steps_passed=5,
    baseline_checks=1,
    faults_begun=1,
    faults_injected=1,
    symptom_checks=1,
    recoveries_planned=1,
    recoveries_done=1,
    criterion_checks=1,
    undo_open=0,
    baseline_again=1,
)


def after(**changes: Any) -> Progress:
    """A drill that did everything, but for this."""
    return replace(COMPLETE, **changes)


def verdict(
    *findings: Finding,
    progress: Progress = COMPLETE,
    took: float | None = 10.0,
    rto: float | None = 60.0,
    least: float | None = None,
) -> Verdict:
    """`took` is a bound where `least` says how long it took at least."""
    span = None if took is None else Span(took, 0.1 if least is None else took - least, least is not None)
    return judge(progress, findings, time_to_recover=span, rto_s=rto)


def finding(phase: Phase, kind: FindingKind = FAILED) -> Finding:
    return Finding(phase, kind, f"{phase} {kind}")


def test_passed() -> None:
    assert verdict() == Verdict(
        Outcome.PASSED, "recovered in 10.0 s of an RTO of 60 s", Axis(True), Axis(True), Axis(True)
    )


@pytest.mark.parametrize(
    ("took", "rto", "reason"),
    [
        (60.0, 60.0, "recovered in 60.0 s of an RTO of 60 s"),
        (60.0, None, "recovered in 60.0 s (the feature states no RTO)"),
        (None, None, "every criterion held"),
    ],
)
def test_passed_says_how_fast(took: float | None, rto: float | None, reason: str) -> None:
    it = verdict(took=took, rto=rto)
    assert (it.outcome, it.reason) == (Outcome.PASSED, reason)


def test_late_is_not_recovered() -> None:
    it = verdict(took=60.1)
    assert (it.outcome, it.recovered.holds, it.valid.holds) == (Outcome.NOT_RECOVERED, False, True)
    assert it.reason == "recovered after 60.1 s; the RTO is 60 s"


@pytest.mark.parametrize(
    ("findings", "took", "dated"),
    [
        ((), 10.0, True),
        ((), 60.1, True),
        ((finding(Phase.RESTORE),), 10.0, True),
        ((finding(Phase.CRITERIA),), 10.0, False),
        ((finding(Phase.CRITERIA),), 60.1, False),
        ((finding(Phase.CRITERIA, UNKNOWN),), 10.0, False),
        ((finding(Phase.CRITERIA, ABORTED),), 10.0, False),
        ((finding(Phase.FAULT),), 10.0, False),
    ],
)
def test_only_a_recovery_has_a_moment(findings: tuple[Finding, ...], took: float, dated: bool) -> None:
    it = verdict(*findings, took=took)
    assert it.dated is dated
    assert any("recovered after" in reason for reason in it.recovered.reasons) is (dated and took > 60.0)


def test_an_rto_against_which_nothing_was_measured_is_not_kept() -> None:
    it = verdict(took=None)
    assert it.outcome is Outcome.INVALID
    assert "was not measured" in it.reason


MISSING = {
    "a count that adds up": (after(steps_passed=6), Outcome.INVALID, "the drill ended before all of its steps"),
    "a step": (after(steps_passed=4), Outcome.INVALID, "only 4 of 5 steps"),
    "the baseline": (after(baseline_checks=0), Outcome.INVALID, "the baseline was not looked at"),
    "any fault": (after(faults_begun=0, faults_injected=0), Outcome.INVALID, "0 of 1 faults"),
    "a fault's effect": (after(faults_begun=2), Outcome.INVALID, "1 of 2 faults"),
    "a symptom": (after(symptom_checks=0), Outcome.INVALID, "no symptom"),
    "any recovery": (after(recoveries_done=0, recoveries_planned=0), Outcome.INVALID, "0 of 0 recoveries"),
    "a recovery": (after(recoveries_planned=2), Outcome.INVALID, "1 of 2 recoveries"),
    "a criterion": (after(criterion_checks=0), Outcome.INVALID, "no success criterion"),
    "an undo": (
        after(undo_open=2),
        Outcome.NOT_RESTORED,
        "2 fault(s) are not proven gone: undo it with 'drillbook restore'",
    ),
    "the baseline again": (after(baseline_again=0), Outcome.NOT_RESTORED, "no baseline check was repeated"),
}


@pytest.mark.parametrize(("progress", "outcome", "says"), MISSING.values(), ids=list(MISSING))
def test_a_proof_that_is_missing(progress: Progress, outcome: Outcome, says: str) -> None:
    it = verdict(progress=progress)
    assert it.outcome is outcome
    assert says in it.reason


OUTCOMES = {
    (Phase.BASELINE, FAILED): Outcome.INVALID,
    (Phase.FAULT, FAILED): Outcome.INVALID,
    (Phase.SYMPTOMS, FAILED): Outcome.INVALID,
    (Phase.SYMPTOMS, UNKNOWN): Outcome.INVALID,
    (Phase.RECOVERY, FAILED): Outcome.NOT_RECOVERED,
    (Phase.RECOVERY, UNKNOWN): Outcome.INVALID,
    (Phase.RECOVERY, ABORTED): Outcome.ABORTED,
    (Phase.CRITERIA, FAILED): Outcome.NOT_RECOVERED,
    (Phase.CRITERIA, UNKNOWN): Outcome.INVALID,
    (Phase.CRITERIA, ABORTED): Outcome.ABORTED,
    (Phase.BASELINE, ABORTED): Outcome.ABORTED,
    (Phase.RESTORE, FAILED): Outcome.NOT_RESTORED,
    (Phase.RESTORE, UNKNOWN): Outcome.NOT_RESTORED,
    (Phase.RESTORE, ABORTED): Outcome.NOT_RESTORED,
}


@pytest.mark.parametrize(("where", "outcome"), OUTCOMES.items(), ids=[f"{kind} in {phase}" for phase, kind in OUTCOMES])
def test_one_finding(where: tuple[Phase, FindingKind], outcome: Outcome) -> None:
    it = verdict(finding(*where))
    assert it.outcome is outcome
    assert it.reason.partition(": ")[0] == f"{where[0]} {where[1]}"


def test_a_drill_that_ends_in_its_baseline_has_not_recovered_and_is_restored() -> None:
    nothing = Progress(5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0)
    it = verdict(finding(Phase.BASELINE), progress=nothing, took=None)
    assert (it.valid.holds, it.recovered.holds, it.restored.holds) == (False, None, True)
    assert it.valid.reasons == ("baseline failed",)


def test_a_drill_that_is_stopped_in_its_recovery_was_valid_until_then() -> None:
    stopped = after(steps_passed=3, recoveries_done=0, criterion_checks=0)
    it = verdict(finding(Phase.RECOVERY, ABORTED), progress=stopped, took=None)
    assert (it.outcome, it.valid, it.recovered) == (Outcome.ABORTED, Axis(True), Axis(None))


def test_a_recovery_that_fails_without_an_incident_proves_nothing() -> None:
    it = verdict(finding(Phase.CRITERIA), progress=after(symptom_checks=0))
    assert it.outcome is Outcome.INVALID
    assert it.recovered.holds is False


def test_the_worst_outcome_names_the_session() -> None:
    order = [Outcome.PASSED, Outcome.NOT_RECOVERED, Outcome.INVALID, Outcome.ABORTED, Outcome.NOT_RESTORED]
    for number, outcome in enumerate(order, 1):
        assert worst(order[:number]) is outcome
        assert worst(order[:number][::-1]) is outcome


def test_exit_statuses_are_those_of_the_manual() -> None:
    assert {outcome.value: outcome.exit_status for outcome in Outcome} == {
        "PASSED": 0,
        "NOT_RECOVERED": 1,
        "INVALID": 11,
        "NOT_RESTORED": 12,
        "ABORTED": 13,
        "HELD": 0,
        "BETRAYED": 14,
    }


findings = st.builds(
    finding, st.sampled_from([phase for phase in Phase if phase is not Phase.REPEAT]), st.sampled_from(FindingKind)
)
repeat_findings = st.builds(
    finding, st.just(Phase.REPEAT), st.sampled_from([kind for kind in FindingKind if kind is not ABORTED])
)
restore_findings = st.builds(finding, st.just(Phase.RESTORE), st.sampled_from(FindingKind))
counts = st.integers(0, 2)
progresses = st.builds(Progress, counts, counts, counts, counts, counts, counts, counts, counts, counts, counts, counts)
seconds = st.none() | st.floats(0, 100)
drills: Any = st.fixed_dictionaries(
    {"progress": progresses | st.just(COMPLETE), "took": seconds, "rto": seconds},
)


@quickly
@given(st.lists(findings, min_size=1, max_size=4), drills)
def test_a_finding_is_never_passed(found: list[Finding], drill: dict[str, Any]) -> None:
    it = verdict(*found, **drill)
    assert it.outcome is not Outcome.PASSED
    assert it.reason
    assert it.outcome.exit_status != 0


@quickly
@given(st.lists(findings, max_size=3), drills)
def test_passed_needs_every_proof(found: list[Finding], drill: dict[str, Any]) -> None:
    it = verdict(*found, **drill)
    progress, took, rto = drill["progress"], drill["took"], drill["rto"]
    proven = (
        not found
        and progress.steps_passed == progress.steps_planned
        and progress.baseline_checks
        and 0 < progress.faults_injected >= progress.faults_begun
        and progress.symptom_checks
        and 0 < progress.recoveries_done >= progress.recoveries_planned
        and progress.criterion_checks
        and not progress.undo_open
        and progress.baseline_again
        and (rto is None or (took is not None and took <= rto))
    )
    assert (it.outcome is Outcome.PASSED) == bool(proven)
    if proven:
        assert (it.valid.holds, it.recovered.holds, it.restored.holds) == (True, True, True)


@quickly
@given(st.lists(findings, max_size=3), drills, repeat_findings)
def test_what_the_recovery_did_when_it_ran_once_more_says_nothing_of_the_drill(
    found: list[Finding], drill: dict[str, Any], again: Finding
) -> None:
    assert verdict(*found, again, **drill) == verdict(*found, **drill)


def test_a_drill_that_was_stopped_in_the_repeat_is_aborted() -> None:
    assert verdict(finding(Phase.REPEAT, ABORTED)).outcome is Outcome.ABORTED


@quickly
@given(st.lists(findings, max_size=3), drills, restore_findings)
def test_not_restored_wins(found: list[Finding], drill: dict[str, Any], left: Finding) -> None:
    assert verdict(*found, left, **drill).outcome is Outcome.NOT_RESTORED
    assert verdict(left, *found, **drill).outcome is Outcome.NOT_RESTORED


@quickly
@given(st.lists(findings, max_size=3), drills, restore_findings)
def test_the_restore_says_nothing_about_the_drill_before_it(
    found: list[Finding], drill: dict[str, Any], left: Finding
) -> None:
    with_it, without = verdict(*found, left, **drill), verdict(*found, **drill)
    assert with_it.valid == without.valid
    assert with_it.recovered == without.recovered


@quickly
@given(st.lists(findings.filter(lambda each: each.phase is not Phase.RESTORE), max_size=3), drills)
def test_the_drill_says_nothing_about_the_restore_after_it(found: list[Finding], drill: dict[str, Any]) -> None:
    assert verdict(*found, **drill).restored == verdict(**drill).restored


@quickly
@given(drills, st.sampled_from([Phase.RECOVERY, Phase.CRITERIA]))
def test_a_failed_recovery_does_not_speak_against_the_incident(drill: dict[str, Any], phase: Phase) -> None:
    """Not more than no finding does: a drill that did everything stays valid."""
    it = verdict(finding(phase), **drill)
    assert it.recovered.holds is False
    assert len(it.valid.reasons) <= len(verdict(**drill).valid.reasons)


@quickly
@given(st.lists(findings, max_size=3), drills)
def test_what_does_not_hold_has_a_reason_and_what_holds_has_none(found: list[Finding], drill: dict[str, Any]) -> None:
    it = verdict(*found, **drill)
    for axis in (it.valid, it.recovered, it.restored):
        assert bool(axis.reasons) == (axis.holds is False)


# a time that is only bounded


def test_a_bound_is_written_as_one() -> None:
    it = verdict(took=8.0, least=1.1)
    assert (it.outcome, it.reason) == (Outcome.PASSED, "recovered in at most 8.0 s of an RTO of 60 s")


def test_a_bound_above_the_rto_is_no_kept_rto() -> None:
    it = verdict(took=8.0, least=1.1, rto=5.0)
    assert it.outcome is Outcome.INVALID
    assert it.reason.startswith(
        "recovered in 1.1 to 8.0 s, and nobody looked at a criterion before: nothing shows that the RTO of 5 s was kept"
    )


def test_what_took_longer_than_the_rto_at_least_is_late() -> None:
    it = verdict(took=8.0, least=6.0, rto=5.0)
    assert (it.outcome, it.reason) == (Outcome.NOT_RECOVERED, "recovered after at least 6.0 s; the RTO is 5 s")


@pytest.mark.parametrize(
    ("took", "rto", "met"),
    [
        (Span(8.0, 6.9, True), 5.0, None),
        (Span(8.0, 6.9, True), 8.0, True),
        (Span(8.0, 2.0, True), 5.0, False),
        (Span(8.0, 6.9), 5.0, False),
        (None, 5.0, None),
        (Span(8.0, 6.9), None, None),
    ],
)
def test_whether_the_rto_was_kept(took: Span | None, rto: float | None, met: bool | None) -> None:
    assert rto_met(took, rto) is met
