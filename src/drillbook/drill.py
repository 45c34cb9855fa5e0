"""One drill: what the steps call, and its life from the baseline to the restored system.

A step says what it looks at or which playbook it runs; this module waits, measures, notes and judges. It holds no
knowledge of Redis, queues or HTTP: that stands in steps/ and playbooks/.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drillbook import signals
from drillbook.checks import MISSING, Check, Observation, Reading
from drillbook.clock import Anchor, rfc3339
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.evidence.provenance import git_state, harness
from drillbook.evidence.record import (
    CheckRecord,
    EventRecord,
    FaultRecord,
    ProbeRecord,
    Record,
    StepRecord,
    WorkRecord,
)
from drillbook.evidence.recorder import Recorder, folder_name
from drillbook.guard import permit
from drillbook.journal import EntryState
from drillbook.ledger import Account
from drillbook.load import Load
from drillbook.phases import Phase, StepKind
from drillbook.playbook import PlayResult
from drillbook.probe import Prober
from drillbook.session import DrillSession, play_record, relative
from drillbook.timeline import Event, Found, Judged, Moment, Span, last_recovery, times
from drillbook.undo import Undone, undo_all, undo_playbook
from drillbook.verdict import Finding, FindingKind, Outcome, Progress, Verdict, judge
from drillbook.watch import Watched, watch

if TYPE_CHECKING:
    from testinfra.host import Host

    from drillbook.collection import ScenarioItem

PLAY_TIMEOUT_S = 600.0
DEFAULT_DEADLINE_S = 600.0
RESTORE_DEADLINE_S = 60.0
WORK_DEADLINE_S = 60.0
KEEP_IDS = 100


class DrillFailure(AssertionError):
    """A drill did not prove what it should; its text is the whole story and no traceback is wanted."""

    __drillbook_sentence__ = True


class NotRestored(DrillFailure):
    """The system was not put back."""


@dataclass(slots=True)
class _Kept:
    """A check that was met once, and has to be so again (baseline) or to stay so (criteria)."""

    check: Check
    record: CheckRecord
    found: Found


@dataclass(slots=True)
class _State:
    """What the verdict is a function of."""

    findings: list[Finding] = field(default_factory=list)
    baseline: list[_Kept] = field(default_factory=list)
    criteria: list[_Kept] = field(default_factory=list)
    symptom_checks: int = 0
    criterion_checks: int = 0
    faults_injected: int = 0
    recoveries_done: int = 0
    baseline_again: int = 0


class Drill:
    """A drill under way. The first group of methods is for steps, the second for the pytest plugin."""

    def __init__(self, session: DrillSession, item: ScenarioItem) -> None:
        self._session, self._item = session, item
        self.run_id = uuid.uuid4().hex
        self._anchor = Anchor()
        self._state = _State()
        self._moments: dict[Event, Moment] = {}
        self._step: StepRecord | None = None
        self._step_began_s = self._anchor.mono_s
        self._load: Load | None = None
        self._verdict: Verdict | None = None
        self._begun = False
        self._flushed: dict[str, int] = {}
        self._flushed_attempts = 0
        self._objectives = Objectives.of(item.tags)

    # ------------------------------------------------------------------ for steps

    @property
    def inventory(self) -> Any:
        """The resolved inventory (`variable(host, name)`, `names(pattern)`, `endpoints`)."""
        return self._session.inventory

    def hosts(self, pattern: str) -> list[Host]:
        """testinfra hosts of a host or group name; never empty. Raises InventoryError."""
        return self._session.inventory.hosts(pattern)

    def inject(self, name: str, **variables: object) -> PlayResult:
        """Break something: playbooks/faults/NAME/inject.yml, with its undo on disk first.

        Raises DrillFailure when the fault did not demonstrably happen: the drill is then INVALID.
        """
        folder = self._session.root / "playbooks" / "faults" / name
        undo = undo_playbook(self._session.root, name)
        for path in (folder / "inject.yml", undo):
            if not path.is_file():
                raise DrillbookError(
                    f"no {relative(path, self._session.root)}: a fault is a folder with inject.yml and undo.yml"
                )
        entry_id = uuid.uuid4().hex
        record = FaultRecord(name, variables, entry_id)
        self._record.faults.append(record)
        self._recorder.save()
        self._session.journal.plan(
            entry_id,
            run_id=self.run_id,
            fault=name,
            variables=variables,
            inventory=self._session.inventory_name,
            undo_playbook=relative(undo, self._session.root),
            evidence=relative(self._recorder.folder, self._session.root),
        )
        result = self._play(folder / "inject.yml", variables, "fault")
        self._session.journal.mark(entry_id, EntryState.INJECTED)
        problem = self._fault_problem(result)
        if problem is not None:
            raise self._fail(Phase.FAULT, FindingKind.FAILED, f"the fault {name!r} did not happen: {problem}")
        record.took_effect = True
        self._state.faults_injected += 1
        change = result.first_change
        assert change is not None
        # it happened at some instant of the task that changed something; counted from that task's begin
        self._mark(
            Event.FAULT_INJECTED,
            Moment(change.started_s, change.ended_s - change.started_s, f"{result.playbook}: {change.task}"),
        )
        return result

    @staticmethod
    def _fault_problem(result: PlayResult) -> str | None:
        if not result.matched:
            return f"{result.playbook} matched no host"
        unsaid = result.unsaid()
        if unsaid:
            return unsaid[0]
        if result.status != "successful":
            return f"{result.playbook} ended {result.status} (rc {result.rc})"
        if not result.changed:
            return f"{result.playbook} changed nothing"
        return None

    def recover(self, name: str, **variables: object) -> PlayResult:
        """Run the team's procedure playbooks/recovery/NAME.yml and measure it.

        Raises DrillFailure (NOT_RECOVERED) when it failed, left something unsaid (ignored, rescued, unreachable), matched
        no host or changed nothing.
        """
        path = self._session.root / "playbooks" / "recovery" / f"{name}.yml"
        if not path.is_file():
            raise DrillbookError(f"no {relative(path, self._session.root)}: the step names a recovery that is not there")
        self._mark(Event.RECOVERY_STARTED, Moment(time.monotonic(), 0.0, f"recovery/{name}"), again=True)
        result = self._play(path, variables, "recovery")
        self._mark(Event.RECOVERY_FINISHED, Moment(result.ended_s, 0.0, f"recovery/{name}"), again=True)
        problem = self._fault_problem(result)
        if problem is not None:
            raise self._fail(Phase.RECOVERY, FindingKind.FAILED, f"the recovery {name!r} did not run clean: {problem}")
        self._state.recoveries_done += 1
        return result

    def leave_alone(self) -> None:
        """The recovery of a system that is expected to heal by itself: nobody does anything."""
        now = Moment(time.monotonic(), 0.0, "nobody acted")
        self._mark(Event.RECOVERY_STARTED, now, again=True)
        self._mark(Event.RECOVERY_FINISHED, now, again=True)
        self._state.recoveries_done += 1

    def eventually(self, check: Check, within: float) -> None:
        """The check is met within so many seconds of the event that opened the phase.

        Baseline: of the step's begin; symptoms: of the fault; criteria: of the recovery's start. Raises DrillFailure.
        """
        self._await(check, since_s=self._opened(), within_s=within, length_s=0.0)

    def expect(self, check: Check) -> None:
        """The check is met by the first look that begins now. Raises DrillFailure."""
        now = time.monotonic()
        self._await(check, since_s=now, within_s=0.0, length_s=0.0, first=True)

    def throughout(self, check: Check, for_: float, within: float | None = None) -> None:
        """The check is met by every look for `for_` seconds on end; the window begins within `within` seconds.

        Default for `within`: the RTO, or 10 minutes. The first unbroken window counts. Raises DrillFailure.
        """
        allowed = within if within is not None else (self._objectives.rto_s or DEFAULT_DEADLINE_S)
        self._await(check, since_s=self._opened(), within_s=allowed, length_s=for_)

    def always(self, check: Check) -> None:
        """The check was met by every sample since the event that opened the phase, and by one more from now.

        Raises DrillFailure with the first sample that did not; CouldNotLookError when there is none.
        """
        if not isinstance(check.source, str):
            raise DrillbookError(f"{check.name}: only what the prober samples can be asked about the past")
        series = self._prober.of(check.source)
        since_s, now = self._opened(), time.monotonic()
        self._await(check, since_s=now, within_s=0.0, length_s=0.0, first=True)
        past = [sample for sample in series.all() if sample.sent_s >= since_s and sample.error is None]
        record = self._record.checks[-1]
        record.samples += len(past)
        for sample in past:
            seen = check.judge(sample)
            if not seen.met:
                record.met, record.observed, record.found_s = False, seen.observed, self._at(sample.done_s)
                sentence = f"{check.name}: observed {seen.observed}, required {seen.required} all the time"
                raise self._fail(self._phase, FindingKind.FAILED, sentence)

    def before(self, reading: Reading) -> float:
        """The median of a sampled number before the first fault: what "back to baseline" is compared with.

        Raises CouldNotLookError when it was never read.
        """
        values = [value for value in self._values_before(reading) if isinstance(value, (int, float))]
        if not values:
            raise CouldNotLookError(f"{reading.subject}: not one number was read before the fault")
        return float(statistics.median(values))

    def _values_before(self, reading: Reading) -> list[object]:
        if not isinstance(reading.source, str):
            raise DrillbookError(f"{reading.subject}: only what the prober samples has a value before the fault")
        fault = self._moments.get(Event.FAULT_INJECTED)
        end_s = fault.at_s if fault else time.monotonic()
        return [
            value
            for sample in self._prober.of(reading.source).all()
            if self._baseline_began_s <= sample.sent_s and sample.done_s < end_s and sample.error is None
            for value in (reading.read(sample),)
            if value is not MISSING
        ]

    def last_before(self, reading: Reading) -> object:
        """The last value of a sampled reading before the first fault. Raises CouldNotLookError when it was never read."""
        values = self._values_before(reading)
        if not values:
            raise CouldNotLookError(f"{reading.subject}: not one value was read before the fault")
        return values[-1]

    def baseline_begins(self) -> None:
        """From here on the system counts as settled: `before` reads from now to the fault."""
        self._baseline_began_s = time.monotonic()

    def submit_work(self, per_second: float) -> Load:
        """Submit work at this rate from now on, through the front door that `drillbook_work` names."""
        work = self._session.inventory.work
        if work is None:
            raise DrillbookError(
                f"{self._session.inventory_name}: no drillbook_work in the inventory; it says how work is submitted and "
                "how what was done is counted"
            )
        if self._load is None:
            database = self._session.inventory.endpoints[work.completed_endpoint]
            self._load = Load(self._prober, work, database, f"drill-{self.run_id[:8]}-")
        self._load.submit(per_second)
        return self._load

    @property
    def load(self) -> Load:
        """The work that is being submitted. Raises DrillbookError when none is."""
        if self._load is None:
            raise DrillbookError("no work is submitted in this drill: say 'Given jobs are submitted at N per second'")
        return self._load

    def since_fault_s(self) -> float:
        """The monotonic instant of the fault. Raises DrillbookError before it."""
        if Event.FAULT_INJECTED not in self._moments:
            raise DrillbookError("nothing is broken yet: this step belongs after a fault")
        return self._moments[Event.FAULT_INJECTED].at_s

    def note(self, text: str) -> None:
        """Keep an observation in the record."""
        self._record.notes.append(text)
        self._recorder.tell("note", text=text)

    # ------------------------------------------------------------------ for the plugin

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, once the drill has ended."""
        return self._verdict

    @property
    def outcome(self) -> Outcome | None:
        """The outcome, once the drill has ended."""
        return self._verdict.outcome if self._verdict else None

    @property
    def evidence(self) -> Path | None:
        """The evidence folder, once it exists."""
        return self._recorder.folder if self._begun else None

    def begin(self) -> None:
        """Guard, lock, leftovers of earlier drills, evidence, prober: all before the first step."""
        session = self._session
        inventory = session.inventory
        permit(inventory.environment, session.allow_production, self._item.tags)
        self._lock = session.lock()
        self._lock.acquire(self._item.scenario_name, lambda text: session.listener({"event": "note", "text": text}))
        try:
            self._restore_leftovers()
            self._anchor = Anchor()
            self._baseline_began_s = self._anchor.mono_s
            self._record = self._new_record()
            folder = session.evidence_root / folder_name(self._anchor.wall, self._item.scenario_name, self.run_id)
            self._recorder = Recorder(folder, self._record, session.redactor, session.listener)
            self._prober = Prober(inventory.endpoints)
            self._prober.start()
        except BaseException:
            self._lock.release()
            raise
        self._signals = signals.Shield()
        self._signals.raise_on_signal()
        self._begun = True
        self._recorder.tell(
            "drill",
            title=f"{self._item.feature_name}: {self._item.scenario_name}",
            where=f"{self._item.feature_path}:{self._item.line}",
            environment=inventory.environment.name,
            objectives=self._record.objectives,
        )

    def _restore_leftovers(self) -> None:
        undone = self._session.restore_leftovers()
        close_dead_runs(self._session, undone)
        failed = [one for one in undone if one.problem]
        if failed:
            raise NotRestored(
                f"NOT_RESTORED: an earlier drill left the fault {failed[0].entry.fault!r} and it cannot be undone: "
                f"{failed[0].problem}. No drill starts over it"
            )

    def _new_record(self) -> Record:
        item, session = self._item, self._session
        path = session.root / item.feature_path
        return Record(
            run_id=self.run_id,
            title=item.scenario_name,
            feature={"name": item.feature_name, "path": str(item.feature_path), "line": item.line, "sha256": _sha256(path)},
            scenario={
                "name": item.scenario_name,
                "rule": item.rule_name,
                "tags": sorted(item.tags),
                "runbooks": sorted(tag.removeprefix("runbook:") for tag in item.tags if tag.startswith("runbook:")),
            },
            environment={"name": session.inventory.environment.name, "kind": session.inventory.environment.kind.value},
            inventory=session.inventory_name,
            harness=harness(),
            git=git_state(session.root),
            process=_own_pid(),
            started_at=rfc3339(self._anchor.wall),
            objectives=self._objectives.as_record(),
            steps=[
                StepRecord(number, step.keyword, step.text, step.line, phase)
                for number, (step, phase) in enumerate(zip(item.steps, item.phases, strict=True), start=1)
            ],
        )

    def step_started(self, number: int) -> None:
        """A step begins (numbers count from 1)."""
        step = self._record.steps[number - 1]
        self._step, self._step_began_s = step, time.monotonic()
        step.status, step.started_s = "running", self._at(self._step_began_s)
        phases = self._record.phases
        if not phases or phases[-1]["phase"] != step.phase:
            if phases:
                phases[-1]["ended_s"] = step.started_s
            phases.append({"phase": step.phase, "started_s": step.started_s, "ended_s": None})
            self._recorder.tell("phase", phase=step.phase)
        self._recorder.save()
        self._recorder.tell("step", number=number, text=f"{step.keyword} {step.text}")

    def step_passed(self) -> None:
        """The step under way ended well."""
        self._close_step("passed")

    def step_failed(self, error: BaseException) -> None:
        """The step under way raised."""
        if not isinstance(error, DrillFailure):
            self._fail(self._phase, _kind_of(error), _sentence(error))
        self._close_step("failed", str(error).strip() or type(error).__name__)

    def steps_ended(self, stopped_by: BaseException | None) -> None:
        """All steps were done, or one ended neither well nor badly (skipped itself, interrupted).

        Judges the criteria as a whole. Raises DrillFailure when the drill did not prove what it should.
        """
        if self._step is not None:
            self._left_open(stopped_by)
        elif not self._state.findings:
            self._settle()
        preview = self._judge(final=False)
        if preview.outcome is not Outcome.PASSED:
            raise DrillFailure(f"{preview.outcome}: {preview.reason}")

    def _left_open(self, stopped_by: BaseException | None) -> None:
        assert self._step is not None
        text = f"'{self._step.keyword} {self._step.text}'"
        if stopped_by is None or isinstance(stopped_by, pytest.skip.Exception):
            self._fail(self._phase, FindingKind.UNKNOWN, f"the step {text} skipped itself: nothing is proven")
            self._close_step("skipped", "skipped itself")
        elif isinstance(stopped_by, (KeyboardInterrupt, SystemExit, pytest.exit.Exception)):
            reason = "SIGINT" if isinstance(stopped_by, KeyboardInterrupt) else str(stopped_by)
            self._fail(self._phase, FindingKind.ABORTED, f"the drill was stopped in {text}: {reason}")
            self._close_step("interrupted", reason)
        else:
            self.step_failed(stopped_by)

    def end(self) -> None:
        """Put everything back, balance the work, judge, write the evidence. Always runs; shielded from signals.

        Raises NotRestored when the system is not as it was.
        """
        if not self._begun or self._verdict is not None:
            return
        self._signals.hold()
        try:
            self._restore()
            self._verdict = self._judge(final=True)
            self._write_end()
        finally:
            self._prober.stop()
            self._lock.release()
            self._signals.release()
        if self._verdict.outcome is Outcome.NOT_RESTORED:
            raise NotRestored(f"NOT_RESTORED: {self._verdict.reason}")

    # ------------------------------------------------------------------ inside

    @property
    def _phase(self) -> Phase:
        return self._step.phase if self._step is not None else Phase.RESTORE

    def _at(self, mono_s: float) -> float:
        return self._anchor.since(mono_s)

    def _opened(self) -> float:
        event = {Phase.SYMPTOMS: Event.FAULT_INJECTED, Phase.CRITERIA: Event.RECOVERY_STARTED}.get(self._phase)
        return self._moments[event].at_s if event in self._moments else self._step_began_s

    def _mark(self, event: Event, moment: Moment, *, again: bool = False) -> None:
        if event in self._moments and not again:
            return
        self._moments[event] = moment
        self._record.timeline.append(
            EventRecord(
                event.value,
                rfc3339(self._anchor.at(moment.at_s)),
                self._at(moment.at_s),
                moment.uncertainty_s,
                moment.source,
            )
        )
        self._recorder.save()
        self._recorder.tell("event", name=event, at_s=self._at(moment.at_s))

    def _play(self, path: Path, variables: Mapping[str, object], purpose: str) -> PlayResult:
        number = self._step.number if self._step else None
        result = self._session.playbooks.run(
            path, variables, timeout_s=PLAY_TIMEOUT_S, on_task=lambda task: self._recorder.tell("detail", text=task)
        )
        self._record.plays.append(
            play_record(result, step=number, purpose=purpose, zero_s=self._anchor.mono_s, variables=variables)
        )
        self._recorder.save()
        return result

    def _await(self, check: Check, *, since_s: float, within_s: float, length_s: float, first: bool = False) -> None:
        begin_s = since_s if not first else time.monotonic()
        until_s = begin_s + within_s
        if first and isinstance(check.source, str):
            # one look that begins after now: the next tick of the endpoint, plus one under way
            endpoint = self._prober.endpoint(check.source)
            until_s = begin_s + 1 / endpoint.samples_per_s + endpoint.timeout_s

        def tell(seen: Observation) -> None:
            self._recorder.tell("detail", text=f"{check.name}: {seen.observed} (required: {seen.required})")

        assert self._step is not None
        record = CheckRecord(
            step=self._step.number,
            phase=self._phase,
            name=check.name,
            source=check.source if isinstance(check.source, str) else "asked by the step",
            required="",
            observed="",
            met=False,
            since_s=self._at(since_s),
            deadline_s=None if first else self._at(until_s),
            window_s=length_s or None,
        )
        self._record.checks.append(record)
        try:
            watched = watch(
                self._prober, check, since_s=since_s, until_s=until_s, length_s=length_s, tell=tell
            )
        except CouldNotLookError as error:
            record.unknown, record.observed = True, str(error)
            raise
        self._note_watched(record, watched)
        if watched.found is None:
            raise self._fail(self._phase, FindingKind.FAILED, _not_met(check, watched, within_s, length_s, first))
        self._met(check, record, watched.found)

    def _note_watched(self, record: CheckRecord, watched: Watched) -> None:
        record.samples, record.breaks = watched.samples, watched.breaks
        if watched.last is not None:
            record.required, record.observed = watched.last.required, watched.last.observed
        if watched.found is not None:
            record.met = True
            record.found_s, record.uncertainty_s = self._at(watched.found.at_s), watched.found.uncertainty_s
            record.until_s = self._at(watched.found.end_s) if record.window_s else None

    def _met(self, check: Check, record: CheckRecord, found: Found) -> None:
        kept = _Kept(check, record, found)
        moment = Moment(found.at_s, found.uncertainty_s, check.name)
        if record.phase is Phase.BASELINE:
            self._state.baseline.append(kept)
        elif record.phase is Phase.SYMPTOMS:
            self._state.symptom_checks += 1
            self._mark(Event.SYMPTOM_OBSERVED, moment)
        elif record.phase is Phase.CRITERIA:
            self._state.criterion_checks += 1
            self._state.criteria.append(kept)
            self._mark(Event.FIRST_HEALTHY, moment)
        if check.event is not None:
            self._mark(Event(check.event), moment)

    def _fail(self, phase: Phase, kind: FindingKind, sentence: str) -> DrillFailure:
        finding = Finding(phase, kind, sentence)
        self._state.findings.append(finding)
        self._record.findings.append({"phase": phase, "kind": kind, "sentence": sentence})
        outcome = self._judge(final=False).outcome
        return DrillFailure(f"{outcome}: {sentence}")

    def _close_step(self, status: str, error: str | None = None) -> None:
        step, self._step = self._step, None
        if step is None:
            return
        step.status, step.error = status, error
        step.duration_s = time.monotonic() - self._step_began_s
        self._flush_samples()
        self._recorder.save()
        self._recorder.tell("done", status=status, duration_s=step.duration_s, text=f"{step.keyword} {step.text}")

    def _settle(self) -> None:
        """After the last criterion: what was met must still be so; only then is the system recovered."""
        recovered, end_s = None, time.monotonic()
        for kept in self._state.criteria:
            moment = self._still(kept)
            if moment is None:
                self._fail(
                    Phase.CRITERIA,
                    FindingKind.FAILED,
                    f"{kept.check.name}: it was so, but it did not stay so to the end of the criteria",
                )
                return
            if recovered is None or moment.at_s > recovered.at_s:
                recovered = moment
        if recovered is not None:
            self._mark(Event.RECOVERED, recovered)
            self._mark(Event.STABLE, Moment(end_s, 0.0, "end of the criteria"))

    def _still(self, kept: _Kept) -> Moment | None:
        """When the check was met for good; None when it no longer is."""
        found = kept.found
        if not isinstance(kept.check.source, str) or kept.record.window_s:
            return Moment(found.at_s, found.uncertainty_s, kept.check.name)
        series = self._prober.of(kept.check.source)
        samples = [s for s in series.all() if s.done_s >= found.at_s]
        judged = [Judged(s.sent_s, s.done_s, kept.check.judge(s).met) for s in samples]
        begin, breaks, met = last_recovery(judged)
        kept.record.breaks += breaks
        if not met or begin is None:
            return None
        if not breaks:
            return Moment(found.at_s, found.uncertainty_s, kept.check.name)
        kept.record.found_s = self._at(begin.done_s)
        return Moment(begin.done_s, found.uncertainty_s, kept.check.name)

    def _restore(self) -> None:
        """Undo, look whether the baseline holds again, and balance the work. Findings, never exceptions."""
        began_s = time.monotonic()
        self._step = None
        if self._record.phases:
            self._record.phases[-1]["ended_s"] = self._at(began_s)
        self._record.phases.append({"phase": Phase.RESTORE, "started_s": self._at(began_s), "ended_s": None})
        self._recorder.tell("phase", phase=Phase.RESTORE)
        try:
            self._undo()
            if self._record.faults:
                self._baseline_again()
            self._balance()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here must end as NOT_RESTORED, with its reason
            self._fail(Phase.RESTORE, FindingKind.UNKNOWN, f"the restore itself failed: {_sentence(error)}")
        self._mark(Event.RESTORED, Moment(time.monotonic(), 0.0, "end of the restore"))
        self._record.phases[-1]["ended_s"] = self._at(time.monotonic())

    def _undo(self) -> None:
        journal = self._session.journal
        entries = [entry for entry in journal.open_entries() if entry.run_id == self.run_id]
        by_entry = {fault.entry: fault for fault in self._record.faults}

        def tell(undone: Undone) -> None:
            fault = by_entry[undone.entry.id]
            fault.undo = "failed" if undone.problem else "gone"
            fault.undo_problem = undone.problem
            if undone.result is not None:
                self._record.plays.append(
                    play_record(
                        undone.result,
                        step=None,
                        purpose="undo",
                        zero_s=self._anchor.mono_s,
                        variables=undone.entry.variables,
                    )
                )
            if undone.problem:
                self._fail(Phase.RESTORE, FindingKind.FAILED, f"the fault {fault.name!r} was not undone: {undone.problem}")
            self._recorder.tell("undo", fault=fault.name, problem=undone.problem)
            self._recorder.save()

        for entry in entries:
            self._recorder.tell("detail", text=f"undoing {entry.fault}")
        undo_all(journal, entries, self._session.run_undo, tell)

    def _baseline_again(self) -> None:
        since_s = time.monotonic()
        for kept in self._state.baseline:
            record = CheckRecord(
                step=kept.record.step,
                phase=Phase.RESTORE,
                name=kept.check.name,
                source=kept.record.source,
                required=kept.record.required,
                observed="",
                met=False,
                since_s=self._at(since_s),
                deadline_s=self._at(since_s + RESTORE_DEADLINE_S),
            )
            self._record.checks.append(record)
            try:
                watched = watch(self._prober, kept.check, since_s=since_s, until_s=since_s + RESTORE_DEADLINE_S)
            except CouldNotLookError as error:
                record.unknown, record.observed = True, str(error)
                self._fail(Phase.RESTORE, FindingKind.UNKNOWN, f"the baseline could not be looked at again: {error}")
                continue
            self._note_watched(record, watched)
            if watched.found is None:
                sentence = _not_met(kept.check, watched, RESTORE_DEADLINE_S, 0.0, first=False)
                self._fail(Phase.RESTORE, FindingKind.FAILED, f"the baseline does not hold again: {sentence}")
            else:
                self._state.baseline_again += 1

    def _balance(self) -> None:
        """Stop the work and account for all of it, whatever the steps asked."""
        load = self._load
        if load is None:
            return
        load.stop()
        deadline_s = time.monotonic() + WORK_DEADLINE_S
        account: Account | None = None

        def look() -> object:
            nonlocal account
            account = load.balance()
            return account

        def sound(sample: Any) -> Observation:
            if sample.error is not None:
                return Observation(met=False, observed=sample.error, required="all acknowledged work completed once")
            balance = sample.value
            return Observation(balance.sound, balance.sentence(), "all acknowledged work completed once")

        check = Check("the final balance of the work", look, sound)
        watched = watch(self._prober, check, since_s=time.monotonic(), until_s=deadline_s)
        self._flush_attempts()
        if account is not None:
            self._record.work = _work_record(load, account, self._anchor)
        if watched.found is None and not self._state.findings and watched.last is not None:
            self._fail(Phase.CRITERIA, FindingKind.FAILED, f"the final balance of the work: {watched.last.observed}")

    def _judge(self, *, final: bool) -> Verdict:
        steps = self._item.steps
        open_faults = sum(fault.undo != "gone" for fault in self._record.faults) if final else 0
        spans = times(self._moments, self._objectives.rto_clock)
        progress = Progress(
            steps_planned=len(self._record.steps),
            steps_passed=sum(step.status == "passed" for step in self._record.steps),
            baseline_checks=len(self._state.baseline),
            faults_begun=sum(
                step.kind is StepKind.FAULT and record.status != "planned"
                for step, record in zip(steps, self._record.steps, strict=True)
            ),
            faults_injected=self._state.faults_injected,
            symptom_checks=self._state.symptom_checks,
            recoveries_planned=sum(step.kind is StepKind.RECOVERY for step in steps),
            recoveries_done=self._state.recoveries_done,
            criterion_checks=self._state.criterion_checks,
            undo_open=open_faults,
            baseline_again=self._state.baseline_again if final else 1,
        )
        recover = spans.recover.seconds if spans.recover else None
        return judge(progress, self._state.findings, time_to_recover_s=recover, rto_s=self._objectives.rto_s)

    def _write_end(self) -> None:
        assert self._verdict is not None
        record = self._record
        spans = times(self._moments, self._objectives.rto_clock)
        for name, span in (("detect", spans.detect), ("alert", spans.alert), ("act", spans.act), ("recover", spans.recover)):
            _set_span(record.times, name, span)
        record.times.rto_s, record.times.rto_clock = self._objectives.rto_s, self._objectives.rto_clock.value
        if spans.recover is not None and self._objectives.rto_s is not None:
            record.times.rto_met = spans.recover.seconds <= self._objectives.rto_s
        self._flush_samples()
        self._prober.stop()
        self._flush_samples()
        kinds = {name: endpoint.kind.value for name, endpoint in self._session.inventory.endpoints.items()}
        record.probes = [
            ProbeRecord(s.endpoint, kinds[s.endpoint], s.samples, s.failures, s.interval_s, s.timeout_s)
            for s in self._prober.stats()
        ]
        record.probe_cpu_ratio = self._prober.cpu_ratio
        now = time.monotonic()
        record.close(self._verdict, rfc3339(self._anchor.at(now)), self._at(now))
        self._recorder.save()
        self._recorder.tell(
            "verdict",
            outcome=self._verdict.outcome,
            reason=self._verdict.reason,
            axes=record.axes,
            times=record.times,
            work=record.work,
            evidence=relative(self._recorder.folder, self._session.root),
        )

    def _flush_samples(self) -> None:
        rows = []
        for name, series in self._prober.series.items():
            done = self._flushed.get(name, 0)
            new = series.all()[done:]
            self._flushed[name] = done + len(new)
            rows += [
                {
                    "endpoint": name,
                    "sent_s": self._at(sample.sent_s),
                    "done_s": self._at(sample.done_s),
                    "ok": sample.ok,
                    "status": sample.status,
                    "error": sample.error,
                    "latency_ms": sample.latency_ms,
                }
                for sample in new
            ]
        self._recorder.append("samples.ndjson", rows)
        self._flush_attempts()

    def _flush_attempts(self) -> None:
        if self._load is None:
            return
        attempts = self._load.attempts
        new, self._flushed_attempts = attempts[self._flushed_attempts :], len(attempts)
        self._recorder.append(
            "work.ndjson",
            [
                {
                    "id": attempt.id,
                    "sent_s": self._at(attempt.sent_s),
                    "answered_s": self._at(attempt.answered_s),
                    "answered": attempt.answered,
                    "status": attempt.status,
                }
                for attempt in new
            ],
        )


