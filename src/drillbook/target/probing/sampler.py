"""Looks at one endpoint at its rate. Where the inventory says so, a look need not wait for the one before.

The rule: looking must be no load. When looks follow one another, a look that waits for its time-out keeps the next one
from seeing that the endpoint is back. That is up to a time-out late, and the stated uncertainty says so. With
`looks_at_once` it is one interval. But a service that hangs then holds that many more requests. 20 at each of three
endpoints cost the lab's API 60 MB, which it kept, in a drill whose criterion was its memory. So the inventory must ask
for it, endpoint by endpoint. Samples are kept in the order in which they were asked for. A look asked before the end of
an outage that failed after it stands before the looks asked later.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from drillbook.model.times.sample import Sample

if TYPE_CHECKING:
    from drillbook.target.inventory.settings import Endpoint
    from drillbook.target.probing.probes import Probe

MORE_IN_ALL = 64
"""The open looks beyond the first of each endpoint.

Without this limit a prober that cannot keep up with a thousand endpoints would open twenty lines to each.
"""


async def _at(due_s: float) -> None:
    """Wait until this instant (monotonic). `asyncio.sleep` sets the same timer and cancels it after it has rung."""
    loop = asyncio.get_running_loop()
    rung = loop.create_future()
    loop.call_at(due_s, _ring, rung)
    await rung


def _ring(rung: asyncio.Future[None]) -> None:
    if not rung.done():  # the waiting task may be cancelled
        rung.set_result(None)


class Spare:
    """The further looks that all samplers share."""

    def __init__(self, left: int = MORE_IN_ALL) -> None:
        self.left = left


class Sampler:
    """The looks at one endpoint. Each open look has its own line; lines are kept and used again."""

    def __init__(
        self,
        endpoint: Endpoint,
        line: Callable[[], Probe],
        take: Callable[[Probe], Coroutine[Any, Any, Sample]],
        keep: Callable[[Sample], None],
        spare: Spare | None = None,
    ) -> None:
        """`line` makes a line, `take` looks by a line and never raises, `keep` gets the samples in their order.

        Raises what `line` raises.
        """
        first = line()
        self.interval_s = 1 / endpoint.samples_per_s
        self._most = endpoint.looks_at_once if first.overlaps else 1
        self._idle = [first]
        self._line, self._take, self._keep = line, take, keep
        self._spare = spare or Spare()
        self._under_way = 0
        self._looks: deque[asyncio.Task[Sample]] = deque()
        """The open looks, and the finished ones that wait for a look asked earlier."""

    async def run(self, shift_s: float) -> None:
        """Look until cancelled; the first look comes in `shift_s`."""
        due = time.monotonic() + shift_s
        one_by_one = self._most == 1
        try:
            while True:
                await _at(due)
                begun_s = time.monotonic()
                if one_by_one:
                    # a task for each look would take a tenth of what the sampling costs
                    self._keep(await self._look())
                else:
                    begun_s = await self._begin_look()
                due = max(due + self.interval_s, begun_s)
        finally:
            for look in self._looks:
                look.cancel()
            await asyncio.gather(*self._looks, return_exceptions=True)
            for probe in self._idle:
                await probe.close()

    async def _begin_look(self) -> float:
        """Begin a look as soon as one more is allowed; returns when it began (monotonic)."""
        while self._under_way and (self._under_way >= self._most or self._spare.left <= 0):
            waiting = [look for look in self._looks if not look.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        look = asyncio.get_running_loop().create_task(self._look())
        self._looks.append(look)
        look.add_done_callback(self._drain)
        return time.monotonic()

    async def _look(self) -> Sample:
        more = self._under_way > 0
        self._under_way += 1
        self._spare.left -= more
        # the line that was used last: the server closes idle lines in the end, and each costs one attempt
        probe = self._idle.pop() if self._idle else self._line()
        try:
            return await self._take(probe)
        finally:
            self._idle.append(probe)
            self._under_way -= 1
            self._spare.left += more

    def _drain(self, _look: object = None) -> None:
        while self._looks and self._looks[0].done():
            look = self._looks.popleft()
            if not look.cancelled():
                self._keep(look.result())
