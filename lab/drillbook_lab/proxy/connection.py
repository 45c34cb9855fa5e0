"""A connection through a link: it passes bytes on, and obeys the faults in force.

It holds what an established connection sends during a blackhole, and delivers it afterwards, as a TCP retransmission
would. So an acknowledgement that never arrived does not mean that the command was not executed.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
import time
from collections import deque
from typing import Protocol, cast

from drillbook_lab.proxy.faults import Conditions, Stream

_HIGH_WATER = 256 * 1024
RST = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: a close sends a RST."""


class Path(Protocol):
    """What a connection asks of the link that it goes through."""

    connections: "set[Connection]"

    def in_force(self, direction: Stream) -> Conditions: ...

    async def changed(self, within_s: float | None = None) -> None:
        """Wait for the next change of the faults, at most `within_s` seconds."""

    def fails(self, route: str) -> bool:
        """Whether this request of the route is one of those that are answered with an error."""


_REQUEST = re.compile(rb"([A-Z]{3,7} /[^/? ]*)\S* HTTP/1\.[01]\r\n")


def _abort(transport: asyncio.Transport | None) -> None:
    """Close with a RST: SO_LINGER 0 makes the kernel drop what is unsent and say "reset" to the peer."""
    if transport is None:
        return
    if not transport.is_closing():  # asyncio's TLS has no socket once it is closing, and raises when asked for it
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    transport.abort()


class Pipe:
    """One direction of one connection. With no fault in force a chunk goes straight through, without a task."""

    def __init__(self, connection: "Connection", direction: Stream) -> None:
        self.connection = connection
        self.direction = direction
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self._held: deque[tuple[float, bytes | None]] = deque()
        self._held_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._read_paused = False
        self.lost = False  # the whole connection of the source is gone, not only its sending half
        self.ended = False  # the end of this direction has been delivered

    @property
    def _now_in_force(self) -> Conditions:
        return self.connection.link.in_force(self.direction)

    def feed(self, data: bytes | None) -> None:
        """Take a chunk, or None for the end of the stream."""
        if data is not None and self._now_in_force.error_share and self._answered_with_an_error(data):
            return
        if not self._held and self._task is None and self._now_in_force.clear and self.sink is not None:
            self._deliver(data)
            return
        self._held.append((time.monotonic(), data))
        self._held_bytes += len(data or b"")
        if self._held_bytes > _HIGH_WATER:
            self.pause_reading()
        if self._task is None:
            self._task = asyncio.create_task(self._deliver_held())

    def _answered_with_an_error(self, data: bytes) -> bool:
        """Answer a request that is to fail with an error, and end its connection; returns whether it did so.

        Such a request is not passed on. The rest of it, which may come in later, is dropped with the connection.
        """
        begun = _REQUEST.match(data)
        if begun is None or self.source is None or not self.connection.link.fails(begun[1].decode("ascii", "replace")):
            return False
        status = self._now_in_force.error_status
        self.source.write(f"HTTP/1.1 {status} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self.source.close()
        return True

    def _deliver(self, data: bytes | None) -> None:
        if data is None:
            self.ended = True
            self.connection.direction_ended(self)
        elif self.sink is not None and not self.sink.is_closing():
            self.sink.write(data)

    async def _deliver_held(self) -> None:
        while self._held:
            arrived, data = self._held[0]
            force = self._now_in_force
            if force.stopped or self.sink is None:
                await self.connection.link.changed()
                continue
            due = arrived + force.latency_s + random.uniform(-force.jitter_s, force.jitter_s)
            # Read the clock itself: the loop's own time stands still while it works, and its timers may be early.
            while (left_s := due - time.monotonic()) > 0 and self._now_in_force is force:
                await self.connection.link.changed(left_s)
            # A fault that was taken away meanwhile must no longer delay what it held.
            if self._now_in_force is not force:
                continue
            self._held.popleft()
            self._held_bytes -= len(data or b"")
            if force.rate_bytes_s and data:
                await asyncio.sleep(len(data) / force.rate_bytes_s)
            self._deliver(data)
            if self._held_bytes < _HIGH_WATER // 2:
                self.resume_reading()
        self._task = None

    def pause_reading(self) -> None:
        if self.source is not None and not self._read_paused:
            self._read_paused = True
            with contextlib.suppress(RuntimeError):
                self.source.pause_reading()

    def resume_reading(self) -> None:
        if self.source is not None and self._read_paused:
            self._read_paused = False
            with contextlib.suppress(RuntimeError):
                self.source.resume_reading()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._held.clear()


class End(asyncio.Protocol):
    """One end of a connection. It feeds what it receives into `out`, and pauses `back` while it cannot write more."""

    def __init__(self, out: Pipe, back: Pipe) -> None:
        self.out = out
        self.back = back
        self._may_half_close = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Only plain TCP can stay half-open: asyncio's TLS closes in any case, and warns when asked to stay open.
        self._may_half_close = transport.get_extra_info("ssl_object") is None
        self.out.source = self.back.sink = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.out.feed(data)

    def eof_received(self) -> bool:
        self.out.feed(None)
        return self._may_half_close

    def connection_lost(self, exc: Exception | None) -> None:
        self.out.connection.end_lost(self.out, exc)

    def pause_writing(self) -> None:
        self.back.pause_reading()

    def resume_writing(self) -> None:
        self.back.resume_reading()


class Connection:
    """A client's connection and its counterpart at the server."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.up = Pipe(self, Stream.UPSTREAM)
        self.down = Pipe(self, Stream.DOWNSTREAM)

    def direction_ended(self, pipe: Pipe) -> None:
        """Pass the end of one direction on, or end the connection where nothing can follow.

        asyncio leaves a plain socket open after its end of file and no longer watches it, so this method closes it.
        """
        other = self.down if pipe is self.up else self.up
        sink = pipe.sink
        if sink is None or sink.is_closing() or pipe.lost or other.ended or not sink.can_write_eof():
            # asyncio's TLS has no half-close, so the end of one direction ends the connection once it is flushed.
            for transport in (sink, pipe.source):
                if transport is not None:
                    transport.close()
        else:
            sink.write_eof()

    def end_lost(self, pipe: Pipe, exc: Exception | None) -> None:
        """One side is gone. Tell the other side, but only after what is held has been delivered."""
        pipe.lost = True
        if exc is not None and not self.link.in_force(pipe.direction).stopped:
            self.reset()
        else:
            pipe.feed(None)
        if self.up.lost and self.down.lost:
            self.forget()

    def close(self) -> None:
        for transport in (self.up.source, self.down.source):
            if transport is not None:
                transport.abort()
        self.forget()

    def reset(self) -> None:
        _abort(self.up.source)
        _abort(self.down.source)
        self.forget()

    def forget(self) -> None:
        self.up.stop()
        self.down.stop()
        self.link.connections.discard(self)
