"""The named moments of a drill and the times between them: a pure function of moments.

`Moment.at_s` is monotonic; `uncertainty_s` says how much earlier the thing may really have happened (a sample shows
that it is so by now; the sample before it showed that it was not). A difference carries the sum of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Event(StrEnum):
    """The moments that a drill knows."""

    FAULT_INJECTED = "fault_injected"
    SYMPTOM_OBSERVED = "symptom_observed"
    ALERTED = "alerted"
    RECOVERY_STARTED = "recovery_started"
    RECOVERY_FINISHED = "recovery_finished"
    FIRST_HEALTHY = "first_healthy"
    RECOVERED = "recovered"
    STABLE = "stable"
    RESTORED = "restored"
    ABORT_FIRED = "abort_fired"


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event was, how sure that is, and who saw it."""

    at_s: float
    uncertainty_s: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A duration with its uncertainty, both in seconds."""

    seconds: float
    uncertainty_s: float


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one incident; None where one of the two moments is missing."""

    detect: Span | None = None
    alert: Span | None = None
    act: Span | None = None
    recover: Span | None = None


def times(moments: Mapping[Event, Moment], rto_clock: Event = Event.FAULT_INJECTED) -> Times:
    """Detect and alert run from the fault, act from the symptom to the recovery's start, recover from the RTO clock."""
    return Times(
        detect=_between(moments, Event.FAULT_INJECTED, Event.SYMPTOM_OBSERVED),
        alert=_between(moments, Event.FAULT_INJECTED, Event.ALERTED),
        act=_between(moments, Event.SYMPTOM_OBSERVED, Event.RECOVERY_STARTED),
        recover=_between(moments, rto_clock, Event.RECOVERED),
    )


def _between(moments: Mapping[Event, Moment], start: Event, end: Event) -> Span | None:
    if start not in moments or end not in moments:
        return None
    first, last = moments[start], moments[end]
    return Span(last.at_s - first.at_s, first.uncertainty_s + last.uncertainty_s)


@dataclass(frozen=True, slots=True)
class Found:
    """Where in a series a check was met.

    at_s: the moment (begin of the window for a window); end_s: end of the window; uncertainty_s as in Moment.
    """

    at_s: float
    uncertainty_s: float
    end_s: float
    breaks: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample's times (monotonic) and whether it met the check."""

    sent_s: float
    done_s: float
    met: bool


@dataclass(slots=True)
class Window:
    """Finds the first window of `length_s` in which every sample met the check. Feed it samples in their order.

    More than `max_gap_s` from the end of one sample to the end of the next breaks the window: nobody looked. Length 0
    finds the first sample.
    """

    length_s: float
    max_gap_s: float
    breaks: int = 0
    asked_before_s: float | None = None
    """When the look before the first one was asked: it may have been so since then, and nobody fed that look."""
    _begin: Judged | None = None
    _before: Judged | None = None
    _begin_uncertainty_s: float = 0.0

    @property
    def begin_s(self) -> float | None:
        """When the window under way began; None when the last sample did not meet the check."""
        return None if self._begin is None else self._begin.done_s

    def feed(self, sample: Judged) -> Found | None:
        """The window, when this sample completes it."""
        before, self._before = self._before, sample
        gap = before is not None and sample.done_s - before.done_s > self.max_gap_s
        if not sample.met:
            if self._begin is not None:
                self.breaks += 1
            self._begin = None
            return None
        if self._begin is None or gap:
            self.breaks += int(gap and self._begin is not None)
            self._begin = sample
            # not earlier than the last look that showed otherwise; without any look before, than its own question
            asked_s = self.asked_before_s if before is None else before.sent_s
            self._begin_uncertainty_s = sample.done_s - (sample.sent_s if asked_s is None else asked_s)
        if sample.done_s - self._begin.done_s >= self.length_s:
            return Found(self._begin.done_s, self._begin_uncertainty_s, sample.done_s, self.breaks)
        return None


def last_recovery(samples: Iterable[Judged]) -> tuple[Judged | None, int, bool]:
    """Whether a check that was once met stayed so.

    Returns (the first sample of the last unbroken run of met ones, number of breaks, whether the last sample met it).
    """
    begin: Judged | None = None
    breaks, met = 0, False
    for sample in samples:
        if sample.met and not met:
            begin = sample
        elif met and not sample.met:
            breaks += 1
        met = sample.met
    return begin, breaks, met
