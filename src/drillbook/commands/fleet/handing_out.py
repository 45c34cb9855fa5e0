"""Which lab proves which scenario next.

The rule: every scenario is handed out once, one at a time, so that all labs have work until the end. The longest come
first: a long one at the end would keep one lab busy while the others have nothing left.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from drillbook.evidence.render.drill_table import Scenario, longest_first


class HandingOut:
    """The scenarios still to be proven. Each lab asks from its own thread."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._todo = longest_first(scenarios)
        self._busy_with: dict[str, str] = {}
        self._lock = threading.Lock()

    def next(self, lab: str) -> Scenario | None:
        """What this lab proves next; None when there is nothing left.

        If possible it is of a feature that no other lab is busy with: the scenarios of a feature are alike, and side by
        side they compete for the same parts of a machine.
        """
        with self._lock:
            self._busy_with.pop(lab, None)
            busy = set(self._busy_with.values())
            found = next((each for each in self._todo if each.feature not in busy), next(iter(self._todo), None))
            if found is not None:
                self._todo.remove(found)
                self._busy_with[lab] = found.feature
            return found

    def leave(self, lab: str) -> None:
        """This lab is gone, and no longer busy with anything."""
        with self._lock:
            self._busy_with.pop(lab, None)
