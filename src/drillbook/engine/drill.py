"""One drill, as its steps see it: what they may know, do and look at. Its life is in life.py.

A step says what it looks at or which playbook it runs; this module waits, measures, notes and judges. It holds no
knowledge of Redis, queues or HTTP: that stands in steps/ and playbooks/.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from drillbook.checks import MISSING, Check, Observation, Reading
from drillbook.engine import incident_messages
from drillbook.engine.drill_log import Chronicle
from drillbook.engine.failures import DrillFailure, kind_of, sentence_of
from drillbook.engine.session import DrillSession
from drillbook.engine.stability import Kept
from drillbook.engine.switch_record import record_switches
from drillbook.errors import CouldNotLookError, DrillbookError, GuardError
from drillbook.model import paths
from drillbook.model.control.control import Control, ControlKind, Way
from drillbook.model.control.waits import Measured, allowed_s, wait_of
from drillbook.model.json_values import json_value
from drillbook.model.objectives import DEFAULT_DEADLINE_S, Objectives
from drillbook.model.phases import Phase, StepKind
from drillbook.model.record import SECOND_RECOVERY, PrerequisiteRecord, Role
from drillbook.model.scenario import Scenario
from drillbook.model.tags import NOT_REPEATABLE, SELF_HEALING_OFF
from drillbook.model.times.timeline import Event, Moment
from drillbook.model.verdict import FindingKind, Verdict
from drillbook.safety.abort_condition import AbortGuard
from drillbook.safety.data_loss import changes, first_destroyer, refusal
from drillbook.safety.journal import EntryState
from drillbook.target.ansible.result import PlayResult, TaskResult, TaskStatus, what_went_wrong
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.probing.load import Load
from drillbook.target.probing.prerequisites import lacking, look
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import judge, not_met, watch

if TYPE_CHECKING:
    from testinfra.host import Host

PLAY_TIMEOUT_S = 600.0
ONE_LOOK_S = 1.0
FIRST_SAMPLE_S = 5.0
"""How long `before` waits for a first sample while nothing is broken yet."""
Call = TypeVar("Call", bound=Callable[..., Any])


def _told(call: Call) -> Call:
    """What a call of a step raises is a finding at once: a step that swallows it does not make it unsaid."""

    @functools.wraps(call)
    def told(drill: Drill, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(drill, *args, **kwargs)
        except Exception as error:
            drill._raised(error)
            raise

    return cast(Call, told)


class Drill:
    """A drill under way: what steps call."""

    _chronicle: Chronicle
    _prober: Prober
    _abort: AbortGuard

    def __init__(
        self, session: DrillSession, scenario: Scenario, acts: Callable[[], Iterable[tuple[StepKind, str]]] = tuple
    ) -> None:
        """`acts` gives the faults and recoveries that the steps are known to name before they run."""
        self._session, self._scenario, self._acts = session, scenario, acts
        self.run_id = uuid.uuid4().hex
        self._control: Control | None = scenario.control
        self._measured: Measured | None = None
        self._way = Way.AS_WRITTEN
        self._tolerated: BaseException | None = None
        self._left_out_seen = False
        self._baseline: list[Kept] = []
        self._criteria: list[Kept] = []
        self._recoveries: list[tuple[str, Path, Mapping[str, object]]] = []
        self._load: Load | None = None
        self._verdict: Verdict | None = None
        self._begun = False
        self._judged = False
        self._sound_so_far = False
        self._objectives = Objectives.of(scenario.tags)
        self._settled_s = 0.0
        self._incident_s: float | None = None
        self._incident_open_for = -1
        self._found: BaseException | None = None
        self._announced_s: dict[str, float] = {}

    # ------------------------------------------------------------------ what steps may know

    @property
    def inventory(self) -> Inventory:
        """The resolved inventory (`variable(host, name)`, `names(pattern)`, `endpoints`)."""
        return self._session.inventory

    def hosts(self, pattern: str) -> list[Host]:
        """testinfra hosts of a host or group name; never empty. Raises InventoryError."""
        return self._session.inventory.hosts(pattern)

    @property
    def people(self) -> tuple[str, ...]:
        """Who is present, as named with --present."""
        return self._session.people

    @property
    def load(self) -> Load:
        """The work that is being submitted. Raises DrillbookError when none is."""
        if self._load is None:
            raise DrillbookError("no work is submitted in this drill: say 'Given jobs are submitted at N per second'")
        return self._load

    @property
    def accepted_lost(self) -> int:
        """How many acknowledged jobs are to be lost, as the tag says; 0 in a scenario that accepts no loss."""
        return self._objectives.accepted_lost or 0

    @property
    def reference(self) -> str:
        """What the drill's messages are known by: six digits."""
        return incident_messages.reference(self.run_id)

    def since_fault_s(self) -> float:
        """The monotonic instant of this incident's fault. Raises DrillbookError before it."""
        if self._incident_s is None:
            raise DrillbookError("nothing is broken yet: this step belongs after a fault")
        return self._incident_s

    def phase_opened_s(self) -> float:
        """The monotonic instant of the event that opened the phase: the fault, or the recovery's start."""
        return self._opened()

    def before(self, reading: Reading) -> float:
        """The median of a sampled number before the first fault: what "back to baseline" is compared with.

        Raises CouldNotLookError when it was never read.
        """
        values = [value for value in self._values_before(reading) if isinstance(value, (int, float))]
        if not values:
            raise CouldNotLookError(f"{reading.subject}: not one number was read before the fault")
        return float(statistics.median(values))

    def last_before(self, reading: Reading) -> object:
        """The last value of a sampled reading before the first fault. Raises CouldNotLookError when there is none."""
        values = self._values_before(reading)
        if not values:
            raise CouldNotLookError(f"{reading.subject}: not one value was read before the fault")
        return values[-1]

    def seen(self, reading: Reading) -> list[object]:
        """The sampled values of a reading since the event that opened the phase, in their order; [] when there is none.

        Of samples that failed too, if `reading` reads something off them (how long they took).
        """
        if not isinstance(reading.source, str):
            raise DrillbookError(f"{reading.subject}: only what the prober samples can be asked about the past")
        since_s = self._opened()
        samples = self._prober.of(reading.source).all()
        values = [reading.read(sample) for sample in samples if sample.sent_s >= since_s]
        return [value for value in values if value is not MISSING]

    def _values_before(self, reading: Reading) -> list[object]:
        if not isinstance(reading.source, str):
            raise DrillbookError(f"{reading.subject}: only what the prober samples has a value before the fault")
        series = self._prober.of(reading.source)
        fault = self._chronicle.moments.get(Event.FAULT_INJECTED)
        end_s = fault.at_s if fault else math.inf
        # with the fault withheld, a step asks when the baseline has just begun
        until_s = time.monotonic() + (0 if fault else FIRST_SAMPLE_S)
        while True:
            length = len(series)
            values = [
                value
                for sample in series.all()
                if self._settled_s <= sample.sent_s and sample.done_s < end_s and sample.error is None
                for value in (reading.read(sample),)
                if value is not MISSING
            ]
            if values or not series.wait_beyond(length, until_s):
                return values

    # ------------------------------------------------------------------ what they may do

    def note(self, text: str) -> None:
        """Keep a remark in the record."""
        self._chronicle.note(text)

    @_told
    def observe(self, subject: str, value: object, unit: str = "") -> None:
        """Keep what a diagnosis saw: a JSON value (text, number, true, false, none, lists and mappings of these).

        It is no check, and nothing is judged by it. Raises DrillbookError for another value, and outside of a step.
        """
        if not subject.strip():
            raise DrillbookError("an observation needs a subject: say in words what was seen")
        self._chronicle.observe(subject, json_value(subject, value), unit)

    def baseline_begins(self) -> None:
        """From here on the system counts as settled: `before` reads from now to the fault."""
        self._settled_s = time.monotonic()

    @_told
    def submit_work(self, per_second: float, count: int | None = None, **fields: object) -> Load:
        """Submit work at this rate from now on, through the front door that `drillbook_work` names.

        With a `count` exactly so many. `fields` stand in the submitted body instead of the inventory's.
        """
        inventory = self._session.inventory
        if inventory.work is None:
            raise DrillbookError(
                f"{self._session.inventory_name}: no drillbook_work in the inventory; it says how work is submitted "
                "and how what was done is counted"
            )
        if self._load is None:
            database = inventory.endpoints[inventory.work.completed_endpoint]
            self._load = Load(self._prober, inventory.work, database, f"drill-{self.run_id[:8]}-")
        self._load.submit(per_second, fields, count)
        return self._load

    @_told
    def inject(self, name: str, **variables: object) -> PlayResult | None:
        """Break something: playbooks/faults/NAME/inject.yml, with its undo on disk first.

        None in a control that withholds the fault. Raises DrillFailure when the fault did not demonstrably happen: the
        drill is then INVALID.
        """
        self._place("inject", Phase.FAULT)
        chronicle = self._chronicle
        if self._way is Way.WITHHELD:
            chronicle.note(f"withheld: the fault {name!r}")
            self._open_incident(time.monotonic())
            return None
        if self._control is not None and self._control.kind is ControlKind.NO_RECOVERY and self._incident_s is None:
            for healer in self._scenario.tag_values(SELF_HEALING_OFF):
                self._break(healer, {})
                chronicle.note(f"the self-healing is switched off: {healer!r}")
        result, change = self._break(name, variables)
        # it happened at some instant of the task that changed something; counted from that task's begin
        spent_s = change.ended_s - change.started_s
        chronicle.mark(Event.FAULT_INJECTED, Moment(change.started_s, spent_s, f"{result.playbook}: {change.task}"))
        self._open_incident(change.started_s)
        return result

    def _open_incident(self, at_s: float) -> None:
        chronicle = self._chronicle
        if self._incident_open_for != len(chronicle.record.phases):
            # the first fault of this incident; further ones of the same phase belong to it
            self._incident_open_for, chronicle.opened_s = len(chronicle.record.phases), at_s
        self._incident_s = chronicle.opened_s

    def _break(self, name: str, variables: Mapping[str, object]) -> tuple[PlayResult, TaskResult]:
        """Run a fault, its undo on disk first; gives the task that changed something first."""
        root, chronicle = self._session.root, self._chronicle
        inject, undo = paths.fault(name), paths.fault(name, paths.UNDO)
        for path in (inject, undo):
            if not (root / path).is_file():
                raise DrillbookError(f"no {path}: a fault is a folder with inject.yml and undo.yml")
        self._refuse_loss(changes(StepKind.FAULT, name))
        if not self._session.guardian.ensure():
            chronicle.note("the guardian had died: another one stands by")
        if not self._prober.looked(self._settled_s):  # what was before a fault must be known of every endpoint
            sentence = f"the fault {name!r} did not happen: there are endpoints that were not looked at once before it"
            raise self._fail(Phase.FAULT, FindingKind.FAILED, sentence)
        entry = uuid.uuid4().hex
        record = chronicle.fault(name, variables, entry)
        switches = self._session.switches
        planned = self._session.journal.plan(
            entry,
            run_id=self.run_id,
            fault=name,
            variables=variables,
            inventory=self._session.inventory_name,
            undo_playbook=undo,
            evidence=paths.located(chronicle.folder, root),
            switch_playbook=switches.playbook(name),
        )
        unarmed = switches.arm(planned)
        record_switches(switches, chronicle)
        if unarmed is not None:
            raise self._fail(Phase.FAULT, FindingKind.FAILED, f"the fault {name!r} did not happen: {unarmed}")
        result = self._play(root / inject, variables, "fault")
        self._session.journal.mark(entry, EntryState.INJECTED)
        problem = what_went_wrong(result)
        if problem is not None:
            raise self._fail(Phase.FAULT, FindingKind.FAILED, f"the fault {name!r} did not happen: {problem}")
        record.took_effect = True
        assert result.first_change is not None
        return result, result.first_change

    @_told
    def recover(self, name: str, **variables: object) -> PlayResult | None:
        """Run the team's procedure playbooks/recovery/NAME.yml and measure it.

        None in a control that withholds it. Raises DrillFailure (NOT_RECOVERED) when it failed, left something unsaid
        (ignored, rescued, unreachable), matched no host or changed nothing.
        """
        self._place("recover", Phase.RECOVERY)
        root, chronicle = self._session.root, self._chronicle
        path = root / paths.recovery(name)
        if not path.is_file():
            raise DrillbookError(f"no {paths.recovery(name)}: the step names a recovery that is not there")
        self._refuse_loss(changes(StepKind.RECOVERY, name))
        chronicle.opened_s = time.monotonic()
        if self._way is Way.WITHHELD:
            chronicle.note(f"withheld: the recovery {name!r}")
            return None
        chronicle.mark(Event.RECOVERY_STARTED, Moment(chronicle.opened_s, 0.0, f"recovery/{name}"))
        without = self._control.task if self._control is not None else None
        result = self._play(path, variables, "recovery", without=without)
        self._left_out_seen |= any(task.path == without and task.status is TaskStatus.SKIPPED for task in result.tasks)
        # without one of its tasks it may change nothing: whether that is missed, the criteria say
        problem = what_went_wrong(result, must_change=without is None)
        if problem is not None and without is not None:
            raise self._fail(Phase.RECOVERY, FindingKind.MISSED, f"without {without}: {problem}")
        if problem is not None:
            raise self._fail(Phase.RECOVERY, FindingKind.FAILED, f"the recovery {name!r} did not run clean: {problem}")
        self._recovery_done(Moment(result.ended_s, 0.0, f"recovery/{name}"))
        self._recoveries.append((name, path, variables))
        if self._control is not None and self._control.kind is ControlKind.RECOVERY_TWICE:
            self._recover_again(name, path, variables)
        return result

    @_told
    def announce(self, name: str, **variables: object) -> PlayResult | None:
        """Tell people: run playbooks/communication/NAME.yml, with what was measured as `drillbook_incident`.

        It recovers nothing, and no clock counts from it; None in a control that withholds the recovery. Raises
        DrillFailure (NOT_RECOVERED) when the message was not sent cleanly.
        """
        self._place("announce", Phase.RECOVERY)
        chronicle, playbook = self._chronicle, paths.playbook(name)
        if not (self._session.root / playbook).is_file():
            raise DrillbookError(f"no {playbook}: the step names a message that is not there")
        if self._way is Way.WITHHELD:
            chronicle.note(f"withheld: the message {name!r}")
            return None
        self._announced_s[name] = time.monotonic()
        known = incident_messages.incident(chronicle, self._objectives, self._criteria, self._load)
        given = {incident_messages.VARIABLE: known, **variables}
        result = self._play(self._session.root / playbook, given, paths.PURPOSE)
        problem = what_went_wrong(result)
        if problem is not None:
            raise self._fail(Phase.RECOVERY, FindingKind.FAILED, f"the message {name!r} was not sent: {problem}")
        if chronicle.step is not None:
            chronicle.told_steps.add(chronicle.step.number)
        return result

    def _refuse_loss(self, playbooks: Sequence[str]) -> None:
        """Nothing that destroys data runs in a scenario that does not say how much may be lost. Raises GuardError."""
        if self._objectives.accepted_lost is not None:
            return
        found = first_destroyer(self._session.root, playbooks)
        if found is not None:
            where = self._scenario.place
            raise GuardError(refusal(found, self._scenario.name, where))

    def _recover_again(self, name: str, path: Path, variables: Mapping[str, object]) -> None:
        result = self._play(path, variables, SECOND_RECOVERY)
        change, unsaid = result.first_change, result.unsaid()
        if change is not None and NOT_REPEATABLE not in self._scenario.tags:
            where = f"{change.task!r} on {change.host} ({change.path})"
            sentence = f"the second run of the recovery {name!r} changed something again: {where}"
            raise self._fail(self._chronicle.phase, FindingKind.BETRAYED, sentence)
        if unsaid or result.status != "successful":
            said = unsaid[0] if unsaid else f"it ended {result.status}"
            sentence = f"the second run of the recovery {name!r} did not run clean: {said}"
            raise self._fail(self._chronicle.phase, FindingKind.BETRAYED, sentence)

    @_told
    def leave_alone(self) -> None:
        """The recovery of a system that is expected to heal by itself: nobody does anything."""
        self._place("leave_alone", Phase.RECOVERY)
        now = Moment(time.monotonic(), 0.0, "nobody acted")
        self._chronicle.opened_s = now.at_s
        if self._way is Way.WITHHELD:
            return
        self._chronicle.mark(Event.RECOVERY_STARTED, now)
        self._recovery_done(now)

    def _place(self, call: str, phase: Phase) -> None:
        step = self._chronicle.step
        if step is None or step.phase is not phase:
            where = f"'{step.keyword} {step.text}'" if step is not None else "a hook or fixture"
            raise DrillbookError(f"drill.{call}() belongs into a @{phase} step, and {where} is none")

    def _recovery_done(self, moment: Moment) -> None:
        chronicle = self._chronicle
        if chronicle.step is not None:
            chronicle.recovered_steps.add(chronicle.step.number)
        chronicle.mark(Event.RECOVERY_FINISHED, moment, again=True)

    # ------------------------------------------------------------------ what they look at

    @_told
    def bound(self, check: Check, within: float | None = None) -> None:
        """As `expect`, for what has to hold in the incident and without it ("the API stays alive").

        `within`: by some look of so many seconds from now on, for what an incident may disturb for a moment. Never
        evidence that an incident is there. Raises DrillFailure.
        """
        if within is None:
            self._look_once(check, Role.BOUND)
            return
        _some_time(check, within, "deadline")
        now = time.monotonic()
        self._await(check, since_s=now, until_s=now + within, within_s=within, role=Role.BOUND)

    @_told
    def require(self, check: Check) -> None:
        """A prerequisite is there, by one look (the prerequisites module has the checks); no part of the baseline.

        Raises DrillFailure (ABORTED) when it is not: nothing is broken then.
        """
        chronicle = self._chronicle
        if chronicle.step is None or chronicle.phase is not Phase.BASELINE:
            raise DrillbookError(f"{check.name}: a prerequisite belongs to the Given steps, before anything is broken")
        seen = look(check)
        chronicle.record.prerequisites.append(
            PrerequisiteRecord(check.name, seen.observed, seen.required, seen.met, chronicle.step.number)
        )
        if not seen.met:
            raise self._fail(Phase.BASELINE, FindingKind.ABORTED, lacking(check, seen))

    @_told
    def expect(self, check: Check) -> None:
        """The check is met by the first look that begins now. Raises DrillFailure."""
        self._look_once(check, Role.EVIDENCE)

    def _look_once(self, check: Check, role: Role) -> None:
        now = time.monotonic()
        until_s = now
        if isinstance(check.source, str):
            # one look that begins after now: the next tick of the endpoint, plus one under way
            endpoint = self._prober.endpoint(check.source)
            until_s += 1 / endpoint.samples_per_s + endpoint.timeout_s
        self._await(check, since_s=now, until_s=until_s, within_s=None, role=role)

    @_told
    def eventually(self, check: Check, within: float) -> None:
        """The check is met within so many seconds of the event that opened the phase.

        Baseline: of the step's begin; symptoms: of the fault; criteria: of the recovery's start. Raises DrillFailure.
        """
        _some_time(check, within, "deadline")
        since_s = self._opened()
        self._await(check, since_s=since_s, until_s=since_s + within, within_s=within)

    @_told
    def arrives(self, message: str, check: Check, within: float) -> None:
        """The check is met within so many seconds after `announce` began to send this message.

        Demanded, and no criterion: that people were told says nothing of the system. In a control nobody looks, since
        nothing or not all was done that they are told of. Raises DrillFailure.
        """
        _some_time(check, within, "deadline")
        if self._way is Way.ABSENT:
            return
        if message not in self._announced_s:
            raise DrillbookError(f"the message {message!r} was not sent before: a step above has to announce it")
        since_s = self._announced_s[message]
        self._await(check, since_s=since_s, until_s=since_s + within, within_s=within, role=Role.COMMUNICATION)

    @_told
    def throughout(self, check: Check, for_: float, within: float | None = None) -> None:
        """The check is met by every look for `for_` seconds on end; the window begins within `within` seconds.

        Default for `within`: the RTO, or 10 minutes. The first unbroken window counts. Raises DrillFailure.
        """
        _some_time(check, for_, "window")
        allowed = within if within is not None else (self._objectives.rto_s or DEFAULT_DEADLINE_S)
        since_s = self._opened()
        self._await(check, since_s=since_s, until_s=since_s + allowed, within_s=allowed, length_s=for_)

    @_told
    def always(self, check: Check) -> None:
        """The check was met by every sample since the event that opened the phase, and by one more from now: a bound.

        A sample without an answer does not meet it. Raises DrillFailure with the first sample that did not.
        """
        if not isinstance(check.source, str):
            raise DrillbookError(f"{check.name}: only what the prober samples can be asked about the past")
        since_s = self._opened()
        self.bound(check)
        record = self._chronicle.record.checks[-1]
        past = [sample for sample in self._prober.of(check.source).all() if sample.sent_s >= since_s]
        record.samples, record.since_s = len(past), self._chronicle.at(since_s)
        for sample in past:
            try:
                seen = judge(check, sample)
            except CouldNotLookError as error:
                record.met, record.unknown, record.observed = False, True, str(error)
                if self._way is Way.ABSENT:
                    return
                raise
            if not seen.met:
                record.met, record.observed = False, seen.observed
                record.found_s = self._chronicle.at(sample.done_s)
                if self._way is Way.ABSENT:
                    return
                sentence = f"{check.name}: observed {seen.observed}, required {seen.required} all the time"
                raise self._fail(self._chronicle.phase, FindingKind.FAILED, sentence)

    def _opened(self) -> float:
        chronicle = self._chronicle
        looks = chronicle.phase in (Phase.SYMPTOMS, Phase.CRITERIA)
        return chronicle.opened_s if looks else chronicle.step_began_s

    def _await(
        self,
        check: Check,
        *,
        since_s: float,
        until_s: float,
        within_s: float | None,
        length_s: float = 0.0,
        role: Role = Role.EVIDENCE,
    ) -> None:
        chronicle = self._chronicle
        if chronicle.step is None:
            raise DrillbookError(f"{check.name}: a check can only be looked at in a step of the feature")
        absent = self._way is Way.ABSENT
        if absent and within_s is not None:
            assert self._control is not None
            nth = sum(known.step == chronicle.step.number for known in chronicle.record.checks)
            within_s = allowed_s(wait_of(self._control.kind), self._measured, chronicle.step.number, nth, within_s)
            until_s = since_s + within_s
            if not isinstance(check.source, str):
                # nobody looks in advance: one look at least, sent after now, however long the checks before it took
                until_s = max(until_s, time.monotonic() + ONE_LOOK_S)

        def tell(seen: Observation) -> None:
            chronicle.tell("detail", text=f"{check.name}: {seen.observed} (required: {seen.required})")

        record = chronicle.check(
            check,
            step=chronicle.step.number,
            since_s=since_s,
            deadline_s=None if within_s is None else until_s,
            window_s=length_s or None,
            role=role,
        )
        try:
            watched = watch(
                self._prober,
                check,
                since_s=since_s,
                until_s=until_s,
                length_s=length_s,
                first_only=within_s is None,
                tell=tell,
            )
        except CouldNotLookError as error:
            record.unknown, record.observed = True, str(error)
            if absent:
                return
            raise
        chronicle.watched(record, watched)
        if absent:
            # whether it was there stands in the record; the control is judged by it
            return
        if watched.found is None:
            raise self._fail(chronicle.phase, FindingKind.FAILED, not_met(check, watched, within_s, length_s))
        late = watched.at_once and not isinstance(check.source, str) and watched.last is not None
        dated = watched.last is not None and watched.last.at_s is not None
        self._met(Kept(check, record, watched.found, until_s, late and not dated, dated), at_once=watched.at_once)

    def _met(self, kept: Kept, *, at_once: bool) -> None:
        chronicle = self._chronicle
        if kept.record.role is Role.COMMUNICATION:
            return
        moment = Moment(kept.found.at_s, kept.found.uncertainty_s, kept.check.name)
        match kept.record.phase:
            case Phase.BASELINE:
                self._baseline.append(kept)
            case Phase.SYMPTOMS:
                chronicle.mark(Event.SYMPTOM_OBSERVED, moment)
            case Phase.CRITERIA:
                self._criteria.append(kept)
                if not at_once:  # what held all the time (the memory is as before) is no sign of getting well
                    chronicle.mark(Event.FIRST_HEALTHY, moment)
        if kept.check.event is not None:
            chronicle.mark(Event(kept.check.event), moment)

    def _play(
        self, path: Path, variables: Mapping[str, object], purpose: str, without: str | None = None
    ) -> PlayResult:
        result = self._session.playbooks.run(
            path,
            variables,
            timeout_s=PLAY_TIMEOUT_S,
            without=without,
            on_task=lambda task: self._chronicle.tell("detail", text=task),
        )
        self._chronicle.play(result, purpose, variables)
        return result

    def _fail(self, phase: Phase, kind: FindingKind, sentence: str) -> DrillFailure:
        said = self._chronicle.find(phase, kind, sentence)
        return DrillFailure(f"{self._chronicle.judge(restored=False).outcome}: {said}")

    def _raised(self, error: BaseException) -> None:
        if isinstance(error, DrillFailure) or error is self._found or self._abort.fired is not None:
            return
        self._found = error
        self._fail(self._chronicle.phase, kind_of(error), sentence_of(error))


def _some_time(check: Check, length_s: float, what: str) -> None:
    if length_s <= 0:
        raise DrillbookError(f"{check.name}: a {what} of {length_s:g} s shows nothing; it has to be longer")
