"""A time-out for one look after another, with one timer for all of them.

The rule: a look is cut off exactly when its time is over, as by `asyncio.timeout`. That sets a timer for each look and
cancels it when the answer comes, twenty times a second for each endpoint: a sixth of the cost of sampling. Here the
timer stays. When it rings, it ends a late look, or is set anew for the current one. When it rings too late, the loop
stood still, and an answer may be there unread. Then the look gets that time back.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

LATE_S = 0.05
"""A timer that rings this much too late shows that the loop stood still."""


class Patience:
    """`async with patience:` raises TimeoutError after `timeout_s`. It serves many looks, but one at a time."""

    __slots__ = ("_before", "_expired", "_given_back", "_loop", "_task", "_timeout_s", "_timer", "_until_s")

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._until_s = 0.0
        self._before = 0
        self._expired = False
        self._given_back = False

    async def __aenter__(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before = task, task.cancelling()
        self._expired = self._given_back = False
        self._until_s = self._loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._until_s, self._ring)

    def _ring(self) -> None:
        assert self._loop is not None
        self._timer = None
        if self._task is None:
            return  # nobody looks; the next look sets it
        if self._loop.time() < self._until_s:
            self._timer = self._loop.call_at(self._until_s, self._ring)
        elif (late_s := self._loop.time() - self._until_s) > LATE_S and not self._given_back:
            self._given_back = True
            self._until_s = self._loop.time() + min(late_s, self._timeout_s)
            self._timer = self._loop.call_at(self._until_s, self._ring)
        else:
            self._expired = True
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        assert task is not None
        # somebody else may have cancelled the task as well: that stays a cancellation
        if self._expired and task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
