"""The background prober: looks at every endpoint all through the drill, and only looks.

One asyncio loop in one thread. Each endpoint has its own cadence and its own connection, so that one that hangs does
not delay another. A probe that takes longer than its interval is not overlapped: the next one follows at once, and the
gap stands in the samples.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.httpwire import HttpLine
from drillbook.inventory import Endpoint, EndpointKind
from drillbook.sampling import Sampler, Spare
from drillbook.series import Sample, Series

T = TypeVar("T")

STOP_TIMEOUT_S = 5.0
_OVER_S = 5.0
"""A look that is cut off at its time-out has to be kept, too."""


class Probe(Protocol):
    """A way to look at one endpoint; keeps its connection between looks."""

    overlaps: ClassVar[bool]
    """Whether a further line may look while this one waits."""

    async def look(self) -> tuple[bool, int | None, object]:
        """(answered as a healthy endpoint does, protocol status, value); raises when there is no answer."""

    async def close(self) -> None:
        """Drop the connection."""


class HttpProbe:
    """GET; the value is the parsed JSON body, or the text."""

    overlaps: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint) -> None:
        self._line = HttpLine(endpoint.url, endpoint.headers, endpoint.ca)
        self._raw: bytes | None = None
        self._value: object = None

    async def look(self) -> tuple[bool, int | None, object]:
        answer = await self._line.ask()
        if answer.body != self._raw:
            self._raw, self._value = answer.body, _parse(answer.body)
        return answer.status < 400, answer.status, self._value

    async def close(self) -> None:
        self._line.close()


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "backslashreplace")


class RedisProbe:
    """ROLE on the primary (through Sentinel where the endpoint names one): the value says who answers and as what."""

    overlaps: ClassVar[bool] = False
    """A line through Sentinel and TLS takes 8 ms of a CPU to open: twenty a second are a sixth of a core."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: Any = None
        self._node = ""

    async def look(self) -> tuple[bool, int | None, object]:
        try:
            if self._connection is None:
                self._connection, self._node = await self._connect()
            await self._connection.send_command("ROLE")
            role = await self._connection.read_response()
        except BaseException:
            await self.close()
            raise
        kind = role[0].decode() if isinstance(role[0], bytes) else str(role[0])
        return True, None, {"role": kind, "node": self._node}

    async def _connect(self) -> tuple[Any, str]:
        from drillbook.redisclient import async_connection

        return await async_connection(self._endpoint)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


class SqlProbe:
    """`select 1` over a connection that is opened again when it was lost."""

    overlaps: ClassVar[bool] = False
    """Each line is a process of the server, of which it has a hundred."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: Any = None

    async def look(self) -> tuple[bool, int | None, object]:
        import psycopg

        try:
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._endpoint.url,
                    user=self._endpoint.user,
                    password=self._endpoint.password,
                    autocommit=True,
                    connect_timeout=max(1, round(self._endpoint.timeout_s)),
                )
            alarm = asyncio.get_running_loop().call_later(
                self._endpoint.timeout_s, _shut, self._connection.pgconn.socket
            )
            try:
                cursor = await self._connection.execute("select 1", prepare=True)
                await cursor.fetchone()
            finally:
                alarm.cancel()
        except BaseException:
            await self.close()
            raise
        return True, None, 1

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _shut(descriptor: int) -> None:
    """End the socket under a connection; a copy of the descriptor, for psycopg goes on owning the other.

    A late statement cannot simply be cancelled: psycopg first asks the server to cancel it, and on a cut network
    waits 10 s for the server's word.
    """
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


class TcpProbe:
    """Opens a connection and closes it."""

    overlaps: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.url)
        self._address = (parts.hostname, parts.port)

    async def look(self) -> tuple[bool, int | None, object]:
        _, writer = await asyncio.open_connection(*self._address)
        writer.close()
        return True, None, "connected"

    async def close(self) -> None:
        return None


_PROBES: Mapping[EndpointKind, Callable[[Endpoint], Probe]] = {
    EndpointKind.HTTP: HttpProbe,
    EndpointKind.REDIS: RedisProbe,
    EndpointKind.SQL: SqlProbe,
    EndpointKind.TCP: TcpProbe,
}


def _probe(endpoint: Endpoint) -> Probe:
    try:
        return _PROBES[endpoint.kind](endpoint)
    except (OSError, ValueError) as error:
        raise DrillbookError(f"endpoint {endpoint.name!r} cannot be asked: {why(error)}") from error


def why(error: BaseException) -> str:
    """The reason of a failed look in a few plain words, without addresses of objects or stack traces."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {getattr(error, 'reason', None) or error}"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


@dataclass(frozen=True, slots=True)
class ProbeStats:
    """What the sampling of one endpoint came to, and what all sampling cost."""

    endpoint: str
    samples: int
    failures: int
    interval_s: float
    timeout_s: float


