"""The time series that every check reads: samples of one endpoint in the order in which they were taken.

The rule: a moment that a drill reports is the moment of a sample, never the moment when somebody asked. Values are kept
packed (http/bodies.py) and opened when somebody reads them. The oldest are dropped when there are too many.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import overload

from drillbook.model.times.sample import Sample
from drillbook.target.probing.http import bodies
from drillbook.target.probing.http.bodies import Body

__interrupt_after__ = "frame"  # safety/signals never interrupts code of this module: it would leave a lock taken


_SENT_S = attrgetter("sent_s")


class Series:
    """Append-only: the prober's thread writes it, the drill's thread reads it."""

    def __init__(self, name: str, condition: threading.Condition | None = None) -> None:
        self.name = name
        self._samples: list[Sample] = []
        self._changed = condition or threading.Condition()
        self._waiting = 0
        """The number of threads that wait for a sample. A thread counts itself before it looks for a new sample."""
        self._paths: set[str] = set()
        self._bodies: deque[tuple[int, Body]] = deque()
        """The kept bodies, each with the place of the first sample that has it."""
        self._size = 0

    def append(self, sample: Sample) -> None:
        """Add a sample and wake the threads that wait for one."""
        body = sample.value
        if isinstance(body, Body):
            latest = self._bodies[-1][1] if self._bodies else None
            if latest is not None and (latest is body or latest.same_as(body)):
                # each line to an endpoint has a body of its own
                sample = sample if latest is body else replace(sample, value=latest)
            else:
                self._bodies.append((len(self._samples), body))
                self._size += body.size
        self._samples.append(sample)
        while self._size > bodies.KEPT_BYTES and len(self._bodies) > 1:
            self._forget_one()
        if self._waiting:  # taking the lock while nobody waits was a twentieth of the cost of a look
            with self._changed:
                self._changed.notify_all()

    def _forget_one(self) -> None:
        first, body = self._bodies.popleft()
        self._size -= body.size
        left = body.remembered(self._paths)
        for place in range(first, self._bodies[0][0]):
            sample = self._samples[place]
            if sample.value is body:
                self._samples[place] = replace(sample, value=left)

    def remember(self, path: str | None) -> None:
        """From now on keep the part at this path, even after the values are dropped."""
        if path is not None:
            self._paths = {*self._paths, path}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return _opened(self._samples[index])

    def all(self) -> Sequence[Sample]:
        """A snapshot of the samples. Each value is opened when its sample is taken from it."""
        return _Snapshot(tuple(self._samples))

    def looks(self) -> Sequence[Sample]:
        """The same, for a reader of times and errors alone: no value is opened."""
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
                    # each sample wakes it; half a second lets a signal handler have its turn on a quiet endpoint
                    self._changed.wait(min(left, 0.5))
            finally:
                self._waiting -= 1
        return True


def _opened(sample: Sample) -> Sample:
    return replace(sample, value=sample.value.read()) if isinstance(sample.value, Body) else sample


class _Snapshot(Sequence[Sample]):
    """Samples whose values are opened one at a time.

    Opened all at once, they would need the memory that packing saves.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        return _Snapshot(self._samples[index]) if isinstance(index, slice) else _opened(self._samples[index])
