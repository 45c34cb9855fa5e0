"""Keeps the record of a drill as it goes: moments, steps, phases, plays, checks, findings and samples.

The rule: every event is on disk before the drill goes on, so that a killed drill leaves what it knew. The verdict is a
function of this record, not of flags beside it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from drillbook.checks import Check
from drillbook.engine.keeping.plays import play_record
from drillbook.engine.keeping.progress import progress
from drillbook.errors import DrillbookError
from drillbook.evidence.writer import Recorder
from drillbook.model.control import Control
from drillbook.model.control_rules.verdict import judge as judge_control
from drillbook.model.control_rules.verdict import judge_repeat
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import (
    CheckRecord,
    EventRecord,
    FaultRecord,
    ObservationRecord,
    PhaseRecord,
    ProbeRecord,
    Record,
    RepeatRecord,
    Role,
    StepRecord,
    StepStatus,
    TimesRecord,
    WorkRecord,
    to_plain,
)
from drillbook.model.times.clock import Anchor, rfc3339
from drillbook.model.times.gaps import Gap
from drillbook.model.times.overhead import overhead
from drillbook.model.times.timeline import Event, Moment, Span, times
from drillbook.model.verdict import Finding, FindingKind, Progress, Verdict, judge, rto_met
from drillbook.model.work_balance import Account
from drillbook.target.ansible.result import PlayResult
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import Watched

__interrupt_after__ = "call"  # safety/signals never interrupts a call of this module: it would leave half of a file

KEEP_IDS = 100


class DrillLog:
    """The one writer of a drill's record."""

    def __init__(
        self,
        anchor: Anchor,
        record: Record,
        recorder: Recorder,
        objectives: Objectives,
        control: Control | None = None,
    ) -> None:
        self.anchor, self.record, self._recorder, self._objectives = anchor, record, recorder, objectives
        self._control = control
        self.recovered_steps: set[int] = set()
        self.told_steps: set[int] = set()
        """Steps of the recovery phase that told people and recovered nothing."""
        self.step: StepRecord | None = None
        self.step_began_s = anchor.mono_s
        self.opened_s = anchor.mono_s
        """The event that opened the phase of looking: this incident's fault, or the start of the latest recovery."""
        self._flushed: dict[str, int] = {}
        self._flushed_attempts = 0
        self.tell = recorder.tell

    @property
    def folder(self) -> Path:
        """The evidence folder."""
        return self._recorder.folder

    @property
    def moments(self) -> Mapping[Event, Moment]:
        """The named moments so far; of several with one name, the one that counts."""
        zero_s = self.anchor.mono_s
        return {
            Event(each.event): Moment(zero_s + each.at_s, each.uncertainty_s, each.source, each.bounded)
            for each in self.record.timeline
        }

    @property
    def findings(self) -> list[Finding]:
        """The findings against the drill so far."""
        return self.record.findings

    @property
    def phase(self) -> Phase:
        """The phase of the current step; between steps, that of the step before."""
        if self.step is not None:
            return self.step.phase
        return self.record.phases[-1].phase if self.record.phases else Phase.BASELINE

    def at(self, mono_s: float) -> float:
        """Drill time of a monotonic instant."""
        return self.anchor.since(mono_s)

    # ------------------------------------------------------------------ steps and phases

    def step_started(self, number: int) -> None:
        """A step begins (numbers count from 1), and perhaps a phase with it."""
        step = self.record.steps[number - 1]
        self.step, self.step_began_s = step, time.monotonic()
        step.status, step.started_s = StepStatus.RUNNING, self.at(self.step_began_s)
        phases = self.record.phases
        if not phases or phases[-1].phase != step.phase:
            self.phase_started(step.phase, self.step_began_s)
        else:
            self._recorder.save(synced=False)
        self.tell("step", number=number, text=f"{step.keyword} {step.text}")

    def phase_started(self, phase: Phase, mono_s: float) -> None:
        """A phase begins and the one before it ends. It is on disk before anybody is told."""
        if self.record.phases:
            self.record.phases[-1].ended_s = self.at(mono_s)
        self.record.phases.append(PhaseRecord(phase, self.at(mono_s)))
        self._recorder.save()
        self.tell("phase", phase=phase)

    def step_closed(self, status: str, error: str | None, prober: Prober, load: Load | None) -> None:
        """The current step has ended."""
        step, self.step = self.step, None
        if step is None:
            return
        step.status, step.error = StepStatus(status), error
        step.duration_s = time.monotonic() - self.step_began_s
        self.flush(prober, load)
        self._recorder.save(synced=False)
        seen = [each for each in self.record.observations if each.step == step.number]
        decided = [each for each in self.record.decisions if each.step == step.number]
        told = {"text": f"{step.keyword} {step.text}", "observations": seen, "decisions": decided}
        self.tell("done", status=status, duration_s=step.duration_s, **told)

    def idle(self, step: StepRecord) -> str | None:
        """The work of its phase that the step left undone; None when it did its work.

        A Given may only prepare something. But nothing is broken over a system that no Given has looked at.
        """
        record = self.record
        match step.phase:
            case Phase.FAULT:
                done = any(fault.step == step.number and fault.took_effect for fault in record.faults)
                return None if done else "broke nothing: it did not call drill.inject"
            case Phase.RECOVERY:
                done = step.number in self.recovered_steps | self.told_steps
                return None if done else "recovered nothing: it did not call drill.recover or drill.leave_alone"
            case Phase.BASELINE if self._next(step).phase is Phase.BASELINE:
                return None
        own = Phase.BASELINE if step.phase is Phase.BASELINE else None
        done = any(check.phase is own or check.step == step.number for check in record.checks)
        return None if done else "handed no check to the drill: nothing shows that it is so"

    def _next(self, step: StepRecord) -> StepRecord:
        """The step after this one: numbers count from 1, places in the list from 0."""
        return self.record.steps[step.number]

    # ------------------------------------------------------------------ what happens in them

    def mark(self, event: Event, moment: Moment, *, again: bool = False) -> None:
        """A named moment. Of several with one name the earliest counts; with `again` the latest, and all are kept."""
        known = self.moments.get(event)
        if known is not None and not again:
            if moment.at_s >= known.at_s:
                return
            # seen earlier than by the step that comes first
            self.record.timeline = [each for each in self.record.timeline if each.event != event]
        at_s, at = self.at(moment.at_s), rfc3339(self.anchor.at(moment.at_s))
        seen = (moment.uncertainty_s, moment.source, moment.bounded)
        self.record.timeline.append(EventRecord(event.value, at, at_s, *seen))
        self._recorder.save()
        self.tell("event", name=event, at_s=at_s)

    def play(self, result: PlayResult, purpose: str, variables: Mapping[str, object]) -> None:
        """A playbook ran."""
        step = self.step.number if self.step is not None else None
        zero_s = self.anchor.mono_s
        known = {warning for play in self.record.plays for warning in play.warnings}
        self.record.plays.append(play_record(result, step=step, purpose=purpose, zero_s=zero_s, variables=variables))
        for warning in dict.fromkeys(result.warnings):
            if warning not in known:  # once a drill: an undo and its fault are for the same hosts
                self.tell("note", text=f"Ansible warned of {result.playbook}: {warning}")
        self._recorder.save()

    def fault(self, name: str, variables: Mapping[str, object], entry: str) -> FaultRecord:
        """A fault is about to happen."""
        record = FaultRecord(name, variables, entry, step=self.step.number if self.step is not None else 0)
        self.record.faults.append(record)
        self._recorder.save()
        return record

    def check(
        self,
        check: Check,
        *,
        step: int,
        since_s: float,
        deadline_s: float | None,
        window_s: float | None,
        role: Role = Role.EVIDENCE,
    ) -> CheckRecord:
        """The drill is about to wait for a check."""
        record = CheckRecord(
            step=step,
            phase=self.phase,
            name=check.name,
            source=check.source if isinstance(check.source, str) else "asked by the step",
            required="",
            observed="",
            met=False,
            since_s=self.at(since_s),
            deadline_s=None if deadline_s is None else self.at(deadline_s),
            window_s=window_s,
            role=role,
        )
        self.record.checks.append(record)
        return record

    def watched(self, record: CheckRecord, watched: Watched) -> None:
        """The result of the wait."""
        record.samples, record.breaks = watched.samples, watched.breaks
        if watched.last is not None:
            record.required, record.observed = watched.last.required, watched.last.observed
        if watched.found is not None:
            record.met = True
            record.found_s, record.uncertainty_s = self.at(watched.found.at_s), watched.found.uncertainty_s
            record.until_s = self.at(watched.found.end_s) if record.window_s else None

    def observe(self, subject: str, value: Any, unit: str) -> None:
        """What the current step saw, as it is. Nobody judges it. Raises DrillbookError outside of a step."""
        if self.step is None:
            raise DrillbookError(f"{subject}: an observation can only be made in a step of the feature")
        at_s = self.at(time.monotonic())
        self.record.observations.append(ObservationRecord(self.phase, self.step.number, subject, value, unit, at_s))
        self._recorder.save()

    def find(self, phase: Phase, kind: FindingKind, sentence: str) -> str:
        """A reason why the drill is not PASSED; redacted here, since the terminal, JUnit and the record all take it."""
        sentence = self._recorder.redact(sentence)
        self.record.findings.append(Finding(phase, kind, sentence))
        return sentence

    def note(self, text: str) -> None:
        """Keep an observation."""
        self.record.notes.append(text)
        self.tell("note", text=text)

    def save(self) -> None:
        """Write the record as it is."""
        self._recorder.save()

    # ------------------------------------------------------------------ samples and the end

    def flush(self, prober: Prober, load: Load | None) -> None:
        """Add the samples and attempts that are new since the last time."""
        rows = []
        for name, series in prober.series.items():
            done = self._flushed.get(name, 0)
            new = series.looks()[done:]
            self._flushed[name] = done + len(new)
            rows += [
                {
                    "endpoint": name,
                    "sent_s": self.at(sample.sent_s),
                    "done_s": self.at(sample.done_s),
                    "ok": sample.ok,
                    "status": sample.status,
                    "error": sample.error,
                    "latency_ms": sample.latency_ms,
                }
                for sample in new
            ]
        self._recorder.append("samples.ndjson", rows)
        if load is None:
            return
        attempts = load.attempts
        fresh, self._flushed_attempts = attempts[self._flushed_attempts :], len(attempts)
        self._recorder.append(
            "work.ndjson",
            [
                {
                    "id": attempt.id,
                    "sent_s": self.at(attempt.sent_s),
                    "answered_s": self.at(attempt.answered_s),
                    "answered": attempt.answered,
                    "status": attempt.status,
                }
                for attempt in fresh
            ],
        )

    def balance(self, load: Load, account: Account, accepted_lost: int | None) -> None:
        """The final balance of the work."""
        self.record.work = WorkRecord(
            attempted=account.attempted,
            acknowledged=account.acknowledged,
            refused=account.refused,
            unknown=account.unknown,
            answered_otherwise={str(status): number for status, number in account.answered_otherwise.items()},
            completed=account.completed,
            lost_count=len(account.lost),
            accepted_lost=accepted_lost,
            duplicated_count=len(account.duplicated),
            unexpected_count=len(account.unexpected),
            recovered_count=len(account.recovered),
            skipped=load.skipped,
            lost=list(account.lost[:KEEP_IDS]),
            duplicated=list(account.duplicated)[:KEEP_IDS],
            unexpected=list(account.unexpected[:KEEP_IDS]),
            rates=[{"since_s": self.at(rate.since_s), "per_second": rate.per_second} for rate in load.rates],
        )

    def judge(self, *, restored: bool) -> Verdict:
        """The verdict on this record. `restored`: the restore has run; before it, the verdict assumes a good one."""
        if self._control is not None:
            came = self._progress(restored=restored)
            return judge_control(self._control, came, self.findings, self.record.steps, self.record.checks)
        recover = times(self.moments, self._objectives.rto_clock).recover
        return judge(
            self._progress(restored=restored),
            self.findings,
            time_to_recover=recover,
            rto_s=self._objectives.rto_s,
        )

    def repeat(self, drill: Verdict) -> RepeatRecord | None:
        """How recovery-twice ended, when it was the end of the drill; else None."""
        if not any(phase.phase is Phase.REPEAT for phase in self.record.phases):
            return None
        return RepeatRecord(*judge_repeat(drill, self._progress(restored=False), self.findings))

    def _progress(self, *, restored: bool) -> Progress:
        return progress(self.record, self.recovered_steps, self.told_steps, restored=restored)

    def close(self, verdict: Verdict, prober: Prober, load: Load | None, kinds: Mapping[str, str]) -> None:
        """Write the end: times, samples, what the sampling cost, and the verdict."""
        record, objectives = self.record, self._objectives
        self._withdraw_recovery(verdict)
        spans = times(self.moments, objectives.rto_clock)
        _set_span(record.times, "detect", spans.detect)
        _set_span(record.times, "alert", spans.alert)
        _set_span(record.times, "act", spans.act)
        _set_span(record.times, "recover", spans.recover)
        record.times.rto_s, record.times.rto_clock = objectives.rto_s, objectives.rto_clock.value
        record.times.rto_met = rto_met(spans.recover, objectives.rto_s)
        self.flush(prober, load)
        record.probes = [
            ProbeRecord(
                *(each.endpoint, kinds[each.endpoint], each.samples, each.failures, each.interval_s, each.timeout_s),
                gaps=[Gap(self.at(gap.since_s), self.at(gap.until_s)) for gap in each.gaps],
            )
            for each in prober.stats()
        ]
        record.probe_cpu_ratio = prober.cpu_ratio
        now = time.monotonic()
        record.close(verdict, rfc3339(self.anchor.at(now)), self.at(now))
        record.repeat = self.repeat(verdict)
        writes = [(self.at(began_s), self.at(ended_s)) for began_s, ended_s in self._recorder.writes]
        record.overhead = overhead(to_plain(record), writes)
        self._recorder.save()

    def amend(self, verdict: Verdict) -> None:
        """Replace the verdict with which the record was closed; its other times stay.

        If the record could not be closed, it ends now, without the samples that could not be written.
        """
        record, now = self.record, time.monotonic()
        ended_at, ended_s = record.ended_at or rfc3339(self.anchor.at(now)), record.duration_s or self.at(now)
        record.close(verdict, ended_at, ended_s)
        self._withdraw_recovery(verdict)
        record.repeat = self.repeat(verdict)
        self._recorder.save()

    def _withdraw_recovery(self, verdict: Verdict) -> None:
        """If a later finding speaks against the recovery, it is no recovery that the criteria held for a while."""
        record = self.record
        if self._control is None and not verdict.dated:
            record.timeline = [each for each in record.timeline if each.event not in {Event.RECOVERED, Event.STABLE}]
            record.times.recover_s = record.times.recover_uncertainty_s = record.times.rto_met = None
            record.overhead = record.overhead and replace(record.overhead, in_recover_s=None)


def _set_span(record: TimesRecord, name: str, span: Span | None) -> None:
    if span is not None:
        record.bounds += [name] if span.bounded else []
        setattr(record, f"{name}_s", span.seconds)
        setattr(record, f"{name}_uncertainty_s", span.uncertainty_s)
