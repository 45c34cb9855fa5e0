"""What a wait tells while it lasts: what it waits for, what is seen, and how long it still may.

The rule: it is told for a terminal alone. The record has what was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from drillbook.checks import Check, Observation
from drillbook.engine.keeping.drill_log import DrillLog


def telling(log: DrillLog, check: Check, until_s: float) -> Callable[[Observation], None]:
    """Tell of a wait that begins now, and lasts until this monotonic instant at most; gives what tells of a look."""

    def tell(text: str) -> None:
        log.tell("detail", text=text, left_s=max(until_s - time.monotonic(), 0.0))

    tell(check.name)
    return lambda seen: tell(f"{check.name}: {seen.observed} (required: {seen.required})")
