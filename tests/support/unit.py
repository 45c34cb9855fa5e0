"""Small constructors and loopback servers that several unit tests share."""

from __future__ import annotations

import asyncio
import atexit
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings

from drillbook.model.times.sample import Sample
from drillbook.target.ansible.result import HostStats, PlayResult, TaskResult, TaskStatus
from drillbook.target.inventory.settings import Endpoint, EndpointKind

DEADLINE_S = 10.0
"""Seconds. This is long enough for a loaded machine. No test waits this long unless it fails."""

quickly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The settings of property tests. They do not judge the speed, since the machine may be busy."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def sample(
    value: object = None,
    *,
    at: float = 0.0,
    took: float = 0.01,
    ok: bool = True,
    status: int | None = None,
    error: str | None = None,
) -> Sample:
    """A look that began at `at` and took so long."""
    return Sample(at, at + took, ok, status, value, error)


def no_answer(error: str = "connection refused", *, at: float = 0.0) -> Sample:
    """A look that found nobody."""
    return sample(at=at, ok=False, error=error)


def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for a condition. Fail when it does not come true in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what or condition}"
        time.sleep(0.005)


def task(
    status: TaskStatus = TaskStatus.OK,
    action: str = "ansible.builtin.assert",
    host: str = "web",
    name: str = "The fault is gone",
    **more: Any,
) -> TaskResult:
    """One task of a play. Without arguments it is an assertion that held."""
    return TaskResult("The play", name, action, host, status, 1.0, 2.0, "", "playbooks/undo.yml:7", **more)


def played(*tasks: TaskResult, **changes: Any) -> PlayResult:
    """A run of an undo playbook that ended successfully on the hosts of its tasks."""
    values: dict[str, Any] = {
        "playbook": "undo.yml",
        "rc": 0,
        "status": "successful",
        "started_s": 0.0,
        "ended_s": 9.0,
        "started_at": datetime(2026, 11, 22, tzinfo=UTC),
        "hosts": {each.host: HostStats(ok=1) for each in tasks},
        "tasks": tasks,
        "stdout": "",
    }
    return PlayResult(**(values | changes))


def endpoint(name: str, url: str, **more: Any) -> Endpoint:
    """An endpoint that is sampled often. Its URL tells its kind."""
    scheme = url.partition(":")[0]
    kind = {"https": EndpointKind.HTTP, "rediss": EndpointKind.REDIS, "unix": EndpointKind.REDIS}.get(scheme)
    values: dict[str, Any] = {"timeout_s": 1.0, "samples_per_s": 100.0}
    return Endpoint(name, kind or EndpointKind(scheme), url, **(values | more))


def free_port() -> int:
    """A port at which nobody listens until the test does. It stays taken, and SO_REUSEADDR lets a server in."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    atexit.register(holder.close)
    return int(holder.getsockname()[1])


class Server:
    """A TCP server on loopback in a thread of its own. `handler` serves each connection."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.port = 0
        self._handler, self._tls = handler, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def begin() -> asyncio.Server:
            server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self._tls)
            self.port = server.sockets[0].getsockname()[1]
            return server

        server = self._loop.run_until_complete(begin())
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for each in self._tasks:
            each.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        me = asyncio.current_task()
        assert me is not None
        self._tasks.add(me)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._handler(reader, writer)
        finally:
            self._tasks.discard(me)
            writer.close()

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


async def request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Read one HTTP request. Returns its head and its body. Raises IncompleteReadError when the client is gone."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
    return head, await reader.readexactly(int(lengths[0])) if lengths else b""


def reply(status: int = 200, body: bytes = b"", headers: str = "") -> bytes:
    """An HTTP response of known length. `headers` are whole lines."""
    return f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answering(*replies: bytes) -> Handler:
    """A handler that gives the replies in turn, one for each request over all connections, then the last one again."""
    left = list(replies)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return handler


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """A handler that takes the request and never answers."""
    while await reader.read(1024):
        pass
