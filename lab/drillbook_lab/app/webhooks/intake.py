"""How a webhook is taken in: Redis and a replica have it, or this process has it in memory, or it is refused.

Entries stand in one line, in order of arrival. One task takes up to 50 of them from its head, and writes them with a
WAIT in one pipeline, so that the WAIT is on the connection that wrote. An entry leaves the line only when Redis has
confirmed it. If a write fails, its entries stay at the head and their senders are told "memory". While Redis takes
nothing, new entries join the line and their senders are told "memory" at once. A full line refuses new entries.

So nothing that was acknowledged is lost while this process lives. An entry that was written but not confirmed (a
time-out) is written again under the same job id, which adds nothing. When this process ends, the next one has to
`take_up` what `held` returns.
"""
# mypy: disable-error-code="no-untyped-call"
# (circuitbreaker is not typed)

import asyncio
import contextlib
import ctypes
import gc
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from circuitbreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker

from drillbook_lab.app.health.causes import cause_of, in_short
from drillbook_lab.app.webhooks.jobs import Webhook
from drillbook_lab.base.logs import Log

BATCH = 50
COMMIT_TIMEOUT_S = 1.0
RETRY_S = 0.2
FAILURES_TO_OPEN = 5
OPEN_S = 2.0


def give_back() -> None:
    """Return the freed memory that the C library keeps to the system. Has no effect unless the C library is glibc.

    Measured without this: after an outage that fills the buffer, 94 MB stay resident for ever. Before there were 80.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Full(Exception):
    """The memory buffer is full, or the process ends, so nothing more can be acknowledged."""


class Place(StrEnum):
    REDIS = "redis"
    MEMORY = "memory"


@dataclass(slots=True, eq=False)
class _Entry:
    webhook: Webhook
    answer: asyncio.Future[Place] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    in_memory: bool = False


class Intake:
    """The line between the webhook endpoint and the queue.

    `commit` writes a batch, in order, and raises if it is not sure that all of it is written. `ping` is the cheapest
    call that proves the queue usable. It closes the breaker when nobody sends anything.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Webhook]], Awaitable[None]],
        ping: Callable[[], Awaitable[object]],
        limit: int,
        journal: Log,
    ) -> None:
        self.limit = limit
        self.breaker = CircuitBreaker(
            failure_threshold=FAILURES_TO_OPEN, recovery_timeout=OPEN_S, expected_exception=Exception, name="queue"
        )
        self._commit = commit
        self._ping = ping
        self._journal = journal
        self._line: deque[_Entry] = deque()
        self._in_memory = 0
        self._moving = True
        self._closed = False
        self._arrived = asyncio.Event()

    @property
    def size(self) -> int:
        """How many acknowledged webhooks live in this process's memory alone."""
        return self._in_memory

    @property
    def full(self) -> bool:
        return len(self._line) >= self.limit

    @property
    def breaker_state(self) -> str:
        return str(self.breaker.state)

    async def submit(self, webhook: Webhook) -> Place:
        """Take a webhook in; returns where it is kept. Raises Full."""
        if self.full or self._closed:
            raise Full
        entry = _Entry(webhook)
        self._line.append(entry)
        self._arrived.set()
        # A sender does not wait behind a long line, but it waits behind a short line that moves. Without this
        # difference a slow Redis (no replica, so each WAIT takes its full time) would keep every new webhook "in
        # memory" for ever.
        if not self._moving or self._in_memory >= BATCH or self.breaker.state != STATE_CLOSED:
            self._keep(entry)
        return await asyncio.shield(entry.answer)

    def _keep(self, entry: _Entry) -> None:
        if not entry.in_memory:
            entry.in_memory = True
            self._in_memory += 1
            if not entry.answer.done():
                entry.answer.set_result(Place.MEMORY)

    def held(self) -> list[Webhook]:
        """The acknowledged webhooks that only this process's memory has, in order."""
        return [entry.webhook for entry in self._line if entry.in_memory]

    def take_up(self, webhooks: Sequence[Webhook]) -> None:
        """Put what an earlier process had acknowledged at the head of the line, whatever the limit."""
        for webhook in reversed(webhooks):
            entry = _Entry(webhook)
            self._line.appendleft(entry)
            self._keep(entry)
        self._arrived.set()

    def close(self) -> None:
        """Acknowledge nothing more, and let `run` end after its present batch. `held` does not grow after this."""
        self._closed = True
        self._arrived.set()

    async def run(self) -> None:
        """Move entries from the line to the queue, until it is closed.

        Do not end it by a cancellation: a client of Redis that is just being refused may take that for a failed
        connection.
        """
        while not self._closed:
            state = self.breaker.state
            if state == STATE_OPEN:
                await asyncio.sleep(min(RETRY_S, max(0.01, self.breaker.open_remaining)))
            elif self._line:
                await self._move()
            elif state == STATE_HALF_OPEN:
                self._moving = await self._try(self._ping)
            else:
                self._arrived.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._arrived.wait()

    async def _move(self) -> None:
        batch = [entry for entry, _ in zip(self._line, range(BATCH), strict=False)]
        self._moving = await self._try(lambda: self._commit([entry.webhook for entry in batch]))
        if self._moving:
            held = self._in_memory
            for entry in batch:
                self._line.popleft()
                if entry.in_memory:
                    self._in_memory -= 1
                elif not entry.answer.done():
                    entry.answer.set_result(Place.REDIS)
            if held and not self._in_memory:
                give_back()
        else:
            for entry in () if self._closed else self._line:
                self._keep(entry)
            await asyncio.sleep(RETRY_S)

    async def _try(self, call: Callable[[], Awaitable[object]]) -> bool:
        try:
            # The time-out is inside of the breaker, which must see a TimeoutError: it counts a CancelledError as a
            # success.
            with self.breaker:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    await call()
        except Exception as error:  # noqa: BLE001 - whatever fails here, the entries stay in line and are tried again
            self._journal.error(
                "queue", "the queue cannot be written", error=in_short(error), kind=str(cause_of(error))
            )
            return False
        return True
