"""Background monitors. Health only repeats what they know, so a question about health never hangs on a broken server.

A monitor asks every 0.5 s and gives up after 1 s. It reports the median latency of its last five answers, because one
answer that had to wait for the processor does not mean that the component is slow. Some probes do not end even when
they are cancelled: psycopg waits for a cancel request that a cut network swallows. The monitor abandons such a probe
and starts a new one, so the monitor itself never stops.
"""

import asyncio
import datetime
import statistics
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from drillbook_lab.app.health.causes import cause_of, in_short
from drillbook_lab.base.logs import Log

INTERVAL_S = 0.5
TIMEOUT_S = 1.0
ANSWERS = 5


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Component:
    """What is known of a component; `since` is when `up` last changed."""

    up: bool
    since: str
    latency_ms: float | None = None
    error: str | None = None
    error_kind: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "status": "up" if self.up else "down",
            "latency_ms": self.latency_ms,
            "error": self.error,
            "error_kind": self.error_kind,
            "since": self.since,
        }


class Monitor:
    """Looks at one component for ever and keeps the last finding in `state`."""

    def __init__(
        self, name: str, probe: Callable[[], Awaitable[object]], journal: Log, interval_s: float = INTERVAL_S
    ) -> None:
        self.name = name
        self.state = Component(up=False, since=_now(), error="not looked at yet", error_kind="other")
        self._probe = probe
        self._journal = journal
        self._interval_s = interval_s
        self._abandoned: set[asyncio.Task[object]] = set()
        self._latencies_ms: deque[float] = deque(maxlen=ANSWERS)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._look()
            await asyncio.sleep(max(0.05, self._interval_s - (loop.time() - began)))

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        task: asyncio.Task[object] = asyncio.create_task(self._call())
        done, _ = await asyncio.wait({task}, timeout=TIMEOUT_S)
        if not done:
            task.cancel()
            self._abandoned.add(task)
            task.add_done_callback(self._forget)
            self._silent(TimeoutError(f"no answer within {TIMEOUT_S:g} s"))
        elif (error := task.exception()) is not None:
            self._silent(error)
        else:
            self._answered((loop.time() - began) * 1000)

    async def _call(self) -> object:
        return await self._probe()

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()

    def _silent(self, error: BaseException) -> None:
        kind = str(cause_of(error))
        if self.state.up or kind != self.state.error_kind:
            self._journal.error(self.name, f"{self.name} does not answer", error=in_short(error), kind=kind)
        self._latencies_ms.clear()
        self.state = Component(False, _now() if self.state.up else self.state.since, None, in_short(error), kind)

    def _answered(self, latency_ms: float) -> None:
        if not self.state.up:
            self._journal.info(self.name, f"{self.name} answers")
        self._latencies_ms.append(latency_ms)
        since = self.state.since if self.state.up else _now()
        self.state = Component(True, since, round(statistics.median(self._latencies_ms), 2))
