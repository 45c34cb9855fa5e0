"""One link of the proxy: it accepts connections, terminates TLS if asked to, and holds the faults that they obey.

Two rules that drills depend on:
- During a blackhole the kernel accepts a new connection, and nobody answers it, not even with a TLS handshake. The
  proxy connects it to the server only when the fault is gone.
- The proxy connects to the server before the TLS handshake. So the client of a dead server sees a reset, and not a
  handshake that succeeds with nobody behind it.
"""

import asyncio
import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

from drillbook_lab.base.topology import HOST
from drillbook_lab.proxy.connection import RST, Connection, End
from drillbook_lab.proxy.faults import Certificate, Conditions, Refused, Stream, Toxic, conditions

_HANDSHAKE_S = 10.0


_End = Callable[[Connection], None]


class Link:
    """A listening port, the server behind it, and the faults in force between the two."""

    def __init__(
        self,
        name: str,
        listen: int,
        upstream: int,
        contexts: Mapping[Certificate, ssl.SSLContext] | None,
        labels: Mapping[str, Any],
        *,
        listen_host: str = HOST,
        upstream_host: str = HOST,
    ) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self._listen_host, self._upstream_host = listen_host, upstream_host
        self.contexts = contexts
        self.labels = dict(labels)
        self.enabled = False
        self.certificate = Certificate.VALID
        self.toxics: dict[str, Toxic] = {}
        self.connections: set[Connection] = set()
        self._force = {Stream.UPSTREAM: Conditions(), Stream.DOWNSTREAM: Conditions()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._due: dict[str, float] = {}
        """By route, the fraction of the next error that is due."""
        self._timers: dict[tuple[Stream, _End], list[asyncio.TimerHandle]] = {}

    # -- state -------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": f"{self._listen_host}:{self.listen}",
            "upstream": f"{self._upstream_host}:{self.upstream}",
            "enabled": self.enabled,
            "toxics": [toxic.as_json() for toxic in self.toxics.values()],
            "tls": self.contexts is not None,
            "certificate": str(self.certificate) if self.contexts is not None else None,
            "connections": len(self.connections),
            "faulty": bool(self.toxics) or not self.enabled or self.certificate is not Certificate.VALID,
            **self.labels,
        }

    def in_force(self, direction: Stream) -> Conditions:
        return self._force[direction]

    async def changed(self, within_s: float | None = None) -> None:
        """Wait for the next change of the faults, at most `within_s` seconds."""
        event = self._changed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await event.wait()

    def fails(self, route: str) -> bool:
        """Whether this request fails: evenly on each route, so at a share of 0.1 every tenth request of a route."""
        due = self._due.get(route, 0.0) + self._force[Stream.UPSTREAM].error_share
        fails = due > 1 - 1e-9
        self._due[route] = due - fails
        return fails

    def _apply(self) -> None:
        self._due.clear()
        for direction, was in tuple(self._force.items()):
            force = self._force[direction] = conditions(self.toxics, direction)
            if force.reset_after_s != was.reset_after_s:
                self._later(direction, Connection.reset, force.reset_after_s)
            if force.close_after_s != was.close_after_s:
                self._later(direction, Connection.close, force.close_after_s)
        self._changed.set()
        self._changed = asyncio.Event()

    def _later(self, direction: Stream, end: _End, delay_s: float | None) -> None:
        """End the open connections after the delay. With None, those that were to be ended stay open."""
        for timer in self._timers.pop((direction, end), ()):
            timer.cancel()
        if delay_s is not None:
            loop = asyncio.get_running_loop()
            self._timers[direction, end] = [loop.call_later(delay_s, end, each) for each in self.connections]

    # -- changes: each says whether it changed anything -----------------------------------------------------------

    def put(self, toxic: Toxic) -> bool:
        if self.toxics.get(toxic.name) == toxic:
            return False
        self.toxics[toxic.name] = toxic
        self._apply()
        return True

    def remove(self, name: str) -> bool:
        if self.toxics.pop(name, None) is None:
            return False
        self._apply()
        return True

    def use_certificate(self, certificate: Certificate) -> bool:
        """Present another certificate; established connections end, as when a TLS server is reloaded."""
        if self.contexts is None:
            raise Refused(f"link {self.name} has no TLS, so it has no certificate")
        if certificate is self.certificate:
            return False
        self.certificate = certificate
        self._drop_all()
        return True

    async def enable(self, enabled: bool) -> bool:
        if enabled is self.enabled:
            return False
        if enabled:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self._listen_host, self.listen))
            except OSError:
                listener.close()
                raise
            listener.listen(512)
            listener.setblocking(False)
            self.enabled = True
            self._accepting = asyncio.create_task(self._accept(listener))
        else:
            self.enabled = False
            accepting, self._accepting = self._accepting, None
            if accepting is not None:
                accepting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await accepting
            self._drop_all()
        return True

    async def heal(self) -> bool:
        """Take every fault away."""
        changed = bool(self.toxics)
        self.toxics.clear()
        if changed:
            self._apply()
        if self.contexts is not None:
            changed = self.use_certificate(Certificate.VALID) or changed
        return await self.enable(True) or changed

    def _drop_all(self) -> None:
        for connection in tuple(self.connections):
            connection.close()
        for task in tuple(self._tasks):
            task.cancel()

    # -- connections ------------------------------------------------------------------------------------------------

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    client, _ = await loop.sock_accept(listener)
                except OSError:
                    # Out of file descriptors: leave the rest in the backlog for a moment instead of spinning.
                    await asyncio.sleep(0.1)
                    continue
                client.setblocking(False)
                task = asyncio.create_task(self._serve(client))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket) -> None:
        """Connect a new client to the server. Never raises, because nobody would catch it."""
        connection = Connection(self)
        try:
            await self._not_reset()
            if not await self._passable(client):
                return
            loop = asyncio.get_running_loop()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_HANDSHAKE_S):
                server, _ = await loop.create_connection(
                    lambda: End(connection.down, connection.up), self._upstream_host, self.upstream
                )
                # A server may say why it refuses (Redis: "max number of clients reached") and close, before the
                # client's handshake is complete. If this were read now, the close would cut the handshake short and the
                # reason would be lost.
                server.pause_reading()
                self.connections.add(connection)
                await loop.connect_accepted_socket(
                    lambda: End(connection.up, connection.down),
                    client,
                    ssl=self.contexts[self.certificate] if self.contexts is not None else None,
                )
            if server.is_closing():  # the link was cut in the middle of the handshake
                raise ConnectionResetError
            server.resume_reading()
        except (OSError, TimeoutError, ssl.SSLError, asyncio.CancelledError):
            # The client sees a reset: the server is not there, the handshake failed, or the link was cut.
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            client.close()
            connection.close()

    async def _not_reset(self) -> None:
        """Return when no fault resets new clients; raises ConnectionResetError when such a fault's delay is over."""
        began = time.monotonic()
        while delays := [force.reset_after_s for force in self._force.values() if force.reset_after_s is not None]:
            left_s = began + max(delays) - time.monotonic()
            if left_s <= 0:
                raise ConnectionResetError
            await self.changed(left_s)

    async def _passable(self, client: socket.socket) -> bool:
        """Wait while the link is a blackhole; if the client goes away meanwhile, closes it and returns False.

        It polls for the client's FIN with POLLRDHUP and reads nothing, because the handshake needs what the client
        sent. Without this poll, monitors that connect twice a second for ten minutes would use up the file descriptors.
        """
        began = time.monotonic()
        poller = select.poll()
        poller.register(client, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        while True:
            stopped = [force for force in self._force.values() if force.stopped]
            if not stopped:
                return True
            patience = [force.close_after_s for force in stopped if force.close_after_s is not None]
            if patience and time.monotonic() - began >= min(patience):
                raise ConnectionResetError
            if poller.poll(0):
                client.close()
                return False
            await self.changed(0.5)
