"""What a step looks at: checks, waited for in the prober's series, and judged.

The rule: who could not look knows nothing. A control in which something must not be there hands the steps `Absent` in
the place of `Demanding`: nothing else asks which control is run.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from drillbook.checks import MISSING, Check, Reading
from drillbook.engine.keeping.waits import telling
from drillbook.engine.under_way import Kept, UnderWay
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.control_rules.waits import allowed_s, wait_of
from drillbook.model.objectives import DEFAULT_DEADLINE_S
from drillbook.model.phases import Phase
from drillbook.model.record import CheckRecord, PrerequisiteRecord, Role
from drillbook.model.times.sample import Sample
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import FindingKind
from drillbook.target.probing.prerequisites import lacking, look
from drillbook.target.probing.waiting import Watched, judge, not_met, watch

ONE_LOOK_S = 1.0
FIRST_SAMPLE_S = 5.0
"""How long `before` waits for a first sample while nothing is broken yet."""


@dataclass(frozen=True, slots=True)
class _Looks:
    """When a check is looked at: since when, until when, how long it has to hold (0: by one look)."""

    since_s: float
    until_s: float
    within_s: float | None
    """How long it may take; None: the first look counts."""
    length_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Demanding:
    """The looks of a step whose checks have to be met."""

    drill: UnderWay

    # ------------------------------------------------------------------ what steps demand

    def expect(self, check: Check) -> None:
        """Met by the first look that begins now."""
        self._look_once(check, Role.EVIDENCE)

    def bound(self, check: Check, within: float | None) -> None:
        """Met by the first look, or by some look within so many seconds; evidence of nothing."""
        if within is None:
            self._look_once(check, Role.BOUND)
            return
        _refuse_no_time(check, within, "deadline")
        now = time.monotonic()
        self._await(check, _Looks(now, now + within, within), Role.BOUND)

    def eventually(self, check: Check, within: float) -> None:
        """Met within so many seconds of the event that opened the phase."""
        _refuse_no_time(check, within, "deadline")
        since_s = self.drill.opened_s
        self._await(check, _Looks(since_s, since_s + within, within))

    def throughout(self, check: Check, for_: float, within: float | None) -> None:
        """Met by every look for `for_` seconds on end, in a window that begins within `within` seconds."""
        _refuse_no_time(check, for_, "window")
        allowed = within if within is not None else (self.drill.objectives.rto_s or DEFAULT_DEADLINE_S)
        since_s = self.drill.opened_s
        self._await(check, _Looks(since_s, since_s + allowed, allowed, for_))

    def arrives(self, message: str, check: Check, within: float) -> None:
        """Met within so many seconds after the message began to be sent."""
        _refuse_no_time(check, within, "deadline")
        since_s = self.drill.announced_s.get(message)
        if since_s is None:
            raise DrillbookError(f"the message {message!r} was not sent before: a step above has to announce it")
        self._await(check, _Looks(since_s, since_s + within, within), Role.COMMUNICATION)

    def always(self, check: Check) -> None:
        """Met by every sample since the event that opened the phase, and by one more from now."""
        drill = self.drill
        if not isinstance(check.source, str):
            raise DrillbookError(f"{check.name}: only what the prober samples can be asked about the past")
        since_s = drill.opened_s
        record = self._look_once(check, Role.BOUND)
        series = drill.prober.of(check.source)
        past = series.all()[series.first_index_since(since_s) :]
        record.samples, record.since_s = len(past), drill.log.at(since_s)
        for sample in past:
            try:
                seen = judge(check, sample)
            except CouldNotLookError as error:
                record.met, record.unknown, record.observed = False, True, str(error)
                self._unknown(error)
                return
            if not seen.met:
                record.met, record.observed, record.found_s = False, seen.observed, drill.log.at(sample.done_s)
                self._unmet(f"{check.name}: observed {seen.observed}, required {seen.required} all the time")
                return
        try:
            drill.prober.refuse_unseen(check.name, check.source, since_s, past[-1].done_s if past else None)
        except CouldNotLookError as error:
            record.met, record.unknown, record.observed = False, True, str(error)
            self._unknown(error)

    def require(self, check: Check) -> None:
        """A prerequisite is there, by one look, before anything is broken."""
        log = self.drill.log
        if log.step is None or log.phase is not Phase.BASELINE:
            raise DrillbookError(f"{check.name}: a prerequisite belongs to the Given steps, before anything is broken")
        seen = look(check)
        log.record.prerequisites.append(
            PrerequisiteRecord(check.name, seen.observed, seen.required, seen.met, log.step.number)
        )
        if not seen.met:
            raise self.drill.fail(Phase.BASELINE, FindingKind.ABORTED, lacking(check, seen))

    # ------------------------------------------------------------------ what must be so, and what a control changes

    def _until(self, check: Check, span: _Looks) -> _Looks:
        """How long to wait."""
        del check
        return span

    def _unknown(self, error: CouldNotLookError) -> None:
        """Nobody could look."""
        raise error

    def _missed(self, record: CheckRecord, watched: Watched) -> None:
        """It was not seen to be so. What was so for a moment only would be no criterion, and no symptom to rely on."""

    def _unmet(self, sentence: str) -> None:
        """It is not so."""
        raise self.drill.fail(self.drill.log.phase, FindingKind.FAILED, sentence)

    def _met(self, check: Check, record: CheckRecord, watched: Watched, span: _Looks) -> None:
        """It is so: keep it, and mark what it shows."""
        assert watched.found is not None
        if record.role is Role.COMMUNICATION:
            return
        drill, found = self.drill, watched.found
        dated = watched.last is not None and watched.last.at_s is not None
        late = watched.at_once and not isinstance(check.source, str) and watched.last is not None
        if late and not dated:
            # nobody asked before: it may have been so since the phase was opened
            found = replace(found, uncertainty_s=max(found.uncertainty_s, found.at_s - drill.opened_s))
            record.uncertainty_s = found.uncertainty_s
        kept = Kept(check, record, found, span.until_s, bounded=self._is_bound(check, watched, late), dated=dated)
        moment = kept.moment
        match record.phase:
            case Phase.BASELINE:
                drill.baseline.append(kept)
            case Phase.SYMPTOMS:
                drill.log.mark(Event.SYMPTOM_OBSERVED, moment)
            case Phase.CRITERIA:
                drill.criteria.append(kept)
                if not watched.at_once:  # what held all the time (the memory is as before) is no sign of getting well
                    drill.log.mark(Event.FIRST_HEALTHY, moment)
        if check.event is not None:
            drill.log.mark(Event(check.event), moment)

    def _is_bound(self, check: Check, watched: Watched, late: bool) -> bool:
        """Whether nobody looked for too long before it was met."""
        if watched.last is None or watched.last.at_s is not None or watched.found is None:
            return False
        if not isinstance(check.source, str):
            return late
        # a look that waited for its time-out, and the next that had an answer, are two looks
        return watched.found.uncertainty_s > 2 * self.drill.prober.endpoint(check.source).longest_gap_s

    # ------------------------------------------------------------------ how it is looked at

    def _look_once(self, check: Check, role: Role) -> CheckRecord:
        now = time.monotonic()
        until_s = now
        if isinstance(check.source, str):
            # one look that begins after now: the next tick of the endpoint, plus one under way
            endpoint = self.drill.prober.endpoint(check.source)
            until_s += 1 / endpoint.samples_per_s + endpoint.timeout_s
        return self._await(check, _Looks(now, until_s, None), role)

    def _await(self, check: Check, stated: _Looks, role: Role = Role.EVIDENCE) -> CheckRecord:
        """Wait for the check, keep what was seen, and let it have its meaning."""
        log = self.drill.log
        if log.step is None:
            raise DrillbookError(f"{check.name}: a check can only be looked at in a step of the feature")
        span = self._until(check, stated)
        tell = telling(log, check, span.until_s + span.length_s)
        record = log.check(
            check,
            step=log.step.number,
            since_s=span.since_s,
            deadline_s=None if span.within_s is None else span.until_s,
            window_s=span.length_s or None,
            role=role,
        )
        try:
            watched = watch(
                self.drill.prober,
                check,
                since_s=span.since_s,
                until_s=span.until_s,
                length_s=span.length_s,
                first_only=span.within_s is None,
                tell=tell,
            )
        except CouldNotLookError as error:
            record.unknown, record.observed = True, str(error)
            self._unknown(error)
            return record
        log.watched(record, watched)
        if watched.found is None:
            self._missed(record, watched)
            self._unmet(not_met(check, watched, span.within_s, span.length_s))
        else:
            self._met(check, record, watched, span)
        return record


@dataclass(frozen=True, slots=True)
class Absent(Demanding):
    """The looks of a control for what must not be there: the record says whether it was, and judges the control."""

    def arrives(self, message: str, check: Check, within: float) -> None:
        """Nobody looks: nothing, or not all, was done that people would be told of."""
        del message
        _refuse_no_time(check, within, "deadline")

    def _until(self, check: Check, span: _Looks) -> _Looks:
        drill, step = self.drill, self.drill.log.step
        control = drill.scenario.control
        if step is None or control is None:
            return span
        wait, stated_s, since_s = wait_of(control.kind), span.within_s, span.since_s
        if stated_s is None:
            if not wait.whole or step.phase is not Phase.CRITERIA:
                return span
            # what the drill saw by one look has to come true all the same, however long the drill took to get there
            stated_s, since_s = drill.objectives.rto_s or DEFAULT_DEADLINE_S, drill.opened_s
        nth = sum(known.step == step.number for known in drill.log.record.checks)
        within_s = allowed_s(wait, drill.measured, step.number, nth, stated_s)
        # one look at least, sent after now, however long the checks before it took
        until_s = since_s + within_s
        if not isinstance(check.source, str) or span.within_s is None:
            until_s = max(until_s, time.monotonic() + ONE_LOOK_S)
        if span.within_s is None:  # its one look; a stated deadline is for the drill, and not for its control
            until_s = max(until_s, span.until_s)
        return _Looks(span.since_s, until_s, within_s, span.length_s)

    def _unknown(self, error: CouldNotLookError) -> None:
        del error

    def _missed(self, record: CheckRecord, watched: Watched) -> None:
        """It was never so only if somebody looked all the time."""
        if watched.gap is not None:
            record.unknown, record.observed = True, f"{watched.gap} while it was waited for"

    def _unmet(self, sentence: str) -> None:
        del sentence

    def _met(self, check: Check, record: CheckRecord, watched: Watched, span: _Looks) -> None:
        del check, record, watched, span


# ---- what was seen before -----------------------------------------------------------------------------------------


def median_before(drill: UnderWay, reading: Reading) -> float:
    """The median of a sampled number before the first fault. Raises CouldNotLookError when it was never read."""
    values = [value for value in _values_before(drill, reading) if isinstance(value, (int, float))]
    if not values:
        raise CouldNotLookError(f"{reading.subject}: not one number was read before the fault")
    return float(statistics.median(values))


def last_before(drill: UnderWay, reading: Reading) -> object:
    """The last value of a sampled reading before the first fault. Raises CouldNotLookError when there is none."""
    values = _values_before(drill, reading)
    if not values:
        raise CouldNotLookError(f"{reading.subject}: not one value was read before the fault")
    return values[-1]


def seen_since(drill: UnderWay, reading: Reading) -> list[object]:
    """The sampled values of a reading since the event that opened the phase, in their order; [] when there is none.

    Those of looks that were made, and are still kept: who makes a claim of all the time hands a check to `always`.
    """
    if not isinstance(reading.source, str):
        raise DrillbookError(f"{reading.subject}: only what the prober samples can be asked about the past")
    since_s, series = drill.opened_s, drill.prober.of(reading.source)
    series.remember(reading.path)
    return list(_read(reading, series.all()[series.first_index_since(since_s) :]))


def _values_before(drill: UnderWay, reading: Reading) -> list[object]:
    if not isinstance(reading.source, str):
        raise DrillbookError(f"{reading.subject}: only what the prober samples has a value before the fault")
    series = drill.prober.of(reading.source)
    series.remember(reading.path)
    fault = drill.log.moments.get(Event.FAULT_INJECTED)
    end_s = fault.at_s if fault else math.inf
    # with the fault withheld, a step asks when the baseline has just begun
    until_s = time.monotonic() + (0 if fault else FIRST_SAMPLE_S)
    while True:
        length = len(series)
        samples = series.all()[series.first_index_since(drill.settled_s) :]
        values = list(_read(reading, (each for each in samples if each.done_s < end_s and each.error is None)))
        if values or not series.wait_beyond(length, until_s):
            return values


def _read(reading: Reading, samples: Iterable[Sample]) -> Iterator[object]:
    """The values, as far as they are kept."""
    for sample in samples:
        with suppress(CouldNotLookError):
            value = reading.read(sample)
            if value is not MISSING:
                yield value


def _refuse_no_time(check: Check, length_s: float, what: str) -> None:
    if length_s <= 0:
        raise DrillbookError(f"{check.name}: a {what} of {length_s:g} s shows nothing; it has to be longer")
