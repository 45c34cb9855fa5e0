"""What happened in the last seconds, by kind. A figure since the start would bury an outage in its average."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable

WINDOW_S = 2
"""The window of all rates: long enough to compute one, and short enough to show a recovery."""


class Recent:
    """Counts of the last `window_s` seconds."""

    def __init__(self, window_s: float = WINDOW_S, now: Callable[[], float] = time.monotonic) -> None:
        self.window_s = window_s
        self._now = now
        self._seen: deque[tuple[float, str, int]] = deque()

    def add(self, kind: str, count: int = 1) -> None:
        self._seen.append((self._now(), kind, count))
        self._forget()

    def count(self, *kinds: str) -> int:
        """How often these kinds happened; without an argument, how often any kind happened."""
        self._forget()
        return sum(count for _, kind, count in self._seen if not kinds or kind in kinds)

    def share(self, kinds: Iterable[str]) -> float | None:
        """The share of these kinds in all that happened, 0 to 1. None if nothing happened."""
        whole = self.count()
        return round(self.count(*kinds) / whole, 4) if whole else None

    def _forget(self) -> None:
        since = self._now() - self.window_s
        while self._seen and self._seen[0][0] < since:
            self._seen.popleft()


class Durations:
    """How long the answers of the last `window_s` seconds took, in milliseconds."""

    def __init__(self, window_s: float = WINDOW_S, now: Callable[[], float] = time.monotonic) -> None:
        self.window_s = window_s
        self._now = now
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, took_ms: float) -> None:
        self._seen.append((self._now(), took_ms))
        self._forget()

    def p95_ms(self) -> float | None:
        """The time within which 95 % of the answers were given. None if there were no answers."""
        self._forget()
        took = sorted(each for _, each in self._seen)
        return round(took[math.ceil(0.95 * len(took)) - 1], 1) if took else None

    def _forget(self) -> None:
        since = self._now() - self.window_s
        while self._seen and self._seen[0][0] < since:
            self._seen.popleft()
