"""The life of a drill: its begin, its steps as they come, its end. The caller that runs the steps (pytest) drives it.

The rule: whatever ends the steps (the last of them, a failure, a signal, an abort condition), the drill puts the system
back next, and gives the verdict after that.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from drillbook.engine.acting import Acting
from drillbook.engine.beginning import Begun, NamedActs, ask_leave, judge_anew, restore_leftovers, start
from drillbook.engine.drill import Drill
from drillbook.engine.failures import DrillFailure, NotRestored
from drillbook.engine.keeping.artefacts import StepFiles
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.keeping.sealing import unsigned
from drillbook.engine.keeping.switch_record import record_switches
from drillbook.engine.restore import Restore
from drillbook.engine.session import DrillSession
from drillbook.engine.stability import settle, still_met
from drillbook.engine.under_way import UnderWay
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model import paths
from drillbook.model.control import REPEATED, ControlKind, Way, way
from drillbook.model.phases import Phase, incidents
from drillbook.model.record import Record, RepeatRecord, Role, StepRecord, StepStatus
from drillbook.model.scenario import Scenario
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import FindingKind, Outcome, Verdict
from drillbook.safety.abort_condition import Aborted
from drillbook.safety.signals import Stopped


class DrillLife:
    """One drill from its begin to its end."""

    def __init__(
        self, session: DrillSession, scenario: Scenario, acts: NamedActs = tuple, steps: StepFiles = tuple
    ) -> None:
        self.run_id = uuid.uuid4().hex
        session.runs.add(self.run_id)
        self._session, self._scenario, self._acts, self._steps = session, scenario, acts, steps
        self._begun: Begun | None = None
        self._way = Way.AS_WRITTEN
        self._tolerated: BaseException | None = None
        self._judged = False
        self._sound_so_far = False
        self._verdict: Verdict | None = None

    # ------------------------------------------------------------------ what others may know about it

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, once the drill has ended."""
        return self._verdict

    @property
    def repeat(self) -> RepeatRecord | None:
        """How recovery-twice ended, when the drill has ended and recovery-twice was its end."""
        return self._log.record.repeat if self._begun is not None else None

    @property
    def record(self) -> Record | None:
        """The record, once the drill has begun."""
        return self._log.record if self._begun is not None else None

    @property
    def reason(self) -> str:
        """The first reason against the drill so far."""
        return self._log.judge(restored=False).reason

    @property
    def standing(self) -> Outcome:
        """The outcome so far, with the control that was its end; the system is not put back yet."""
        verdict = self._log.judge(restored=False)
        repeat = self._log.repeat(verdict)
        return repeat.outcome if verdict.outcome.good and repeat is not None else verdict.outcome

    @property
    def evidence(self) -> Path | None:
        """The evidence folder, once the drill has begun."""
        return self._log.folder if self._begun is not None else None

    @property
    def sound_so_far(self) -> bool:
        """All steps were done, and nothing speaks against the drill so far. The system is not put back yet."""
        return self._sound_so_far

    @property
    def held_signals(self) -> tuple[str, ...]:
        """The signals that came during the restore: the session must end."""
        return tuple(self._begun.shield.held) if self._begun is not None else ()

    @property
    def _parts(self) -> Begun:
        assert self._begun is not None, "the drill has not begun"
        return self._begun

    @property
    def _drill(self) -> UnderWay:
        return self._parts.under_way

    @property
    def _log(self) -> DrillLog:
        return self._drill.log

    # ------------------------------------------------------------------ its begin

    def begin(self) -> Drill:
        """Guard, lock, leftovers of earlier drills, evidence, prober: all before the first step.

        Raises DrillbookError when the drill may not or cannot begin, NotRestored when an earlier one is not undone.
        """
        session, scenario = self._session, self._scenario
        leave = ask_leave(session, scenario, self._acts, self._steps)
        lock = session.lock()
        dead = lock.acquire(scenario.name, lambda text: session.listener({"event": "note", "text": text}))
        try:
            restore_leftovers(session, dead)
            session.guardian.start()  # the drill waits for it before the first fault
            self._begun = start(session, leave, self.run_id, lock, self._note)
            self._begun.shield.raise_on_signal()
            self._drill.abort.arm()
        except BaseException:
            if self._begun is None:
                lock.release()
            raise
        control = scenario.control
        self._log.tell(
            "drill",
            title=f"{scenario.feature_name}: {scenario.name}",
            where=scenario.place,
            environment=session.inventory.environment.name,
            objectives=self._log.record.objectives,
            control=None if control is None else f"{control}: {control.meaning}",
        )
        return self._parts.drill

    def _note(self, text: str) -> None:
        if self._begun is not None:
            self._log.tell("note", text=text)

    # ------------------------------------------------------------------ its steps

    def runs(self, number: int) -> bool:
        """Whether this step (numbers count from 1) runs at all; a control leaves some out."""
        phases = self._scenario.phases
        self._way = way(self._scenario.control, phases[number - 1], incidents(phases[:number]))
        if self._way is Way.LEFT_OUT or self._shown(number):
            self._log.record.steps[number - 1].status = StepStatus.LEFT_OUT
            return False
        self._parts.drill.run_steps(self._way)
        return True

    def _shown(self, number: int) -> bool:
        """Whether a control has already shown what this step would show: one criterion of its recovery is not met."""
        if any(finding.kind is FindingKind.MISSED for finding in self._log.findings):
            return True
        before = self._scenario.phases[: number - 1]
        acted = max((at for at, phase in enumerate(before, start=1) if phase is Phase.RECOVERY), default=0)
        return self._way is Way.ABSENT and any(
            check.phase is Phase.CRITERIA
            and check.step > acted
            and check.role is not Role.BOUND
            and not check.met
            and not check.unknown
            for check in self._log.record.checks
        )

    def tolerates(self, error: BaseException) -> bool:
        """Whether the scenario goes on after this error: in a control, an unmet check may be right."""
        return error is self._tolerated

    def step_started(self, number: int) -> None:
        """A step begins (numbers count from 1)."""
        self._drill.abort.check()
        self._log.step_started(number)

    def step_passed(self) -> None:
        """The current step ended well. Raises Stopped or DrillFailure when it only seems so."""
        log = self._log
        self._drill.abort.check()
        stopped_by = self._parts.shield.stopped_by
        if stopped_by is not None:
            raise Stopped(stopped_by)  # once more: the step took it for an error, and went on
        findings = log.findings
        if findings:
            # the step also swallowed a finding against the drill: the drill ends here all the same
            raise DrillFailure(f"{log.judge(restored=False).outcome}: {findings[-1].sentence}")
        step = log.step
        idle = log.idle(step) if step is not None and self._way is Way.AS_WRITTEN else None
        if step is not None and idle is not None:
            sentence = f"the step '{step.keyword} {step.text}' {idle}"
            raise self._drill.fail(step.phase, FindingKind.UNKNOWN, sentence)
        self._close_step(self._status(step))

    def _status(self, step: StepRecord | None) -> str:
        if self._way is Way.WITHHELD:
            return "withheld"
        if self._way is not Way.ABSENT or step is None:
            return "passed"
        met = [check.met for check in self._log.record.checks if check.step == step.number]
        return "present" if met and all(met) else "absent"

    def step_failed(self, error: BaseException) -> None:
        """The current step raised an error."""
        missed = isinstance(error, DrillFailure) and self._log.findings[-1].kind is FindingKind.MISSED
        could_not = self._log.phase is Phase.CRITERIA and isinstance(error, CouldNotLookError)
        if missed or (self._way is Way.ABSENT and (could_not or isinstance(error, AssertionError))):
            self._tolerated = error
            self._close_step("absent", str(error).strip() or type(error).__name__)
            return
        self._drill.tell(error)
        self._close_step("failed", str(error).strip() or type(error).__name__)

    def _close_step(self, status: str, error: str | None = None) -> None:
        self._log.step_closed(status, error, self._drill.prober, self._drill.load)
        record_switches(self._session.switches, self._log)

    def doubt(self, sentence: str) -> None:
        """The runner does not take the scenario for passed, whatever its steps did; so the record does not, either."""
        self._sound_so_far = False
        self._drill.fail(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)

    # ------------------------------------------------------------------ the end of its steps

    def steps_ended(self, error: BaseException | None, *, stopped: bool, skipped: bool) -> None:
        """All steps were done, or `error` ended them: an interrupt (`stopped`), or one that `skipped` itself.

        Judges the criteria as a whole; from here on signals wait for the restore. Raises DrillFailure when the drill
        did not prove what it should. After a stop it raises nothing, so that the stopping error goes on.
        """
        log, control = self._log, self._scenario.control
        whole = control is None or control.kind is ControlKind.RECOVERY_TWICE
        if whole and error is None and log.step is None and not log.findings:
            self._settle()
        self._parts.shield.hold()
        aborted = self._aborted()
        self._judged = True
        if stopped and error is not None:
            self._stopped(error)
            return
        if aborted is not None:
            raise aborted
        if log.step is not None:
            self._left_open(log.step, error, skipped=skipped)
        elif error is not None:
            self._drill.tell(error)  # not a step, but a hook or the record after it
        if control is not None and control.task is not None and not self._drill.left_out_seen:
            sentence = f"the task {control.task} is not part of what the recovery runs: nothing was left out"
            log.find(Phase.RECOVERY, FindingKind.UNKNOWN, sentence)
        record_switches(self._session.switches, log)
        verdict = log.judge(restored=False)
        if not verdict.outcome.good:
            raise DrillFailure(f"{verdict.outcome}: {verdict.reason}")
        repeat = log.repeat(verdict)
        if repeat is not None and not repeat.outcome.good:
            raise DrillFailure(f"{repeat.outcome}: {REPEATED}: {repeat.reason}")
        self._sound_so_far = True

    def _settle(self) -> None:
        """The criteria hold together; in a proof the recoveries run once more. Raises KeyboardInterrupt."""
        try:
            settle(self._drill)
            self._repeat()
        except Aborted:
            pass  # the abort guard says so, with what it saw
        except KeyboardInterrupt as stop:
            self._judged = True
            self._stopped(stop)
            raise

    def _repeat(self) -> None:
        """The control recovery-twice as the end of its drill: the recoveries once more, in their order."""
        drill, log = self._drill, self._log
        if not self._scenario.repeats or not log.judge(restored=False).outcome.good:
            return
        log.phase_started(Phase.REPEAT, time.monotonic())
        try:
            for again in drill.recoveries:
                Acting(drill).recover_again(*again)
            if drill.recoveries:
                still_met(drill)
        except DrillFailure:
            pass  # it is already among the findings
        except DrillbookError as error:
            drill.tell(error)

    def _aborted(self) -> DrillFailure | None:
        """Why the drill is over, when its abort condition fired. From here on a failure is only noted."""
        fired = self._drill.abort.hold()
        if fired is None:
            for sentence in self._drill.abort.unseen(self._drill.prober):
                self._log.find(Phase.CRITERIA, FindingKind.UNKNOWN, sentence)
            return None
        self._log.mark(Event.ABORT_FIRED, fired.moment(self._drill.prober.of(fired.endpoint).all()))
        failure = self._drill.fail(self._log.phase, FindingKind.ABORTED, fired.sentence)
        self._close_step("interrupted", fired.sentence)
        return failure

    def _stopped(self, by: BaseException) -> None:
        step, reason = self._log.step, str(by) or type(by).__name__
        where = f"'{step.keyword} {step.text}'" if step is not None else "between two steps"
        self._drill.fail(self._log.phase, FindingKind.ABORTED, f"the drill was stopped in {where}: {reason}")
        self._close_step("interrupted", reason)

    def _left_open(self, step: StepRecord, error: BaseException | None, *, skipped: bool) -> None:
        if error is None or skipped:
            text = f"'{step.keyword} {step.text}'"
            sentence = f"the step {text} skipped itself: nothing is proven"
            self._drill.fail(step.phase, FindingKind.UNKNOWN, sentence)
            self._close_step("skipped", "skipped itself")
        else:
            self.step_failed(error)

    # ------------------------------------------------------------------ its end

    def end(self) -> None:
        """Put everything back, balance the work, judge, write the evidence. Always runs; shielded from signals.

        Raises NotRestored when the system is not as it was, DrillFailure when the end of the drill speaks against it
        although its steps did not.
        """
        if self._begun is None or self._verdict is not None:
            return
        drill, control = self._drill, self._scenario.control
        self._begun.shield.hold()
        drill.abort.hold()
        if not self._judged and self._aborted() is None:
            drill.fail(self._log.phase, FindingKind.UNKNOWN, "the steps ended without being judged")
        try:
            partial = control is not None and control.kind is not ControlKind.RECOVERY_TWICE
            Restore(drill, may_be_whole=partial).run()
            drill.prober.stop()
            for note in (*drill.abort.notes(), *drill.prober.unseen(self._log.at), *drill.prober.redirected()):
                self._log.note(note)
            self._verdict = self._closed()
        finally:
            self._session.switches.close()
            drill.prober.stop()
            drill.abort.release()
            self._begun.lock.release()
            self._begun.shield.release()
        self._tell_verdict(self._verdict)
        if self._verdict.outcome is Outcome.NOT_RESTORED:
            raise NotRestored(f"NOT_RESTORED: {self._verdict.reason}")
        if self._sound_so_far and not self._verdict.outcome.good:
            raise DrillFailure(f"{self._verdict.outcome}: {self._verdict.reason}")

    def _closed(self) -> Verdict:
        """The verdict, once the record has it. A drill whose record cannot be closed has proven nothing."""
        kinds = {name: each.kind.value for name, each in self._session.inventory.endpoints.items()}
        verdict = self._log.judge(restored=True)
        if self._drill.seal is not None:
            self._log.record.signature = self._drill.seal.signature()
        try:
            self._log.close(verdict, self._drill.prober, self._drill.load, kinds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the drill has to be told as what it came to
            sentence = f"the record could not be closed: {error}"
            return judge_anew(self._log, Phase.CRITERIA, FindingKind.UNKNOWN, sentence)
        return verdict

    def take_back(self, sentence: str) -> Verdict:
        """A fact that came to light after the end speaks against the drill: judge and write the record once more."""
        self._verdict = judge_anew(self._log, Phase.CRITERIA, FindingKind.UNKNOWN, sentence)
        self._tell_verdict(self._verdict)
        return self._verdict

    def seal(self) -> str | None:
        """Seal the evidence after the last write. If that fails, returns why; the record has it then."""
        seal = self._drill.seal if self._begun is not None else None
        problem = None if seal is None else seal.close()
        if problem is not None:
            self._log.record.signature = unsigned(problem)
            if self._verdict is None or not self._verdict.outcome.good:
                self._log.tell("note", text=problem)
                self._log.save()
        return problem

    def _tell_verdict(self, verdict: Verdict) -> None:
        record = self._log.record
        self._log.tell(
            "verdict",
            repeat=record.repeat,
            outcome=verdict.outcome,
            reason=verdict.reason,
            axes=record.axes,
            times=record.times,
            work=record.work,
            overhead=record.overhead,
            timings=record.timings,
            plays=[play.warm for play in record.plays],
            evidence=paths.relative(self._log.folder, self._session.root),
        )