@dataclass(frozen=True, slots=True)
class Objectives:
    """What the feature's tags promise: `@rto:10m`, `@rto-from:symptom_observed`, `@severity:P0`."""

    rto_s: float | None
    rto_clock: Event
    severity: str | None

    @classmethod
    def of(cls, tags: frozenset[str]) -> Objectives:
        """Read the tags; collection has refused wrong ones."""
        from drillbook.vocabulary import parse_duration

        values = dict(tag.split(":", 1) for tag in sorted(tags) if ":" in tag)
        clock = values.get("rto-from", Event.FAULT_INJECTED.value)
        try:
            event = Event(clock)
        except ValueError as error:
            raise DrillbookError(
                f"@rto-from:{clock}: no such event; the RTO runs from fault_injected, symptom_observed or recovery_started"
            ) from error
        return cls(parse_duration(values["rto"]) if "rto" in values else None, event, values.get("severity"))

    def as_record(self) -> dict[str, Any]:
        """As drill.json keeps it."""
        return {"rto_s": self.rto_s, "rto_clock": self.rto_clock.value, "severity": self.severity}


def close_dead_runs(session: DrillSession, undone: list[Undone]) -> None:
    """Finish the records of drills that died: ABORTED, and what became of their faults."""
    from drillbook.evidence.recovered import close_dead_run

    for folder in sorted({one.entry.evidence for one in undone}):
        close_dead_run(session.root / folder, [one for one in undone if one.entry.evidence == folder])


