"""What the feature's tags promise: `@rto:10m`, `@rto-from:symptom_observed`, `@severity:P0`, and the loss that they
accept: `@accepts-data-loss:200`.
"""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.errors import DrillbookError
from drillbook.model.tags import accepted_loss
from drillbook.model.times.durations import parse_duration
from drillbook.model.times.timeline import Event

DEFAULT_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Objectives:
    """The RTO in seconds, the event from which it runs, the severity, and the accepted loss.

    The RTO is None when the feature states none. The accepted loss is the exact number of acknowledged jobs to be lost;
    None when the scenario accepts no loss.
    """

    rto_s: float | None
    rto_clock: Event
    severity: str | None
    accepted_lost: int | None = None

    @classmethod
    def of(cls, tags: frozenset[str]) -> Objectives:
        """Read the tags; collection has refused wrong ones. Raises DrillbookError for an unknown event."""
        values = dict(tag.split(":", 1) for tag in sorted(tags) if ":" in tag)
        clock = values.get("rto-from", Event.FAULT_INJECTED.value)
        try:
            event = Event(clock)
        except ValueError as error:
            raise DrillbookError(
                f"@rto-from:{clock}: no such event; the RTO runs from fault_injected, symptom_observed or "
                "recovery_started"
            ) from error
        rto_s = parse_duration(values["rto"]) if "rto" in values else None
        return cls(rto_s, event, values.get("severity"), accepted_loss(tags))
