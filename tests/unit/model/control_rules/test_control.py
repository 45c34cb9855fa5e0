"""Controls: what must be missing has to be looked for and seen missing; each history beside what it shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.model.control import Control, ControlKind, Way, ends_its_drill, way
from drillbook.model.control_rules.verdict import judge, judge_repeat
from drillbook.model.control_rules.waits import Measured, Wait, allowed_s, once_s, wait_of
from drillbook.model.phases import Phase
from drillbook.model.proof import Proof, Run, proofs, tasks_of, unmissed
from drillbook.model.record import CheckRecord, EventRecord, PhaseRecord, Purpose, Role, StepRecord
from drillbook.model.verdict import Axis, Finding, FindingKind, Outcome, Progress, Verdict
from tests.support.records import check, play, record
from tests.unit.model.test_verdict import COMPLETE, after

pytestmark = pytest.mark.unit

NO_FAULT, NO_RECOVERY = Control(ControlKind.NO_FAULT), Control(ControlKind.NO_RECOVERY)
TWICE, WITHOUT = Control(ControlKind.RECOVERY_TWICE), Control(ControlKind.WITHOUT_TASK, "x.yml:3")
STEPS = [
    StepRecord(number, "*", phase, number, phase)
    for number, phase in enumerate(
        (
            *(Phase.BASELINE, Phase.FAULT, Phase.SYMPTOMS, Phase.RECOVERY, Phase.CRITERIA),
            *(Phase.CRITERIA, Phase.RECOVERY, Phase.CRITERIA),
        ),
        start=1,
    )
]
SYMPTOM, FIRST, ALSO_FIRST, SECOND = 3, 5, 6, 8


def seen(step: int, *, met: bool, unknown: bool = False, role: Role = Role.EVIDENCE) -> CheckRecord:
    phase = STEPS[step - 1].phase
    return CheckRecord(step, phase, f"check {step}", "api", "up", "down", met, unknown=unknown, role=role)


def ended(
    control: Control, *checks: CheckRecord, progress: Progress = COMPLETE, findings: tuple[Finding, ...] = ()
) -> tuple[Outcome, str]:
    it = judge(control, progress, findings, STEPS, checks)
    return it.outcome, it.reason


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([seen(SYMPTOM, met=False)], Outcome.HELD),
        ([seen(SYMPTOM, met=True)], Outcome.BETRAYED),
        ([seen(SYMPTOM, met=False), seen(SYMPTOM, met=True)], Outcome.BETRAYED),
        ([], Outcome.INVALID),
        ([seen(SYMPTOM, met=False, unknown=True)], Outcome.INVALID),
        ([seen(SYMPTOM, met=True, role=Role.BOUND)], Outcome.INVALID),
        ([seen(SYMPTOM, met=True, role=Role.BOUND), seen(SYMPTOM, met=False)], Outcome.HELD),
    ],
)
def test_without_the_fault_no_symptom_may_be_seen(checks: list[CheckRecord], outcome: Outcome) -> None:
    assert ended(NO_FAULT, *checks, progress=after(faults_injected=0, symptom_checks=0))[0] is outcome


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([seen(FIRST, met=False), seen(SECOND, met=False)], Outcome.HELD),
        ([seen(FIRST, met=True), seen(ALSO_FIRST, met=False), seen(SECOND, met=False)], Outcome.HELD),
        ([seen(FIRST, met=True), seen(SECOND, met=False)], Outcome.BETRAYED),
        ([seen(FIRST, met=False), seen(SECOND, met=True)], Outcome.BETRAYED),
        ([seen(FIRST, met=False, unknown=True), seen(SECOND, met=False)], Outcome.INVALID),
        ([seen(FIRST, met=False, unknown=True), seen(ALSO_FIRST, met=False), seen(SECOND, met=False)], Outcome.HELD),
        ([], Outcome.INVALID),
        ([seen(FIRST, met=True), seen(FIRST, met=False, role=Role.BOUND), seen(SECOND, met=False)], Outcome.BETRAYED),
        ([seen(FIRST, met=False, role=Role.BOUND)], Outcome.INVALID),
    ],
)
def test_without_the_recoveries_each_leaves_a_criterion_unmet(checks: list[CheckRecord], outcome: Outcome) -> None:
    assert ended(NO_RECOVERY, *checks)[0] is outcome


def test_without_the_recovery_the_incident_has_to_be_there() -> None:
    unmet = seen(FIRST, met=False)
    assert ended(NO_RECOVERY, unmet, progress=after(symptom_checks=0))[0] is Outcome.INVALID
    assert ended(NO_RECOVERY, unmet, progress=after(faults_injected=0))[0] is Outcome.INVALID
    assert ended(NO_RECOVERY, unmet, progress=after(baseline_checks=0))[0] is Outcome.INVALID


@pytest.mark.parametrize(
    ("checks", "outcome", "says"),
    [
        ([seen(FIRST, met=True), seen(SECOND, met=False)], Outcome.HELD, "without x.yml:3: check 8"),
        ([seen(FIRST, met=True), seen(SECOND, met=True)], Outcome.HELD, "the task x.yml:3 is not missed"),
        ([seen(FIRST, met=False, unknown=True)], Outcome.INVALID, "could not be looked at"),
    ],
)
def test_a_task_is_missed_or_not(checks: list[CheckRecord], outcome: Outcome, says: str) -> None:
    it = judge(WITHOUT, COMPLETE, (), STEPS, checks)
    assert it.outcome is outcome
    assert says in it.reason
    assert it.unmissed is ("is not missed" in says)


def test_a_second_recovery_changes_nothing() -> None:
    betrayed = Finding(Phase.RECOVERY, FindingKind.BETRAYED, "changed again")
    once_more = after(recoveries_repeated=1)
    assert ended(TWICE, progress=once_more)[0] is Outcome.HELD
    assert ended(TWICE, progress=once_more, findings=(betrayed,)) == (Outcome.BETRAYED, "changed again")
    assert ended(TWICE, progress=replace(once_more, steps_passed=4))[0] is Outcome.INVALID
    assert "no playbook to run twice" in ended(TWICE)[1]


def test_a_recovery_that_is_said_to_be_not_repeatable_has_to_change_something_again() -> None:
    once_more = after(recoveries_repeated=2, not_repeatable=True)
    assert ended(TWICE, progress=replace(once_more, recoveries_changed_again=1))[0] is Outcome.HELD
    outcome, reason = ended(TWICE, progress=once_more)
    assert (outcome, "@not-repeatable" in reason) == (Outcome.BETRAYED, True)
    # nor does a system that is left to itself
    assert ended(TWICE, progress=after(not_repeatable=True))[0] is Outcome.BETRAYED
    assert ended(TWICE, progress=replace(once_more, recoveries_changed_again=1, steps_passed=4))[0] is Outcome.INVALID


PASSED = Verdict(Outcome.PASSED, "recovered", Axis(True), Axis(True), Axis(True))


def test_at_the_end_of_a_drill_only_what_was_found_there_counts() -> None:
    once_more = after(recoveries_repeated=1)
    before = Finding(Phase.RECOVERY, FindingKind.BETRAYED, "before")
    assert judge_repeat(PASSED, once_more, [before])[0] is Outcome.HELD
    again = Finding(Phase.REPEAT, FindingKind.BETRAYED, "changed again")
    assert judge_repeat(PASSED, once_more, [again]) == (Outcome.BETRAYED, "changed again")
    unknown = Finding(Phase.REPEAT, FindingKind.UNKNOWN, "nobody looked")
    outcome, reason = judge_repeat(PASSED, once_more, [unknown])
    assert (outcome, reason) == (Outcome.INVALID, "the control shows nothing: nobody looked")


def test_at_the_end_of_a_drill_that_did_not_pass_nothing_is_shown() -> None:
    failed = replace(PASSED, outcome=Outcome.NOT_RECOVERED, reason="3 jobs are lost")
    assert judge_repeat(failed, after(recoveries_repeated=1), []) == (
        Outcome.INVALID,
        "the control shows nothing: the drill ended NOT_RECOVERED: 3 jobs are lost",
    )


def test_a_drill_ends_with_its_second_recovery_where_one_incident_leaves_nothing_lost() -> None:
    one = (Phase.BASELINE, Phase.FAULT, Phase.FAULT, Phase.SYMPTOMS, Phase.RECOVERY, Phase.CRITERIA)
    assert ends_its_drill(False, one)
    assert ends_its_drill(False, (*one, Phase.RECOVERY, Phase.CRITERIA))
    assert not ends_its_drill(False, (*one, *one[1:]))
    assert not ends_its_drill(True, one)


@pytest.mark.parametrize("control", [NO_FAULT, NO_RECOVERY, TWICE, WITHOUT], ids=str)
@pytest.mark.parametrize("kind", [FindingKind.FAILED, FindingKind.UNKNOWN])
def test_what_else_goes_wrong_makes_a_control_show_nothing(control: Control, kind: FindingKind) -> None:
    good = [seen(SYMPTOM, met=False), seen(FIRST, met=False), seen(SECOND, met=False)]
    found = Finding(Phase.SYMPTOMS, kind, "something else")
    outcome, reason = ended(control, *good, findings=(found,))
    assert (outcome, reason) == (Outcome.INVALID, "the control shows nothing: something else")


@pytest.mark.parametrize("control", [NO_FAULT, NO_RECOVERY, TWICE, WITHOUT], ids=str)
def test_not_restored_and_aborted_come_first(control: Control) -> None:
    good = [seen(SYMPTOM, met=False), seen(FIRST, met=False), seen(SECOND, met=False)]
    assert ended(control, *good, progress=after(undo_open=1))[0] is Outcome.NOT_RESTORED
    stopped = Finding(Phase.SYMPTOMS, FindingKind.ABORTED, "SIGTERM")
    assert ended(control, *good, findings=(stopped,)) == (Outcome.ABORTED, "SIGTERM")


def test_how_each_phase_is_run() -> None:
    def ways(control: Control | None, incident: int = 1) -> list[Way]:
        return [way(control, phase, incident) for phase in list(Phase)[:5]]

    run, withheld, absent, out = Way.AS_WRITTEN, Way.WITHHELD, Way.ABSENT, Way.LEFT_OUT
    assert ways(None) == ways(TWICE) == [run] * 5
    assert ways(NO_FAULT) == [run, withheld, absent, out, out]
    assert ways(NO_RECOVERY) == [run, run, run, withheld, absent]
    assert ways(WITHOUT) == [run, run, run, run, absent]
    assert ways(NO_RECOVERY, incident=2)[1:] == [out] * 4


def test_a_control_waits_as_long_as_the_drill_needed_and_a_margin() -> None:
    drill = record(
        run_id="r",
        checks=[
            check(3, Phase.SYMPTOMS, found_s=12.0, since_s=10.0),
            check(3, Phase.SYMPTOMS, found_s=14.0, since_s=10.0),
            check(1, Phase.RESTORE, found_s=50.0, since_s=49.0),
            check(4, Phase.CRITERIA, found_s=None, since_s=10.0),
        ],
    )
    measured = Measured.of(drill)
    assert measured.run_id == "r"
    assert measured.needed_s == {(3, 0): 2.0, (3, 1): 4.0}
    wait = Wait(factor=2.0, margin_s=1.0)
    assert allowed_s(wait, measured, 3, 1, stated_s=600) == 9
    assert allowed_s(wait, measured, 3, 1, stated_s=5) == 5
    assert allowed_s(wait, measured, 4, 0, stated_s=600) == 600
    assert allowed_s(wait, None, 3, 0, stated_s=600) == 600


def lasted(*phases: tuple[Phase, float, float], steps: dict[int, float]) -> Measured:
    """A drill with these phases and these steps of the criteria, by the time at which they began."""
    kept = [StepRecord(number, "Then", "it", 1, Phase.CRITERIA, started_s=at) for number, at in steps.items()]
    return Measured.of(record(phases=[PhaseRecord(*each) for each in phases], steps=kept))


def test_a_criterion_gets_at_least_the_time_that_the_recovery_and_its_criteria_took() -> None:
    """Who heals by itself in that time is taken for recovered by the runbook otherwise."""
    measured = lasted(
        (Phase.RECOVERY, 10.0, 18.0),
        (Phase.CRITERIA, 18.0, 20.0),
        (Phase.FAULT, 20.0, 21.0),
        (Phase.RECOVERY, 30.0, 31.0),
        (Phase.CRITERIA, 31.0, 34.0),
        steps={5: 18.5, 9: 31.5, 10: 33.0},
    )
    assert measured.took_s == {5: 10.0, 9: 4.0, 10: 4.0}
    longer, like = wait_of(ControlKind.WITHOUT_TASK), wait_of(ControlKind.NO_FAULT)
    assert allowed_s(longer, measured, 5, 0, stated_s=2.0) == 10.0
    assert allowed_s(longer, measured, 5, 0, stated_s=60.0) == 60.0
    assert allowed_s(like, measured, 5, 0, stated_s=2.0) == 2.0
    assert allowed_s(longer, measured, 3, 0, stated_s=2.0) == 2.0


def test_a_symptom_that_is_looked_at_once_gets_the_time_after_its_fault() -> None:
    """From the first incident's fault as the record has it, and from the begin of a later one's."""
    measured = Measured.of(
        record(
            timeline=[EventRecord("fault_injected", "", 11.0, 0.5, "inject")],
            phases=[PhaseRecord(Phase.FAULT, 10.0, 14.0), PhaseRecord(Phase.FAULT, 50.0, 54.0)],
            checks=[
                check(3, Phase.SYMPTOMS, found_s=15.0, since_s=14.9),
                check(9, Phase.SYMPTOMS, found_s=57.0, since_s=56.0),
                check(11, Phase.CRITERIA, found_s=60.0, since_s=59.0),
            ],
        )
    )
    assert measured.after_fault_s == {(3, 0): 4.0, (9, 0): 7.0}
    like = wait_of(ControlKind.NO_FAULT)
    assert (once_s(like, measured, 3, 0), once_s(like, measured, 5, 0), once_s(like, None, 3, 0)) == (5.0, None, None)


def test_what_was_not_recovered_gets_longer_than_what_was_not_broken() -> None:
    no_fault, no_recovery = wait_of(ControlKind.NO_FAULT), wait_of(ControlKind.NO_RECOVERY)
    assert str(no_fault) == "as long as the drill needed, and 1 s; at most what the feature allows"
    assert str(no_recovery) == (
        "1.5 times what the drill needed, and 3 s; at most what the feature allows; "
        "at least as long as its recovery and criteria took"
    )
    assert wait_of(ControlKind.WITHOUT_TASK) == no_recovery


@pytest.mark.parametrize("text", ["no-fault", "no-recovery", "recovery-twice", "without:playbooks/a.yml:3"])
def test_a_control_reads_as_it_is_written(text: str) -> None:
    assert str(Control.parse(text)) == text


@pytest.mark.parametrize("text", ["", "none", "without", "without:", "no-fault:x"])
def test_what_is_no_control_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a control: there are no-fault, no-recovery, recovery-twice, without"):
        Control.parse(text)


DRILL = Run("x::s", "", Outcome.PASSED, "recovered")
HELD = [Run("x::s", kind, Outcome.HELD, "held") for kind in ("no-fault", "no-recovery", "recovery-twice")]


@pytest.mark.parametrize(
    ("runs", "against"),
    [
        ([DRILL, *HELD], None),
        (HELD, "the drill itself was not run"),
        ([DRILL, *HELD[1:]], "no-fault: this control was not run"),
        ([replace(DRILL, outcome=Outcome.INVALID), *HELD], "the drill ended INVALID: recovered"),
        ([DRILL, *HELD[:2], replace(HELD[2], outcome=Outcome.BETRAYED)], "recovery-twice: BETRAYED: held"),
        ([DRILL, HELD[0], replace(HELD[1], outcome=Outcome.INVALID), HELD[2]], "no-recovery: INVALID: held"),
    ],
)
def test_only_a_whole_proof_proves(runs: list[Run], against: str | None) -> None:
    (proof,) = proofs(runs)
    assert (proof.against, proof.proven) == (against, against is None)
    assert proof.as_json()["proven"] is (against is None)


def test_a_drill_alone_is_no_proof() -> None:
    assert proofs([DRILL]) == []
    assert not Proof("x::s", (DRILL,)).proven


def test_the_tasks_of_a_recovery() -> None:
    def task(path: str, status: str = "ok", action: str = "ansible.builtin.copy") -> dict[str, str]:
        return {"path": path, "status": status, "action": action}

    tasks = [
        task("a.yml:3", action="ansible.builtin.include_role"),
        task("a.yml:2", action="ansible.builtin.validate_argument_spec"),
        task("r.yml:1", "changed"),
        task("r.yml:1"),
        task("r.yml:9", "skipped"),
        task("a.yml:7"),
    ]
    plays = [play(Purpose.FAULT, task("f.yml:1")), play(Purpose.RECOVERY, *tasks)]
    assert tasks_of(record(plays=plays)) == ["r.yml:1", "a.yml:7"]
    told = [Run("x::s", "without:a.yml:7", Outcome.HELD, "every criterion held without it", unmissed=True)]
    assert unmissed([*told, Run("x::s", "without:r.yml:1", Outcome.HELD, "without r.yml:1: down")]) == ["a.yml:7"]
