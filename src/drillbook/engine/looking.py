"""What a step looks at: it waits for checks in the prober's series, and judges them.

The rule: a check that could not look proves nothing. A control in which something must not be there gives the steps
`Absent` instead of `Demanding`: no other code asks which control runs.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from drillbook.checks import MISSING, Check, Reading
from drillbook.engine.keeping.waits import telling
from drillbook.engine.under_way import Kept, UnderWay
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.control_rules.waits import allowed_s, once_s, wait_of
from drillbook.model.objectives import DEFAULT_DEADLINE_S
from drillbook.model.phases import Phase
from drillbook.model.record import CheckRecord, PrerequisiteRecord, Role
from drillbook.model.times.remembered import Remembered
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
    """When to look at a check: since when, until when, and how long it must hold (0: by one look)."""

    since_s: float
    until_s: float
    within_s: float | None
    """How long it may take; None: the first look counts."""
    length_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Demanding:
    """The looks of a step whose checks must be met."""

    drill: UnderWay

    # ------------------------------------------------------------------ what steps demand

    def expect(self, check: Check) -> None:
        """Met by the first look that begins now."""
        self._look_once(check, Role.EVIDENCE)

    def bound(self, check: Check, within: float | None) -> None:
        """Met by the first look, or by some look within this many seconds; never evidence."""
        if within is None:
            self._look_once(check, Role.BOUND)
            return
        _refuse_no_time(check, within, "deadline")
        now = time.monotonic()
        self._await(check, _Looks(now, now + within, within), Role.BOUND)

    def eventually(self, check: Check, within: float) -> None:
        """Met within this many seconds of the event that opened the phase."""
        _refuse_no_time(check, within, "deadline")
        since_s = self.drill.opened_s
        self._await(check, _Looks(since_s, since_s + within, within))

    def throughout(self, check: Check, for_: float, within: float | None) -> None:
        """Met by every look for `for_` seconds without a break, in a window that begins within `within` seconds."""
        _refuse_no_time(check, for_, "window")
        allowed = within if within is not None else (self.drill.objectives.rto_s or DEFAULT_DEADLINE_S)
        since_s = self.drill.opened_s
        self._await(check, _Looks(since_s, since_s + allowed, allowed, for_))

    def arrives(self, message: str, check: Check, within: float) -> None:
        """Met within this many seconds after `announce` began to send the message."""
        _refuse_no_time(check, within, "deadline")
        since_s = self.drill.announced_s.get(message)
        if since_s is None:
            raise DrillbookError(f"the message {message!r} was not sent before: a step above has to announce it")
        self._await(check, _Looks(since_s, since_s + within, within), Role.COMMUNICATION)

    def always(self, check: Check) -> None:
        """Met by every sample since the event that opened the phase, and by one more from now."""
        drill = self.drill
        if not isinstance(check.source, str):
            raise DrillbookError(f"{check.name}: the prober does not sample this, so nobody knows its past")
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
        """One look finds the prerequisite before anything is broken."""
        log = self.drill.log
        if log.step is None or log.phase is not Phase.BASELINE:
            raise DrillbookError(f"{check.name}: a prerequisite belongs to the Given steps, before anything is broken")
        seen = look(check)
        log.record.prerequisites.append(
            PrerequisiteRecord(check.name, seen.observed, seen.required, seen.met, log.step.number)
        )
        if not seen.met:
            raise self.drill.fail(Phase.BASELINE, FindingKind.ABORTED, lacking(check, seen))

    # ------------------------------------------------------------------ what must hold, and what a control changes

    def _until(self, check: Check, span: _Looks) -> _Looks:
        """How long to wait."""
        del check
        return span

    def _unknown(self, error: CouldNotLookError) -> None:
        """Nobody could look."""
        raise error

    def _missed(self, record: CheckRecord, watched: Watched) -> None:
        """The check was not met in time.

        A check that holds only for a moment is no criterion, and no reliable symptom.
        """

    def _unmet(self, sentence: str) -> None:
        """The check is not met."""
        raise self.drill.fail(self.drill.log.phase, FindingKind.FAILED, sentence)

    def _met(self, check: Check, record: CheckRecord, watched: Watched, span: _Looks) -> None:
        """The check is met: keep it, and mark what it shows."""
        assert watched.found is not None
        if record.role is Role.COMMUNICATION:
            return
        drill, found = self.drill, watched.found
        dated = watched.last is not None and watched.last.at_s is not None
        late = watched.at_once and not isinstance(check.source, str) and watched.last is not None
        if late and not dated:
            # nobody asked before: it may have been met since the phase opened
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
                if not watched.at_once:  # what held all the time (the memory is as before) is no sign of recovery
                    drill.log.mark(Event.FIRST_HEALTHY, moment)
        if check.event is not None:
            drill.log.mark(Event(check.event), moment)

    def _is_bound(self, check: Check, watched: Watched, late: bool) -> bool:
        """Whether nobody looked for too long before it was met."""
        if watched.last is None or watched.last.at_s is not None or watched.found is None:
            return False
        if not isinstance(check.source, str):
            return late
        # a look that waited for its time-out, and the next one with an answer, are two looks
        return watched.found.uncertainty_s > 2 * self.drill.prober.endpoint(check.source).longest_gap_s

    # ------------------------------------------------------------------ how it looks

    def _look_once(self, check: Check, role: Role) -> CheckRecord:
        now = time.monotonic()
        until_s = now
        if isinstance(check.source, str):
            # one look that begins after now: the next tick of the endpoint, plus one that is open
            endpoint = self.drill.prober.endpoint(check.source)
            until_s += 1 / endpoint.samples_per_s + endpoint.timeout_s
        return self._await(check, _Looks(now, until_s, None), role)

    def _await(self, check: Check, stated: _Looks, role: Role = Role.EVIDENCE) -> CheckRecord:
        """Wait for the check, keep what was seen, and act on the result."""
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
    """The looks of a control for something that must not be there.

    The record says whether it was, and judges the control.
    """

    def arrives(self, message: str, check: Check, within: float) -> None:
        """Nobody looks: a control does not do all that the message tells."""
        del message
        _refuse_no_time(check, within, "deadline")

    def _until(self, check: Check, span: _Looks) -> _Looks:
        drill, step = self.drill, self.drill.log.step
        control = drill.scenario.control
        if step is None or control is None:
            return span
        wait, since_s = wait_of(control.kind), span.since_s
        within_s: float | None
        nth = sum(known.step == step.number for known in drill.log.record.checks)
        if span.within_s is not None:
            within_s = allowed_s(wait, drill.measured, step.number, nth, span.within_s)
        else:
            # what the drill saw by one look must appear in the control, too, however long the drill took to get there
            since_s = drill.opened_s
            if wait.whole and step.phase is Phase.CRITERIA:
                stated_s = drill.objectives.rto_s or DEFAULT_DEADLINE_S
                within_s = allowed_s(wait, drill.measured, step.number, nth, stated_s)
            elif (within_s := once_s(wait, drill.measured, step.number, nth)) is None:
                return span
        # at least one look, sent after now, however long the checks before it took
        until_s = since_s + within_s
        if not isinstance(check.source, str) or span.within_s is None:
            until_s = max(until_s, time.monotonic() + ONE_LOOK_S)
        if span.within_s is None:  # its one look; a stated deadline is for the drill, not for its control
            until_s = max(until_s, span.until_s)
        return _Looks(span.since_s, until_s, within_s, span.length_s)

    def _unknown(self, error: CouldNotLookError) -> None:
        del error

    def _missed(self, record: CheckRecord, watched: Watched) -> None:
        """A control that says "never" needs somebody who looked all the time."""
        if watched.gap is not None:
            record.unknown, record.observed = True, f"{watched.gap} while the drill waited for it"

    def _unmet(self, sentence: str) -> None:
        del sentence

    def _met(self, check: Check, record: CheckRecord, watched: Watched, span: _Looks) -> None:
        del check, record, watched, span


# ---- what was seen before -----------------------------------------------------------------------------------------


def median_before(drill: UnderWay, reading: Reading) -> float:
    """The median of a sampled number before the first fault. Raises CouldNotLookError when it was never read."""
    values = [value for value in _values_before(drill, reading) if isinstance(value, (int, float))]
    if not values:
        raise CouldNotLookError(f"{reading.subject}: no number was read before the fault")
    return float(statistics.median(values))


def last_before(drill: UnderWay, reading: Reading) -> object:
    """The last value of a sampled reading before the first fault. Raises CouldNotLookError when there is none."""
    values = _values_before(drill, reading)
    if not values:
        raise CouldNotLookError(f"{reading.subject}: no value was read before the fault")
    return values[-1]


def seen_since(drill: UnderWay, reading: Reading, last_s: float | None = None) -> list[object]:
    """The sampled values of a reading since the event that opened the phase, in their order; [] when there is none.

    With `last_s`, only those of the last seconds of that span.

    Raises CouldNotLookError when nobody looked for a part of that span, or when a value is no longer kept: a step's
    conclusion (the highest, none at all) is a claim about the whole span.
    """
    now = time.monotonic()
    since_s = drill.opened_s if last_s is None else max(drill.opened_s, now - last_s)
    source, samples = _since_opened(drill, reading, since_s)
    drill.prober.refuse_unseen(reading.subject, source, since_s, now)
    return list(_read(reading, samples, kept=True))


def last_since(drill: UnderWay, reading: Reading) -> object:
    """The last of them, None when there is none. Raises CouldNotLookError when nobody has looked since."""
    source, samples = _since_opened(drill, reading, drill.opened_s)
    seen_s = samples[-1].done_s if samples else drill.opened_s
    drill.prober.refuse_unseen(reading.subject, source, seen_s, time.monotonic())
    return next(_read(reading, reversed(samples)), None)


def _since_opened(drill: UnderWay, reading: Reading, since_s: float) -> tuple[str, Sequence[Sample]]:
    """The endpoint of a reading, and its samples since then."""
    if not isinstance(reading.source, str):
        raise DrillbookError(f"{reading.subject}: the prober does not sample this, so nobody knows its past")
    series = drill.prober.of(reading.source)
    series.remember(reading.path)
    return reading.source, series.all()[series.first_index_since(since_s) :]


def _values_before(drill: UnderWay, reading: Reading) -> list[object]:
    if not isinstance(reading.source, str):
        raise DrillbookError(f"{reading.subject}: the prober does not sample this, so it has no value before the fault")
    series = drill.prober.of(reading.source)
    series.remember(reading.path)
    fault = drill.log.moments.get(Event.FAULT_INJECTED)
    end_s = fault.at_s if fault else math.inf
    # with the fault withheld, a step may ask when the baseline has just begun
    until_s = time.monotonic() + (0 if fault else FIRST_SAMPLE_S)
    while True:
        length = len(series)
        samples = series.all()[series.first_index_since(drill.settled_s) :]
        values = list(_read(reading, (each for each in samples if each.done_s < end_s and each.error is None)))
        if values or not series.wait_beyond(length, until_s):
            return values


def _read(reading: Reading, samples: Iterable[Sample], *, kept: bool = False) -> Iterator[object]:
    """The values, as far as they are kept. With `kept`, raises CouldNotLookError at one that no longer is."""
    for sample in samples:
        try:
            value = reading.read(sample)
        except CouldNotLookError as error:
            if kept and isinstance(sample.value, Remembered):
                raise CouldNotLookError(f"{reading.subject}: {error}") from error
            continue
        if value is not MISSING:
            yield value


def _refuse_no_time(check: Check, length_s: float, what: str) -> None:
    if length_s <= 0:
        raise DrillbookError(f"{check.name}: a {what} of {length_s:g} s shows nothing; it has to be longer")
