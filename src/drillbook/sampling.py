"""Looking at one endpoint at its rate, whether or not the look before has come back.

The rule: a look that hangs hides nothing. One after another, a look that waits for its time-out would keep the next
one from seeing that the endpoint is back (up to a second late at the default time-out; now one interval). Samples
are kept in the order in which they were asked for: what was asked before the end of an outage, and failed after it,
stands before what was asked after it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from drillbook.series import Sample

if TYPE_CHECKING:
    from drillbook.inventory import Endpoint
    from drillbook.probe import Probe

MOST_AT_ONCE = 32
"""Looks under way at one endpoint. One second's time-out at 20 looks a second needs 21."""


class Sampler:
    """The looks at one endpoint. Each look under way has a line of its own; lines are kept and used again."""

    def __init__(
        self,
        endpoint: Endpoint,
        line: Callable[[], Probe],
        take: Callable[[Probe], Coroutine[Any, Any, Sample]],
        keep: Callable[[Sample], None],
    ) -> None:
        """`line` makes a line, `take` looks by one and never raises, `keep` is told the samples in their order.

        Raises what `line` raises.
        """
        first = line()
        self.interval_s = 1 / endpoint.samples_per_s
        self._most = min(MOST_AT_ONCE, 1 + math.ceil(endpoint.timeout_s * endpoint.samples_per_s))
        if not first.overlaps:
            self._most = 1
        self._idle = [first]
        self._line, self._take, self._keep = line, take, keep
        self._looks: deque[asyncio.Task[Sample]] = deque()
        """Those under way, and those that have come back before one that was asked earlier."""

    async def run(self, shift_s: float) -> None:
        """Look until cancelled; the first time in `shift_s`."""
        due = time.monotonic() + shift_s
        try:
            while True:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if len(self._looks) >= self._most:
                    await asyncio.wait({self._looks[0]})
                    self._drain()
                look = asyncio.get_running_loop().create_task(self._look())
                self._looks.append(look)
                look.add_done_callback(self._drain)
                due = max(due + self.interval_s, time.monotonic())
        finally:
            for look in self._looks:
                look.cancel()
            await asyncio.gather(*self._looks, return_exceptions=True)
            for probe in self._idle:
                await probe.close()

    async def _look(self) -> Sample:
        # the line that was used last: the others are closed by the server in the end, which costs one attempt
        probe = self._idle.pop() if self._idle else self._line()
        try:
            return await self._take(probe)
        finally:
            self._idle.append(probe)

    def _drain(self, _look: object = None) -> None:
        while self._looks and self._looks[0].done():
            look = self._looks.popleft()
            if not look.cancelled():
                self._keep(look.result())
