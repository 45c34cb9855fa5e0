"""What happened in the last seconds, by kind. A figure since the start would bury an outage in its average."""

import time
from collections import deque
from collections.abc import Callable, Iterable

WINDOW_S = 2
"""Of all figures that are a rate: long enough for one, short enough to see a recovery by."""


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
        """How many of these kinds; of all kinds when none is named."""
        self._forget()
        return sum(count for _, kind, count in self._seen if not kinds or kind in kinds)

    def share(self, kinds: Iterable[str]) -> float | None:
        """Their part of all, 0 to 1. None when there was nothing: of nothing there is no share."""
        whole = self.count()
        return round(self.count(*kinds) / whole, 4) if whole else None

    def _forget(self) -> None:
        since = self._now() - self.window_s
        while self._seen and self._seen[0][0] < since:
            self._seen.popleft()