class Prober:
    """Samples endpoints from `start` to `stop`. Use as a context manager or call `stop` in a finally."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = {name: endpoint for name, endpoint in endpoints.items() if endpoint.probe}
        self._known = endpoints
        self.series = {name: Series(name) for name in self._endpoints}
        self._told: dict[str, Callable[[Sample], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._spare = Spare()
        self._cpu_s = 0.0
        self._started_s = 0.0
        self._stopped_s: float | None = None

    def on_sample(self, name: str, told: Callable[[Sample], None]) -> None:
        """Tell each sample of an endpoint, once it is in its series, in the prober's thread: be quick, never raise.

        Before `start`. Raises DrillbookError as `of` does.
        """
        self.of(name)
        self._told[name] = told

    def start(self) -> None:
        """Begin to sample; returns when the loop runs. Raises DrillbookError for an endpoint that nobody can ask."""
        samplers = [self._sampler(name, endpoint) for name, endpoint in self._endpoints.items()]
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready, samplers), name="drillbook-prober", daemon=True)
        self._thread.start()
        ready.wait()

    def _run(self, ready: threading.Event, samplers: Sequence[Sampler]) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._started_s = time.monotonic()
        for n, sampler in enumerate(samplers):
            # spread over the interval: all at once would make each measure the others' work
            self._tasks.append(self._loop.create_task(sampler.run(n / len(samplers) * sampler.interval_s)))
        self._loop.call_soon(ready.set)
        try:
            self._loop.run_forever()
        finally:
            self._cpu_s = time.thread_time()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _sampler(self, name: str, endpoint: Endpoint) -> Sampler:
        series, told = self.series[name], self._told.get(name)

        def keep(sample: Sample) -> None:
            series.append(sample)
            if told is not None:
                told(sample)

        def look(line: Probe) -> Coroutine[Any, Any, Sample]:
            return take(line, endpoint.timeout_s)

        return Sampler(endpoint, lambda: _probe(endpoint), look, keep, self._spare)

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the prober's loop (the load generator does)."""
        if self._loop is None or not self.alive:
            work.close()
            raise CouldNotLookError("the prober is not running: nothing can be looked at")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def looked(self, since_s: float) -> bool:
        """Wait until each endpoint was looked at since this instant (monotonic); False where no look came.

        Takes at most an interval and the time-out of each.
        """
        endpoints = self._endpoints.values()
        until_s = time.monotonic() + max((1 / e.samples_per_s + e.timeout_s for e in endpoints), default=0) + _OVER_S
        for series in self.series.values():
            while series.first_index_since(since_s) == (length := len(series)):
                if not series.wait_beyond(length, until_s, lambda: not self.alive):
                    return False
        return True

    @property
    def alive(self) -> bool:
        """Whether the sampling goes on; a dead prober must never look like a quiet system."""
        return self._thread is not None and self._thread.is_alive() and not any(task.done() for task in self._tasks)

    def endpoint(self, name: str) -> Endpoint:
        """The sampled endpoint of this name. Raises DrillbookError as `of` does."""
        self.of(name)
        return self._endpoints[name]

    def of(self, name: str) -> Series:
        """The series of an endpoint. Raises DrillbookError for one that is unknown or not sampled."""
        if name in self.series:
            return self.series[name]
        if name in self._known:
            raise DrillbookError(
                f"endpoint {name!r} is not sampled: remove 'probe: false' from it in drillbook_endpoints"
            )
        known = ", ".join(sorted(self._known)) or "none"
        raise DrillbookError(f"no endpoint {name!r} in the inventory's drillbook_endpoints; there are: {known}")

    def stop(self) -> None:
        """End the sampling, and whatever `run` still has under way; idempotent. Never raises, and never hangs."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return

        deadline = time.monotonic() + STOP_TIMEOUT_S

        async def end() -> None:
            while (pending := asyncio.all_tasks() - {asyncio.current_task()}) and time.monotonic() < deadline:
                # again and again: a client library that catches a cancellation in its own time-out swallows it
                for task in pending:
                    task.cancel()
                await asyncio.wait(pending, timeout=STOP_TIMEOUT_S / 10)

        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(end(), loop).result(timeout=STOP_TIMEOUT_S * 1.2)
        self._stopped_s = time.monotonic()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=STOP_TIMEOUT_S)

    @property
    def cpu_ratio(self) -> float | None:
        """CPU seconds of the prober's thread (sampling and load) per second, once stopped."""
        if self._stopped_s is None or self._stopped_s <= self._started_s:
            return None
        return self._cpu_s / (self._stopped_s - self._started_s)

    def stats(self) -> list[ProbeStats]:
        """One row per sampled endpoint."""
        return [
            ProbeStats(
                name,
                len(self.series[name]),
                sum(not sample.ok for sample in self.series[name].all()),
                1 / endpoint.samples_per_s,
                endpoint.timeout_s,
            )
            for name, endpoint in self._endpoints.items()
        ]

    def __enter__(self) -> Prober:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


async def take_once(endpoint: Endpoint) -> Sample:
    """One sample by a connection of its own. Raises DrillbookError for an endpoint that nobody can ask."""
    probe = _probe(endpoint)
    try:
        return await take(probe, endpoint.timeout_s)
    finally:
        await probe.close()


async def take(probe: Probe, timeout_s: float) -> Sample:
    """One sample; whatever goes wrong becomes a sample that says so."""
    sent = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            ok, status, value = await probe.look()
        return Sample(sent, time.monotonic(), ok, status, value)
    except Exception as error:  # noqa: BLE001 - a probe may fail in any way; the sample carries the reason
        return Sample(sent, time.monotonic(), ok=False, error=why(error))
