"""The life of a drill: its leave to begin, its steps as they come, its end. For the pytest plugin.

The rule: whatever ends the steps (the last of them, a failure, a signal, an abort condition), the system is put back
next, and the verdict is spoken after that.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.engine.drill import Drill
from drillbook.engine.drill_log import Chronicle
from drillbook.engine.failures import DrillFailure, NotRestored
from drillbook.engine.restore import Restore
from drillbook.engine.stability import settle, still_met
from drillbook.errors import CouldNotLookError, DrillbookError, GuardError
from drillbook.evidence.files import folder_name
from drillbook.evidence.history import passed_drills
from drillbook.evidence.provenance import git_state, harness
from drillbook.evidence.writer import Recorder
from drillbook.model import paths
from drillbook.model.control.control import REPEATED, ControlKind, Way, way
from drillbook.model.control.waits import Measured, wait_of
from drillbook.model.phases import Phase, StepKind, incidents
from drillbook.model.record import (
    ControlRecord,
    EnvironmentRecord,
    FeatureRecord,
    Record,
    RepeatRecord,
    ScenarioRecord,
    StepRecord,
    StepStatus,
)
from drillbook.model.tags import SELF_HEALING, SELF_HEALING_OFF
from drillbook.model.times.clock import Anchor, rfc3339
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import FindingKind, Outcome, Verdict
from drillbook.safety.abort_condition import Aborted, AbortGuard, conditions, refuse_unhealthy
from drillbook.safety.data_loss import changes
from drillbook.safety.environment_lock import Holder
from drillbook.safety.permission import permit
from drillbook.safety.signals import Shield, Stopped
from drillbook.target.probing.prerequisites import refuse_too_few, verify
from drillbook.target.probing.prober import Prober

if TYPE_CHECKING:
    pass


class DrillUnderWay(Drill):
    """A drill, as the plugin leads it from its begin to its end."""

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, once the drill has ended."""
        return self._verdict

    @property
    def repeat(self) -> RepeatRecord | None:
        """How recovery-twice ended, once the drill has ended and where that was its end."""
        return self._chronicle.record.repeat if self._begun else None

    @property
    def reason(self) -> str:
        """The first reason against the drill as it stands."""
        return self._chronicle.judge(restored=False).reason

    @property
    def evidence(self) -> Path | None:
        """The evidence folder, once it exists."""
        return self._chronicle.folder if self._begun else None

    def begin(self) -> None:
        """Guard, lock, leftovers of earlier drills, evidence, prober: all before the first step.

        Raises DrillbookError when the drill may not or cannot begin, NotRestored when an earlier one is not undone.
        """
        session = self._session
        inventory = session.inventory
        where = inventory.where("drillbook_environment.kind")
        permit(inventory.environment, session.allow_production, self._scenario.tags, where)
        refuse_too_few(inventory, session.people)
        watched = conditions(self._scenario.tags, inventory.endpoints, inventory.where("drillbook_endpoints"))
        self._refuse_loss_before()
        self._prepare_control()
        self._lock = session.lock()
        dead = self._lock.acquire(self._scenario.name, lambda text: session.listener({"event": "note", "text": text}))
        try:
            self._restore_leftovers(dead)
            session.guardian.start()  # it is waited for before the first fault
            self._shield = Shield(lambda text: self._chronicle.tell("note", text=text))
            self._abort = AbortGuard(watched, self._shield)
            refuse_unhealthy(watched, session.redactor.text)
            prerequisites = verify(inventory, session.people, session.redactor.text)
            anchor = Anchor()
            self._settled_s = anchor.mono_s
            record = self._new_record(anchor)
            record.people, record.prerequisites = list(session.people), prerequisites
            title = self._scenario.name if self._control is None else f"{self._control} {record.title}"
            folder = session.evidence_root / folder_name(anchor.wall, title, self.run_id)
            recorder = Recorder(folder, record, session.redactor, session.listener, session.root)
            self._chronicle = Chronicle(anchor, record, recorder, self._objectives, self._control)
            self._lock.name_evidence(paths.located(folder, session.root))
            self._prober = Prober(inventory.endpoints)
            self._abort.watch(self._prober)
            self._prober.start()
            self._begun = True
            self._shield.raise_on_signal()
            self._abort.arm()
        except BaseException as error:
            if not self._begun:
                self._did_not_begin(error)
                self._lock.release()
            raise
        self._chronicle.tell(
            "drill",
            title=f"{self._scenario.feature_name}: {self._scenario.name}",
            where=self._scenario.place,
            environment=inventory.environment.name,
            objectives=record.objectives,
            control=None if self._control is None else f"{self._control}: {self._control.meaning}",
        )

    def _did_not_begin(self, error: BaseException) -> None:
        """Close the record, if it is there already: once the lock is free, nobody comes back for it."""
        if "_prober" in vars(self):
            self._prober.stop()
        if "_chronicle" in vars(self):
            sentence = f"the drill did not begin: {str(error) or type(error).__name__}"
            self._judged_anew(Phase.BASELINE, FindingKind.ABORTED, sentence)

    def _refuse_loss_before(self) -> None:
        """What the steps will run is known before, where their source shows that they only hand values over."""
        healers = self._scenario.tag_values(SELF_HEALING_OFF) if SELF_HEALING in self._scenario.tags else ()
        for healer in healers:
            self._refuse_loss(changes(StepKind.FAULT, healer))
        for kind, name in self._acts():
            self._refuse_loss(changes(kind, name))

    def _prepare_control(self) -> None:
        """Know how long the drill itself needed. Raises GuardError when the control could not show anything."""
        scenario = self._scenario
        if self._control is None:
            return
        healing_off = scenario.tag_values(SELF_HEALING_OFF)
        if self._control.kind is ControlKind.NO_RECOVERY and SELF_HEALING in scenario.tags and not healing_off:
            raise GuardError(
                f"{scenario.place}: the scenario is @{SELF_HEALING}, so that withholding the recovery "
                f"shows nothing: name the fault that switches the self-healing off with @{SELF_HEALING_OFF}:NAME "
                "(a folder below playbooks/faults)"
            )
        record = next(passed_drills(self._session.evidence_root, str(scenario.feature_path), scenario.name), None)
        self._measured = Measured.of(record) if record is not None else None

    def _control_record(self) -> ControlRecord | None:
        if self._control is None:
            return None
        measured = self._measured
        return ControlRecord(
            name=str(self._control),
            kind=self._control.kind,
            task=self._control.task,
            waits=str(wait_of(self._control.kind))
            if measured is not None
            else "as the feature states: no drill of it has passed yet",
            times_from=measured.run_id if measured is not None else None,
        )

    def _restore_leftovers(self, dead: Holder | None) -> None:
        undone = self._session.restore_leftovers(dead)
        failed = [one for one in undone if one.problem]
        if failed:
            raise NotRestored(
                f"NOT_RESTORED: an earlier drill left the fault {failed[0].entry.fault!r} and it cannot be undone: "
                f"{failed[0].problem}. No drill starts over it"
            )

    def _new_record(self, anchor: Anchor) -> Record:
        scenario, session = self._scenario, self._session
        environment = session.inventory.environment
        feature = session.root / scenario.feature_path
        return Record(
            run_id=self.run_id,
            title=scenario.name,
            feature=FeatureRecord(
                name=scenario.feature_name,
                path=str(scenario.feature_path),
                line=scenario.line,
                sha256=hashlib.sha256(feature.read_bytes()).hexdigest(),
            ),
            scenario=ScenarioRecord(
                name=scenario.name,
                rule=scenario.rule_name,
                description=scenario.description,
                tags=sorted(scenario.tags),
                runbooks=sorted(tag.removeprefix("runbook:") for tag in scenario.tags if tag.startswith("runbook:")),
            ),
            environment=EnvironmentRecord(environment.name, environment.kind.value),
            inventory=session.inventory_name,
            harness=harness(),
            git=git_state(session.root),
            process=os.getpid(),
            started_at=rfc3339(anchor.wall),
            objectives=self._objectives,
            control=self._control_record(),
            steps=[
                StepRecord(number, step.keyword, step.text, step.line, phase)
                for number, (step, phase) in enumerate(zip(scenario.steps, scenario.phases, strict=True), start=1)
            ],
        )

    def runs(self, number: int) -> bool:
        """Whether this step (numbers count from 1) is run at all; in a control some are left out."""
        phases = self._scenario.phases
        self._way = way(self._control, phases[number - 1], incidents(phases[:number]))
        if self._way is Way.LEFT_OUT or self._shown(number):
            self._chronicle.record.steps[number - 1].status = StepStatus.LEFT_OUT
            return False
        return True

    def _shown(self, number: int) -> bool:
        """Whether a control has shown already what this step would show: one criterion of its recovery is not met."""
        if any(finding.kind is FindingKind.MISSED for finding in self._chronicle.findings):
            return True
        before = self._scenario.phases[: number - 1]
        acted = max((at for at, phase in enumerate(before, start=1) if phase is Phase.RECOVERY), default=0)
        return self._way is Way.ABSENT and any(
            check.phase is Phase.CRITERIA and check.step > acted and not check.met and not check.unknown
            for check in self._chronicle.record.checks
        )

    def tolerates(self, error: BaseException) -> bool:
        """Whether the scenario goes on after this error: in a control, what must not be so may say so."""
        return error is self._tolerated

    def step_started(self, number: int) -> None:
        """A step begins (numbers count from 1)."""
        self._abort.check()
        self._chronicle.step_started(number)

    def step_passed(self) -> None:
        """The step under way ended well. Raises Stopped or DrillFailure when it only seems so."""
        self._abort.check()
        if self._shield.stopped_by is not None:
            raise Stopped(self._shield.stopped_by)  # once more: the step took it for an error, and went on
        if self._chronicle.findings:
            # so did this one with what speaks against the drill: it ends here all the same
            outcome = self._chronicle.judge(restored=False).outcome
            raise DrillFailure(f"{outcome}: {self._chronicle.findings[-1].sentence}")
        step = self._chronicle.step
        idle = self._chronicle.idle(step) if step is not None and self._way is Way.AS_WRITTEN else None
        if step is not None and idle is not None:
            sentence = f"the step '{step.keyword} {step.text}' {idle}"
            raise self._fail(step.phase, FindingKind.UNKNOWN, sentence)
        self._close_step(self._status())

    def _status(self) -> str:
        if self._way is Way.WITHHELD:
            return "withheld"
        if self._way is not Way.ABSENT or self._chronicle.step is None:
            return "passed"
        number = self._chronicle.step.number
        met = [check.met for check in self._chronicle.record.checks if check.step == number]
        return "present" if met and all(met) else "absent"

    def step_failed(self, error: BaseException) -> None:
        """The step under way raised."""
        missed = isinstance(error, DrillFailure) and self._chronicle.findings[-1].kind is FindingKind.MISSED
        could_not = self._chronicle.phase is Phase.CRITERIA and isinstance(error, CouldNotLookError)
        if missed or (self._way is Way.ABSENT and (could_not or isinstance(error, AssertionError))):
            self._tolerated = error
            self._close_step("absent", str(error).strip() or type(error).__name__)
            return
        self._raised(error)
        self._close_step("failed", str(error).strip() or type(error).__name__)

    @property
    def sound_so_far(self) -> bool:
        """All steps were done, and nothing speaks against the drill; not yet put back."""
        return self._sound_so_far

    def doubt(self, sentence: str) -> None:
        """pytest does not take the scenario for passed, whatever its steps came to: neither does the record."""
        self._sound_so_far = False
        self._fail(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)

    def steps_ended(self, stopped_by: BaseException | None) -> None:
        """All steps were done, or one ended neither well nor badly (skipped itself, interrupted).

        Judges the criteria as a whole; from here on signals wait for the restore. Raises DrillFailure when the drill
        did not prove what it should; not when it was stopped, so that what stopped it goes on.
        """
        whole = self._control is None or self._control.kind is ControlKind.RECOVERY_TWICE
        if whole and stopped_by is None and self._chronicle.step is None and not self._chronicle.findings:
            try:
                settle(self._chronicle, self._prober, self._criteria)
                self._repeat()
            except Aborted:
                pass  # told below, as what was seen
            except KeyboardInterrupt as stop:
                self._judged = True
                self._stopped(stop)
                raise
        self._shield.hold()
        aborted = self._aborted()
        self._judged = True
        if isinstance(stopped_by, (KeyboardInterrupt, SystemExit, pytest.exit.Exception)):
            self._stopped(stopped_by)
            return
        if aborted is not None:
            raise aborted
        if self._chronicle.step is not None:
            self._left_open(stopped_by)
        elif stopped_by is not None:
            self._raised(stopped_by)  # not a step, but a hook or the record after it
        if self._control is not None and self._control.task is not None and not self._left_out_seen:
            sentence = f"the task {self._control.task} is not part of what the recovery runs: nothing was left out"
            self._chronicle.find(Phase.RECOVERY, FindingKind.UNKNOWN, sentence)
        self._session.switches.tell(self._chronicle)
        verdict = self._chronicle.judge(restored=False)
        if not verdict.outcome.good:
            raise DrillFailure(f"{verdict.outcome}: {verdict.reason}")
        repeat = self._chronicle.repeat(verdict)
        if repeat is not None and not repeat.outcome.good:
            raise DrillFailure(f"{repeat.outcome}: {REPEATED}: {repeat.reason}")
        self._sound_so_far = True

    def _repeat(self) -> None:
        """The control recovery-twice as the end of its drill: the recoveries once more, in their order."""
        chronicle = self._chronicle
        if not self._scenario.repeats or not chronicle.judge(restored=False).outcome.good:
            return
        chronicle.phase_started(Phase.REPEAT, time.monotonic())
        try:
            for again in self._recoveries:
                self._recover_again(*again)
            if self._recoveries:
                still_met(chronicle, self._prober, self._criteria)
        except DrillFailure:
            pass  # it stands among the findings
        except DrillbookError as error:
            self._raised(error)

    def _aborted(self) -> DrillFailure | None:
        """Why the drill is over, when its abort condition fired; from here on that is noted only."""
        fired = self._abort.hold()
        if fired is None:
            return None
        self._chronicle.mark(Event.ABORT_FIRED, fired.moment(self._prober.of(fired.endpoint).all()))
        failure = self._fail(self._chronicle.phase, FindingKind.ABORTED, fired.sentence)
        self._close_step("interrupted", fired.sentence)
        return failure

    def _stopped(self, by: BaseException) -> None:
        step, reason = self._chronicle.step, str(by) or type(by).__name__
        where = f"'{step.keyword} {step.text}'" if step is not None else "between two steps"
        self._fail(self._chronicle.phase, FindingKind.ABORTED, f"the drill was stopped in {where}: {reason}")
        self._close_step("interrupted", reason)

    def _left_open(self, stopped_by: BaseException | None) -> None:
        step = self._chronicle.step
        assert step is not None
        if stopped_by is None or isinstance(stopped_by, pytest.skip.Exception):
            text = f"'{step.keyword} {step.text}'"
            self._fail(step.phase, FindingKind.UNKNOWN, f"the step {text} skipped itself: nothing is proven")
            self._close_step("skipped", "skipped itself")
        else:
            self.step_failed(stopped_by)

    def _close_step(self, status: str, error: str | None = None) -> None:
        self._chronicle.step_closed(status, error, self._prober, self._load)
        self._session.switches.tell(self._chronicle)

    def end(self) -> None:
        """Put everything back, balance the work, judge, write the evidence. Always runs; shielded from signals.

        Raises NotRestored when the system is not as it was, DrillFailure when the end of the drill speaks against it
        although its steps did not.
        """
        if not self._begun or self._verdict is not None:
            return
        self._shield.hold()
        self._abort.hold()
        if not self._judged and self._aborted() is None:
            self._fail(self._chronicle.phase, FindingKind.UNKNOWN, "the steps ended without being judged")
        chronicle, inventory = self._chronicle, self._session.inventory
        try:
            baseline = [(kept.record.step, kept.check) for kept in self._baseline]
            whole = self._control is not None and self._control.kind is not ControlKind.RECOVERY_TWICE
            restore = Restore(
                self._session, chronicle, self._prober, self._load, self._objectives.accepted_lost, may_be_whole=whole
            )
            restore.run(self.run_id, baseline)
            self._prober.stop()
            for note in self._abort.notes():
                chronicle.note(note)
            self._verdict = self._closed({name: each.kind.value for name, each in inventory.endpoints.items()})
        finally:
            self._session.switches.close()
            self._prober.stop()
            self._abort.release()
            self._lock.release()
            self._shield.release()
        self._tell_verdict(self._verdict)
        if self._verdict.outcome is Outcome.NOT_RESTORED:
            raise NotRestored(f"NOT_RESTORED: {self._verdict.reason}")
        if self._sound_so_far and not self._verdict.outcome.good:
            raise DrillFailure(f"{self._verdict.outcome}: {self._verdict.reason}")

    def _closed(self, kinds: Mapping[str, str]) -> Verdict:
        """The verdict, once it is in the record; a drill whose record cannot be closed has proven nothing."""
        verdict = self._chronicle.judge(restored=True)
        try:
            self._chronicle.close(verdict, self._prober, self._load, kinds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the drill has to be told as what it came to
            return self._judged_anew(Phase.CRITERIA, FindingKind.UNKNOWN, f"the record could not be closed: {error}")
        return verdict

    def take_back(self, sentence: str) -> Verdict:
        """What came to light after the end speaks against the drill: the record is judged and written once more."""
        self._verdict = self._judged_anew(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)
        self._tell_verdict(self._verdict)
        return self._verdict

    def _judged_anew(self, phase: Phase, kind: FindingKind, sentence: str) -> Verdict:
        """The verdict with this against the drill, in the record where that can be written."""
        self._chronicle.find(phase, kind, sentence)
        verdict = self._chronicle.judge(restored=True)
        try:
            self._chronicle.amend(verdict)
        except Exception as error:  # noqa: BLE001 - pytest's hooks call this, and an error there ends the session
            self._chronicle.tell("note", text=f"the verdict {verdict.outcome} is not in the record: {error}")
        return verdict

    @property
    def held_signals(self) -> tuple[str, ...]:
        """The signals that came while the system was put back: the session is to end."""
        return tuple(self._shield.held) if self._begun else ()

    def _tell_verdict(self, verdict: Verdict) -> None:
        record = self._chronicle.record
        self._chronicle.tell(
            "verdict",
            repeat=record.repeat,
            outcome=verdict.outcome,
            reason=verdict.reason,
            axes=record.axes,
            times=record.times,
            work=record.work,
            overhead=record.overhead,
            plays=[play.warm for play in record.plays],
            evidence=paths.relative(self._chronicle.folder, self._session.root),
        )
