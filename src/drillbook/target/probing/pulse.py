"""The pulse of the prober's loop tells when the loop stood still, so that nobody blames the system for it.

The rule: a pause of the harness (SIGSTOP, a machine without a CPU to spare, a garbage collection) belongs to the
harness. A look during which the loop stood still does not count: its answer waited for us, or its time ran out while
nobody read.
"""

from __future__ import annotations

import asyncio
import time

from drillbook.model.times.gaps import Gap

BEAT_S = 0.1
STILL_S = 0.5
"""A beat that comes this much too late is a pause. On a busy machine a beat is late by 0.1 s now and then."""


class Pulse:
    """Beats in a loop. Only that loop's thread may ask it about looks."""

    def __init__(self) -> None:
        self.pauses: list[Gap] = []
        """When the loop stood still; only appended to."""
        self._beaten_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Beat from now on, until `stop`."""
        self._beaten_s = time.monotonic()
        self._timer = loop.call_later(BEAT_S, self._beat, loop)

    def stop(self) -> None:
        """No further beat."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._felt()
        self._timer = loop.call_later(BEAT_S, self._beat, loop)

    def _felt(self) -> None:
        now = time.monotonic()
        if now - self._beaten_s > BEAT_S + STILL_S:
            self.pauses.append(Gap(self._beaten_s, now))
        self._beaten_s = now

    def stood_still(self, since_s: float) -> bool:
        """Whether the loop stood still at any time between this instant (monotonic) and now."""
        # the timer of a look may ring before the beat that reveals the pause
        if time.monotonic() - self._beaten_s > BEAT_S + STILL_S:
            self._felt()
        return bool(self.pauses) and self.pauses[-1].until_s > since_s
