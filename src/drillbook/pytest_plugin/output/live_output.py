"""Shows a drill as it happens: on a terminal, in a CI log, and from xdist's workers.

The rule: the output goes to a private copy of the real standard output, taken while pytest's capture is suspended, so
that it appears at once with and without -s. A terminal gets a status line. Anything else gets whole lines, and a sign
of life during a long step (CI systems end silent jobs). An output error never stops a drill.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from drillbook.evidence.render import terminal
from drillbook.model.printable import printable_data
from drillbook.target.private_folders import PrivateFolder

HEARTBEAT_S = 15.0
REDRAW_S = 0.2
POLL_S = 0.2
MAX_DATAGRAM = 60_000


class Out(Protocol):
    """Takes events; `close` ends it."""

    def __call__(self, event: Mapping[str, Any]) -> None: ...

    def close(self) -> None:
        """Clear the unfinished output on the screen."""


out_key: pytest.StashKey[Out] = pytest.StashKey()
"""Where a session shows its events."""


@dataclass(frozen=True, slots=True)
class _Status:
    """The current activity: since `began_s`, and for a wait until `ends_s` at most (monotonic)."""

    text: str
    began_s: float
    ends_s: float | None = None

    def line(self, now_s: float, width: int) -> str:
        left_s = None if self.ends_s is None else self.ends_s - now_s
        return terminal.progress(self.text, now_s - self.began_s, left_s, width)


class Screen:
    """Writes events of one or several workers to a file descriptor that it owns."""

    def __init__(self, descriptor: int, *, tty: bool, colour: bool) -> None:
        self._out = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)
        self._tty, self._paint = tty, terminal.colours if colour else terminal.plain
        self._lock = threading.RLock()
        self._status: dict[str, _Status] = {}
        self._beat_s = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="drillbook-screen", daemon=True)
        self._thread.start()

    def __call__(self, event: Mapping[str, Any]) -> None:
        event = printable_data(event)
        worker = str(event.get("worker", ""))
        prefix = f"[{worker}] " if worker else ""
        with self._lock:
            for line in terminal.lines(event, self._paint):
                self._write(f"{prefix}{line}\n")
                self._beat_s = time.monotonic()
            status = terminal.status(event)
            if status == "":
                self._status.pop(worker, None)
            elif status is not None:
                now, known = time.monotonic(), self._status.get(worker)
                began_s = now if known is None or event["event"] == "step" else known.began_s
                left_s = event.get("left_s")
                self._status[worker] = _Status(status, began_s, None if left_s is None else now + left_s)
            self._draw()

    def _write(self, text: str) -> None:
        self._put(("\r\x1b[K" if self._tty else "") + text)

    def _put(self, text: str) -> None:
        # nobody reads any more (`| head`), or it is closed: that must not stop a drill. The evidence has all of it
        with suppress(OSError, ValueError):
            self._out.write(text)
            self._out.flush()

    def _draw(self) -> None:
        if not self._tty or not self._status:
            return
        width = shutil.get_terminal_size((100, 24)).columns - 1
        now = time.monotonic()
        each_width = (width - 3 * (len(self._status) - 1) - 4) // len(self._status)
        shown = " | ".join(each.line(now, each_width) for each in self._status.values())
        self._put(f"\r\x1b[K    {shown}"[: width + 4])

    def _tick(self) -> None:
        while not self._ended.wait(REDRAW_S):
            with self._lock:
                self._draw()
                now = time.monotonic()
                if not self._tty and self._status and now - self._beat_s >= HEARTBEAT_S:
                    self._beat_s = now
                    for worker, each in self._status.items():
                        prefix = f"[{worker}] " if worker else ""
                        self._write(f"{prefix}    … {each.text} (for {now - each.began_s:.0f} s)\n")

    def close(self) -> None:
        """Stop drawing and clear the status line."""
        self._ended.set()
        self._thread.join(timeout=1)
        with self._lock:
            if self._tty:
                self._put("\r\x1b[K")
            with suppress(OSError):
                self._out.close()


@contextmanager
def _short(address: str) -> Iterator[str]:
    """The address by its folder's descriptor: a socket's path has at most 107 characters, and a folder's
    may have more.
    """
    folder, _, name = address.rpartition("/")
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


class Mailbox:
    """On xdist's controller: takes the workers' events from a datagram socket in a private folder and shows them."""

    def __init__(self, screen: Screen) -> None:
        self._folder = PrivateFolder("post")
        self.address = str(self._folder.path / "events")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with _short(self.address) as address:
            self._socket.bind(address)
        self._socket.settimeout(POLL_S)
        self._screen = screen
        self._ended = False
        self._thread = threading.Thread(target=self._pump, name="drillbook-mailbox", daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        while True:
            try:
                self._screen(json.loads(self._socket.recv(65536)))
            except TimeoutError:
                if self._ended:
                    return
            except Exception:  # noqa: BLE001 - one event that cannot be shown must not hide those after it
                if self._socket.fileno() < 0:
                    return

    def close(self) -> None:
        """Show what has come, stop, and remove the socket."""
        self._ended = True
        self._thread.join(timeout=2)
        self._socket.close()
        self._folder.leave()


class Post:
    """In xdist's worker: sends events to the controller.

    An event that cannot be sent is not shown; the evidence has it.
    """

    def __init__(self, address: str, worker: str) -> None:
        self._address, self._worker = address, worker
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # a controller that shows nothing (its terminal is held) must not hold the drill
        self._socket.settimeout(1)

    def __call__(self, event: Mapping[str, Any]) -> None:
        data = self._packed(event)
        if len(data) > MAX_DATAGRAM:
            text = f"too large to be shown here ({len(data)} bytes, see the evidence): {event['event']}"
            data = self._packed({"event": "note", "text": text})
        try:
            with _short(self._address) as address:
                self._socket.sendto(data, address)
        except OSError:
            return

    def _packed(self, event: Mapping[str, Any]) -> bytes:
        return json.dumps({**event, "worker": self._worker}).encode()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def screen(colour: bool) -> Screen:
    """A screen on the real standard output. Call while pytest's capture is suspended (pytest_configure)."""
    descriptor = os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    tty = os.isatty(descriptor) and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    return Screen(descriptor, tty=tty, colour=colour)
