"""The named moments of a drill and the times between them: a pure function of moments.

`Moment.at_s` is monotonic. `uncertainty_s` says how much earlier the event may have happened: one sample shows that it
has happened, the sample before shows that it had not. A difference carries the sum of both uncertainties. A moment is
`bounded` when nobody looked before it: the event may have happened long before. A difference of such moments is
bounded, too: it is the longest time that the event may have taken.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """When an event happened, how sure that is, and what saw it."""

    at_s: float
    uncertainty_s: float = 0.0
    source: str = ""
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A duration with its uncertainty, both in seconds."""

    seconds: float
    uncertainty_s: float
    bounded: bool = False

    @property
    def least_s(self) -> float:
        """The least time that it took: for a time that is no bound, the time itself."""
        return self.seconds - self.uncertainty_s if self.bounded else self.seconds


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one incident; None when one of the two moments is missing."""

    detect: Span | None = None
    alert: Span | None = None
    act: Span | None = None
    recover: Span | None = None


def times(moments: Mapping[Event, Moment], rto_clock: Event = Event.FAULT_INJECTED) -> Times:
    """detect and alert run from the fault, act from the symptom to the recovery's start, recover from the RTO clock."""
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
    since_s = first.at_s - first.uncertainty_s if first.bounded else first.at_s
    return Span(last.at_s - since_s, first.uncertainty_s + last.uncertainty_s, first.bounded or last.bounded)
