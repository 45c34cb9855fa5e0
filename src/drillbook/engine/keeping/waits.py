"""What a wait shows while it lasts: what it waits for, what it sees, and how long it still may.

The rule: only a terminal shows it. The record has the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from drillbook.checks import Check, Observation
from drillbook.engine.keeping.drill_log import DrillLog


def telling(log: DrillLog, check: Check, until_s: float) -> Callable[[Observation], None]:
    """Show a wait that begins now and lasts at most until this monotonic instant; returns the function that shows a
    look.
    """

    def tell(text: str) -> None:
        log.tell("detail", text=text, left_s=max(until_s - time.monotonic(), 0.0))

    tell(check.name)
    return lambda seen: tell(f"{check.name}: {seen.observed} (required: {seen.required})")
