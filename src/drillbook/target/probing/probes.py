"""A probe for each kind of endpoint: it makes one look, with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from drillbook.errors import DrillbookError
from drillbook.model.times.sample import Sample
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing.http.bodies import Body
from drillbook.target.probing.http.route import Route, unpacked
from drillbook.target.probing.patience import Patience


class Probe(Protocol):
    """A way to look at one endpoint. It keeps its connection between looks."""

    overlaps: ClassVar[bool]
    """Whether another line may look while this one waits."""

    async def look(self) -> tuple[bool, int | None, object]:
        """Returns (whether it answered as a healthy one, protocol status, value); raises when there is no answer."""

    async def close(self) -> None:
        """Drop the connection."""


class HttpProbe:
    """GET; the value is the body. A check that reads it parses it as JSON or text."""

    overlaps: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint) -> None:
        self._route = Route(endpoint)
        self._healthy = range(200, endpoint.healthy_below)
        self._raw: tuple[bytes, str, str] | None = None
        self._value: Body | None = None

    async def look(self) -> tuple[bool, int | None, object]:
        answer = await self._route.ask()
        coding, kind = answer.headers.get("content-encoding", ""), answer.headers.get("content-type", "")
        raw = (answer.body, coding, kind)
        if raw != self._raw:
            form = ", ".join(filter(None, (kind.partition(";")[0].strip(), coding)))
            self._raw, self._value = raw, Body(unpacked(answer.body, coding), form)
        return answer.status in self._healthy, answer.status, self._value

    async def close(self) -> None:
        self._route.close()


class RedisProbe:
    """ROLE on the primary (through Sentinel where the endpoint names one).

    The value says which node answers, and in which role.
    """

    overlaps: ClassVar[bool] = False
    """A line through Sentinel and TLS takes 8 ms of CPU to open: twenty a second take a sixth of a core."""

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
        # only inventories with Redis use redis.asyncio, which takes 0.1 s of CPU to import
        from drillbook.target.probing import redis_async

        return await redis_async.connection(self._endpoint)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


class SqlProbe:
    """`select 1` on a connection that is opened again after it was lost."""

    overlaps: ClassVar[bool] = False
    """Each line is a process of the server, which has a hundred of them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: Any = None

    async def look(self) -> tuple[bool, int | None, object]:
        try:
            if self._connection is None:
                self._connection = await self._connect()
            alarm = asyncio.get_running_loop().call_later(
                self._endpoint.timeout_s, _shut, self._connection.pgconn.socket
            )
            try:
                cursor = await self._connection.execute("select 1")
                await cursor.fetchone()
            finally:
                alarm.cancel()
        except BaseException:
            await self.close()
            raise
        return True, None, 1

    async def _connect(self) -> Any:
        # only inventories with a database use psycopg, which takes 0.1 s of CPU to import
        from drillbook.target.probing import sql

        return await sql.async_connect(self._endpoint)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _shut(descriptor: int) -> None:
    """Shut the socket under a connection, through a copy of the descriptor: psycopg still owns the connection's own.

    A late statement cannot simply be cancelled: psycopg first asks the server to cancel it, and on a cut network waits
    10 s for the server's word.
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


class ContainerProbe:
    """Asks the engine for its container, in a thread of its own: the package `docker` waits for each answer."""

    overlaps: ClassVar[bool] = False
    """Each look is two requests, and the engine reads a dozen files for them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        try:
            self._by: Any = import_module("drillbook.target.probing.container")
        except ModuleNotFoundError as error:
            raise ValueError(f"the package {error.name} is missing: pip install 'drillbook[containers]'") from error
        self._engine: Any = None
        self._thread: ThreadPoolExecutor | None = None

    async def look(self) -> tuple[bool, int | None, object]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "drillbook-container")
        try:
            ok, value = await asyncio.get_running_loop().run_in_executor(self._thread, self._look)
        except BaseException:
            await self.close()
            raise
        return ok, None, value

    def _look(self) -> tuple[bool, object]:
        if self._engine is None:
            self._engine = self._by.client(self._endpoint)
        ok, value = self._by.look(self._engine, self._endpoint.container)
        return ok, value

    async def close(self) -> None:
        """Leave a look that is late to its own time-out, and begin anew with the next one."""
        thread, self._thread = self._thread, None
        engine, self._engine = self._engine, None
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)
        if engine is not None:
            engine.close()


_PROBES: Mapping[EndpointKind, Callable[[Endpoint], Probe]] = {
    EndpointKind.HTTP: HttpProbe,
    EndpointKind.REDIS: RedisProbe,
    EndpointKind.SQL: SqlProbe,
    EndpointKind.TCP: TcpProbe,
    EndpointKind.CONTAINER: ContainerProbe,
}


def probe_of(endpoint: Endpoint) -> Probe:
    try:
        return _PROBES[endpoint.kind](endpoint)
    except (OSError, ValueError) as error:
        raise DrillbookError(f"endpoint {endpoint.name!r} cannot be asked: {why(error)}") from error


def why(error: BaseException) -> str:
    """Why a look failed, in a few plain words, without addresses of objects or stack traces."""
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


async def take_once(endpoint: Endpoint) -> Sample:
    """One sample on a connection of its own. Raises DrillbookError for an endpoint that cannot be asked."""
    probe = probe_of(endpoint)
    try:
        return await take(probe, Patience(endpoint.timeout_s))
    finally:
        await probe.close()


async def take(probe: Probe, patience: Patience) -> Sample:
    """One sample. Any error becomes a sample that says so."""
    sent = time.monotonic()
    try:
        async with patience:
            ok, status, value = await probe.look()
        form = value.form if isinstance(value, Body) else ""
        return Sample(sent, time.monotonic(), ok, status, value, form=form)
    except Exception as error:  # noqa: BLE001 - a probe may fail in any way; the sample carries the reason
        return Sample(sent, time.monotonic(), ok=False, error=why(error))
