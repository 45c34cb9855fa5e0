"""What a link of the lab's proxy leaves behind: after each way a connection can end, every descriptor is back.

A proxy that keeps one socket for each client that went away has none left after a quarter of an hour, and then
resets everybody: a fault that no drill made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drillbook_lab.base.topology import HOST
from drillbook_lab.lifecycle.parts import tls
from drillbook_lab.proxy.faults import Certificate, Toxic
from drillbook_lab.proxy.link import Link
from tests.support.unit import free_port

pytestmark = pytest.mark.unit

_DEADLINE_S = 20
_CLIENTS = 4
BLACKHOLE = {"name": "t", "type": "timeout", "attributes": {"timeout": 0}}
SLOW = {"name": "t", "type": "latency", "stream": "both", "attributes": {"latency": 50}}
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Staging:
    """A server that answers each line, a link in front of it, and clients."""

    link: Link
    client_tls: ssl.SSLContext | None
    served: list[asyncio.StreamWriter] = field(default_factory=list)

    async def client(self) -> Stream:
        return await asyncio.open_connection(HOST, self.link.listen, ssl=self.client_tls)

    async def talking(self) -> list[Stream]:
        """Clients that have had an answer."""
        clients = [await self.client() for _ in range(_CLIENTS)]
        for reader, writer in clients:
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
        return clients

    def fault(self, body: Mapping[str, Any]) -> None:
        assert self.link.put(Toxic.from_json(body))

    async def knock(self) -> socket.socket:
        """A client that connects and gets no further: no handshake, no data."""
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (HOST, self.link.listen))
        return sock

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served.append(writer)
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line)
        writer.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - an open iterator would count itself


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(_DEADLINE_S):
        while not look():
            await asyncio.sleep(0.01)


async def goodbye(staging: Staging) -> None:
    for _, writer in await staging.talking():
        writer.close()


async def goodbye_from_the_server(staging: Staging) -> None:
    clients = await staging.talking()
    for writer in staging.served:
        writer.close()
    for reader, writer in clients:
        assert await reader.read() == b""
        writer.close()


async def gone_in_a_blackhole(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault(BLACKHOLE)
    for _, writer in clients:
        writer.write(b"lost?\n")
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.2):
                await writer.wait_closed()
    await staging.link.heal()


async def dropped_in_a_blackhole(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault(BLACKHOLE)
    for _, writer in clients:
        writer.transport.abort()
    await asyncio.sleep(0)
    await staging.link.heal()


async def reset_in_a_blackhole(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault(BLACKHOLE)
    for _, writer in clients:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    await staging.link.heal()


async def server_gone_in_a_blackhole(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault(BLACKHOLE)
    for writer in staging.served:
        writer.close()
    await asyncio.sleep(0.05)
    await staging.link.heal()
    for reader, writer in clients:
        assert await reader.read() == b""
        writer.close()


async def both_gone_in_a_blackhole(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault(BLACKHOLE)
    for writer in staging.served:
        writer.close()
    for _, writer in clients:
        writer.transport.abort()
    await asyncio.sleep(0.05)
    await staging.link.heal()


async def knocked_in_a_blackhole(staging: Staging) -> None:
    staging.fault(BLACKHOLE)
    knocking = [await staging.knock() for _ in range(_CLIENTS)]
    for each, sock in enumerate(knocking):
        reset(sock) if each % 2 else sock.close()
    await staging.link.heal()


async def waited_out_a_blackhole(staging: Staging) -> None:
    staging.fault(BLACKHOLE)
    knocking = [await staging.knock() for _ in range(_CLIENTS)]
    await staging.link.heal()
    for sock in knocking:
        sock.close()


async def gone_while_slow(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault(SLOW)
    for _, writer in clients:
        writer.write(b"late\n")
        writer.close()
    await staging.link.heal()


async def reset_by_the_link(staging: Staging) -> None:
    clients = await staging.talking()
    staging.fault({"name": "t", "type": "reset_peer", "attributes": {"timeout": 0}})
    for reader, writer in clients:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
    await staging.link.heal()


async def refused_by_the_link(staging: Staging) -> None:
    clients = await staging.talking()
    assert await staging.link.enable(False)
    for reader, writer in clients:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
    await staging.link.heal()


async def reset_in_the_handshake(staging: Staging) -> None:
    knocking = [await staging.knock() for _ in range(_CLIENTS)]
    if staging.client_tls is not None:
        await until(lambda: len(staging.link.connections) == _CLIENTS)
    staging.fault({"name": "t", "type": "reset_peer", "attributes": {"timeout": 0}})
    await staging.link.heal()
    for sock in knocking:
        sock.close()


async def half_closed(staging: Staging) -> None:
    if staging.client_tls is not None:
        return await goodbye(staging)
    for reader, writer in await staging.talking():
        writer.write(b"last words\n")
        writer.write_eof()
        assert await reader.read() == b"last words\n"
        writer.close()
    return None


ENDS = (
    goodbye,
    goodbye_from_the_server,
    gone_in_a_blackhole,
    dropped_in_a_blackhole,
    reset_in_a_blackhole,
    server_gone_in_a_blackhole,
    both_gone_in_a_blackhole,
    knocked_in_a_blackhole,
    waited_out_a_blackhole,
    gone_while_slow,
    reset_by_the_link,
    refused_by_the_link,
    reset_in_the_handshake,
    half_closed,
)


def contexts(folder: Path) -> tuple[dict[Certificate, ssl.SSLContext], ssl.SSLContext]:
    files = tls.write(folder)
    servers = {}
    for kind in Certificate:
        servers[kind] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        servers[kind].load_cert_chain(files.server(kind))
    return servers, ssl.create_default_context(cafile=str(files.ca))


@contextlib.asynccontextmanager
async def staged(folder: Path, encrypted: bool) -> AsyncIterator[Staging]:
    servers, clients = contexts(folder) if encrypted else (None, None)
    staging = Staging(Link("link", free_port(), 0, servers, {}), clients)
    server = await asyncio.start_server(staging.answer, HOST, 0)
    staging.link.upstream = server.sockets[0].getsockname()[1]
    await staging.link.enable(True)
    try:
        yield staging
    finally:
        await staging.link.enable(False)
        server.close()


async def nothing_is_left(folder: Path, encrypted: bool, end: Callable[[Staging], Awaitable[None]]) -> None:
    async with staged(folder, encrypted) as staging:
        link = staging.link
        before = descriptors()
        await end(staging)
        assert not link.as_json()["faulty"]
        await until(lambda: descriptors() <= before and not link.connections)
        for _, writer in await staging.talking():  # and the link is well
            writer.close()
        await until(lambda: descriptors() <= before and not link.connections)


@pytest.mark.parametrize("encrypted", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_nothing_is_left_of_a_connection(
    tmp_path: Path, encrypted: bool, end: Callable[[Staging], Awaitable[None]]
) -> None:
    asyncio.run(nothing_is_left(tmp_path, encrypted, end))


class Clock(asyncio.SelectorEventLoop):
    """A loop whose timers are due when a test says so."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


