"""The named moments of a drill and the times between them: a pure function of moments.

`Moment.at_s` is monotonic; `uncertainty_s` says how much earlier the thing may really have happened (a sample shows
that it is so by now; the sample before it showed that it was not). A difference carries the sum of both.
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
