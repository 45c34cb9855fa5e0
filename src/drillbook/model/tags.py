"""The tags of a scenario that have a meaning for Drillbook."""

from __future__ import annotations

import re
from collections.abc import Iterable

from drillbook.model.times.timeline import Event

NOT_REPEATABLE = "not-repeatable"
"""The tag of a scenario whose recovery changes something on each run, as the recoveries of some runbooks do."""


SELF_HEALING, SELF_HEALING_OFF = "self-healing", "self-healing-off"


SEVERITIES = ("P0", "P1", "P2", "P3", "P4")
ABORT_WHEN = "abort-when"
"""`@abort-when:ENDPOINT` names an endpoint that must not fail while the drill runs."""
ACCEPTS_DATA_LOSS = "accepts-data-loss"
"""`@accepts-data-loss:COUNT`: the recovery destroys data, and loses exactly this number of acknowledged jobs."""
# The events that can start the RTO clock.
RTO_CLOCKS = (Event.FAULT_INJECTED, Event.SYMPTOM_OBSERVED, Event.RECOVERY_STARTED)


def slug(text: str) -> str:
    """The text as an identifier: `_` replaces each run of characters that are neither letter nor digit."""
    return re.sub(r"\W+", "_", text).strip("_") or "unnamed"


def tag_values(tags: Iterable[str], key: str) -> tuple[str, ...]:
    """The values of `key:value` tags, sorted: `tag_values(tags, "runbook")`."""
    return tuple(sorted(tag.partition(":")[2] for tag in tags if tag.startswith(f"{key}:")))


def accepted_loss(tags: Iterable[str]) -> int | None:
    """The exact number of acknowledged jobs that the scenario accepts to lose; None when it accepts no loss."""
    values = tag_values(tags, ACCEPTS_DATA_LOSS)
    return int(values[0]) if values else None


PRODUCTION_SAFE = "production-safe"