LATER_S = 60


def delayed(kind: str, seconds: int = LATER_S) -> dict[str, Any]:
    return {"name": "t", "type": kind, "attributes": {"timeout": 1000 * seconds}}


async def left_open(folder: Path, clock: Clock, kind: str, change: str) -> int:
    """How many clients are left, and have an answer, when the time has passed after which they were to be ended."""
    async with staged(folder, encrypted=False) as staging:
        clients = await staging.talking()
        staging.fault(delayed(kind))
        clock.ahead_s = LATER_S / 2
        if change == "healed":
            await staging.link.heal()
        elif change == "removed":
            staging.link.remove("t")
        elif change == "put off":
            staging.fault(delayed(kind, 2 * LATER_S))
        elif change == "another beside it":
            staging.fault(SLOW | {"name": "beside"})
        clock.ahead_s = LATER_S + 1
        for _ in range(3):  # what is due is called now
            await asyncio.sleep(0)
        left = len(staging.link.connections)
        await staging.link.heal()
        for reader, writer in clients[:left]:
            writer.write(b"still here\n")
            assert await reader.readline() == b"still here\n"
        for _, writer in clients:
            writer.close()
        return left


@pytest.mark.parametrize("kind", ["reset_peer", "timeout"])
@pytest.mark.parametrize(
    ("change", "left"),
    [("nothing", 0), ("another beside it", 0), ("healed", _CLIENTS), ("removed", _CLIENTS), ("put off", _CLIENTS)],
)
def test_what_was_to_be_ended_later_stays_when_the_fault_is_gone(
    tmp_path: Path, kind: str, change: str, left: int
) -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        clock = runner.get_loop()
        assert isinstance(clock, Clock)
        assert runner.run(left_open(tmp_path, clock, kind, change)) == left


async def a_client_that_was_to_be_reset(folder: Path, clock: Clock) -> None:
    async with staged(folder, encrypted=False) as staging:
        staging.fault(delayed("reset_peer"))
        reader, writer = await staging.client()
        await until(lambda: bool(staging.link._tasks))
        await staging.link.heal()
        clock.ahead_s += LATER_S + 1
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()


def test_a_client_that_came_before_the_fault_was_gone_is_served(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        clock = runner.get_loop()
        assert isinstance(clock, Clock)
        runner.run(a_client_that_was_to_be_reset(tmp_path, clock))
