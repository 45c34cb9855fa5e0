"""The time series that every check reads: samples of one endpoint in the order in which they were taken.

The rule: a moment that a drill reports is the moment of a sample, never the moment when somebody asked.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import attrgetter

from drillbook.model.times.sample import Sample

__interrupt_after__ = "frame"  # safety/signals lets code of this module come to its end: it would leave a lock taken


_SENT_S = attrgetter("sent_s")


class Series:
    """Append-only, written by the prober's thread and read by the drill's."""

    def __init__(self, name: str, condition: threading.Condition | None = None) -> None:
        self.name = name
        self._samples: list[Sample] = []
        self._changed = condition or threading.Condition()
        self._waiting = 0
        """How many wait for a sample. Whoever waits counts itself before it looks whether one came."""

    def append(self, sample: Sample) -> None:
        """Add a sample and wake who waits for one."""
        self._samples.append(sample)
        if self._waiting:  # taking the lock for nobody was a twentieth of what a look costs
            with self._changed:
                self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]

    def all(self) -> Sequence[Sample]:
        """A snapshot of what is there."""
        return tuple(self._samples)

    def first_index_since(self, sent_s: float) -> int:
        """Index of the first sample that was asked for at or after this instant."""
        return bisect_left(self._samples, sent_s, key=_SENT_S)

    def wait_beyond(self, length: int, until_s: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Wait until there are more than `length` samples; False when `until_s` (monotonic) passes first."""
        with self._changed:
            self._waiting += 1
            try:
                while len(self._samples) <= length:
                    left = until_s - time.monotonic()
                    if left <= 0 or stop():
                        return False
                    # woken by each sample; half a second so that a signal handler gets its turn on a quiet endpoint
                    self._changed.wait(min(left, 0.5))
            finally:
                self._waiting -= 1
        return True
