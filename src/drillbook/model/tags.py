"""The tags of a scenario that Drillbook gives a meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable

from drillbook.model.times.timeline import Event

NOT_REPEATABLE = "not-repeatable"
"""The tag of a scenario whose recovery changes something each time that it is run, as some do that runbooks write."""


SELF_HEALING, SELF_HEALING_OFF = "self-healing", "self-healing-off"


SEVERITIES = ("P0", "P1", "P2", "P3", "P4")
ABORT_WHEN = "abort-when"
"""`@abort-when:ENDPOINT` names an endpoint that must never fail while the drill runs."""
ACCEPTS_DATA_LOSS = "accepts-data-loss"
"""`@accepts-data-loss:COUNT`: the recovery destroys data, and exactly so many acknowledged jobs are lost."""
# The events from which a recovery time objective may run.
RTO_CLOCKS = (Event.FAULT_INJECTED, Event.SYMPTOM_OBSERVED, Event.RECOVERY_STARTED)


def slug(text: str) -> str:
    """The text as an identifier: each run of what is neither letter nor digit as one `_`."""
    return re.sub(r"\W+", "_", text).strip("_") or "unnamed"


def tag_values(tags: Iterable[str], key: str) -> tuple[str, ...]:
    """The values of `key:value` tags, sorted: `tag_values(tags, "runbook")`."""
    return tuple(sorted(tag.partition(":")[2] for tag in tags if tag.startswith(f"{key}:")))


def accepted_loss(tags: Iterable[str]) -> int | None:
    """How many acknowledged jobs the scenario is to lose, exactly; None when it accepts no loss."""
    values = tag_values(tags, ACCEPTS_DATA_LOSS)
    return int(values[0]) if values else None


PRODUCTION_SAFE = "production-safe"