def _not_met(check: Check, watched: Watched, within_s: float, length_s: float, first: bool) -> str:
    assert watched.last is not None
    allowed = "now" if first else f"within {within_s:g} s"
    if length_s:
        allowed = f"for {length_s:g} s on end, beginning {allowed} ({watched.breaks} interruptions)"
    return f"{check.name}: observed {watched.last.observed}, required {watched.last.required} {allowed}"


def _set_span(record: object, name: str, span: Span | None) -> None:
    if span is not None:
        setattr(record, f"{name}_s", span.seconds)
        setattr(record, f"{name}_uncertainty_s", span.uncertainty_s)


def _work_record(load: Load, account: Account, anchor: Anchor) -> WorkRecord:
    return WorkRecord(
        attempted=account.attempted,
        acknowledged=account.acknowledged,
        refused=account.refused,
        unknown=account.unknown,
        completed=account.completed,
        lost_count=len(account.lost),
        duplicated_count=len(account.duplicated),
        unexpected_count=len(account.unexpected),
        recovered_count=len(account.recovered),
        skipped=load.skipped,
        lost=list(account.lost[:KEEP_IDS]),
        duplicated=list(account.duplicated)[:KEEP_IDS],
        unexpected=list(account.unexpected[:KEEP_IDS]),
        rates=[{"since_s": anchor.since(rate.since_s), "per_second": rate.per_second} for rate in load.rates],
    )


def _kind_of(error: BaseException) -> FindingKind:
    # an assertion of the user's own step is a look that found it not so; anything else could not look
    return FindingKind.FAILED if isinstance(error, AssertionError) else FindingKind.UNKNOWN


def _sentence(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    if isinstance(error, (AssertionError, DrillbookError)):
        return text[0] if text else "an assertion of the step failed"
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _own_pid() -> int:
    return os.getpid()
