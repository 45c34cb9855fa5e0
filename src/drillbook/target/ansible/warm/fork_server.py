"""A server that forks one process for each run that a shim asks for: a play of Ansible, or one of its modules.

The rule: no run outlives its owner. The server sees the end of the owner (pytest, or the server of plays) through a
pidfd, and the end of the session through the lifeline. Either ends the running plays with all their processes (SIGTERM,
then SIGKILL), and then the server.

It has one thread: a fork of several threads would inherit locks that nobody unlocks.
"""

from __future__ import annotations

import array
import gc
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from drillbook.target.ansible.warm import takeover
from drillbook.target.ansible.warm.proc_title import Memory
from drillbook.target.ansible.warm.request import Request

GRACE_S = 1.0
"""Seconds that a play has after SIGTERM when pytest has ended; Ansible needs 0.02 to 0.2."""
_GIVE_UP_S = 15.0
_UID = struct.Struct("3i")  # struct ucred: pid, uid, gid


class Kind(Protocol):
    """What the forks of a server become: `play.Plays` or `module.Modules`."""

    ahead: bool
    ends_with_shim: bool

    def why_cold(self, request: Request, /) -> str: ...
    def begin(self) -> None: ...
    def run(self) -> None: ...


class ForkedRun:
    """One shim, and its play once it has one."""

    def __init__(self, connection: socket.socket, fds: list[int], body: bytes, request: Request) -> None:
        self.connection = connection
        self.fds = fds
        self.body = body
        self.request = request
        self.pid: int | None = None
        self.ending = False

    def close_fds(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Server:
    """The server gets its kind when it begins to serve: making one may import for long, and a signal may end that."""

    kind: Kind

    def __init__(self, name: str, listener: socket.socket, *, lifeline: int, owner: int, ran: Path) -> None:
        """The server ends with the process `owner`.

        In `ran` it keeps the marks of the runs that a fork has taken, for the client.
        """
        self.listener = listener
        self.ran = ran
        self.memory = Memory()
        self.memory.name([os.fsencode(sys.executable), name.encode()])
        self.runs: dict[int, ForkedRun] = {}  # by the connection
        self.spare: tuple[int, socket.socket] | None = None
        self.enders: set[int] = set()
        self.selector = selectors.DefaultSelector()
        self.over = False
        self.told = False
        signals, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(signals, False)
        self.own = [lifeline, signals, wakeup, os.pidfd_open(owner)]
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._told_to_end)
        signal.set_wakeup_fd(wakeup)
        self._watch(self.own[3], self._stop)
        self._watch(lifeline, self._stop)
        self._watch(signals, lambda: self._bury(signals))
        self._watch(listener, self._accept)

    def serve(self, kind: Kind) -> None:
        """Serve until the owner or the session has ended and no run is left."""
        self.kind = kind
        give_up = None
        while not (self.over and not self.runs and not self.enders):
            if self.over and give_up is None:
                give_up = time.monotonic() + _GIVE_UP_S
            if give_up is not None and time.monotonic() > give_up:
                return
            if self.kind.ahead and self.spare is None and not self.runs and not self.over:
                self.spare = self._fork()  # not while a play runs: it would slow the play
            for key, _events in self.selector.select(None if give_up is None else 0.1):
                key.data()
            if self.told:
                self._stop()
            self._bury()

    def _told_to_end(self, *_signal: object) -> None:
        self.told = True  # the wake-up pipe ends the wait, so that a signal never acts in the middle of something else

    def _watch(self, file: int | socket.socket, do: Callable[[], None]) -> None:
        self.selector.register(file, selectors.EVENT_READ, do)

    def _stop(self) -> None:
        """Take no further run, and end the current ones."""
        if self.over:
            return
        self.over = True
        for file in (self.own[3], self.own[0], self.listener):
            self.selector.unregister(file)
        self.listener.close()
        if self.spare is not None:
            self.spare[1].close()
            self.spare = None
        for run in list(self.runs.values()):
            self._end(run, GRACE_S)

    # ---- a run ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        connection, _address = self.listener.accept()
        _pid, uid, _gid = _UID.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UID.size))
        fds: list[int] = []
        try:
            if uid != os.getuid():
                connection.close()
                return
            connection.settimeout(5.0)  # a shim sends all of it at once
            body, fds = _receive(connection)
            request = Request.read(body)
        except (OSError, ValueError) as error:
            for fd in fds:
                os.close(fd)
            _say(connection, f"the warm server does not understand the shim ({error})")
            connection.close()
            return
        run = ForkedRun(connection, fds, body, request)
        why = self.kind.why_cold(request)
        if not why and not self.memory.holds(request.environment):
            why = "the environment is too large"
        self.runs[connection.fileno()] = run
        self._watch(connection, lambda: self._heard(run))
        _say(connection, why or "ready")
        if why:
            self._close(run)

    def _heard(self, run: ForkedRun) -> None:
        """The shim says go, or is gone."""
        if run.connection.fileno() not in self.runs:
            return  # closed in the same round
        try:
            said = run.connection.recv(16)
        except OSError:
            said = b""
        if said == b"go" and run.pid is None and not self.over:
            run.pid = self._hand_over(run)
            run.close_fds()
            if run.pid is None:
                _say(run.connection, f"exit {takeover.NOT_WARM}")
                self._close(run)
        elif not said:
            self.selector.unregister(run.connection)
            if run.pid is None:
                self._close(run, watched=False)
            elif self.kind.ends_with_shim:
                with suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
            # otherwise pytest ends the run and waits for that; it needs the play alive to find the play's processes

    def _hand_over(self, run: ForkedRun) -> int | None:
        """Give the run to a fork. Returns when /proc shows the fork as the run, and before the run begins."""
        for _ in range(2):  # the waiting one may have been killed
            pid, line = self.spare or self._fork()
            self.spare = None
            with line, suppress(OSError):
                socket.send_fds(line, [len(run.body).to_bytes(4, "big")], run.fds)
                line.sendall(run.body)
                if line.recv(1) == b"1":
                    with suppress(OSError), self.ran.open("a", encoding="utf-8") as file:
                        file.write(f"{run.request.mark}\n")
                    return pid
        return None

    def _fork(self) -> tuple[int, socket.socket]:
        """A fork that waits for its run, and ends when the server does."""
        line, other = socket.socketpair()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if pid == 0:
            try:
                line.close()
                self._close_all()
                if self.kind.ahead:
                    _touch()
                with other:
                    body, fds = _receive(other)
                    takeover.take_over(Request.read(body), fds, self.memory)
                    other.sendall(b"1")
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                takeover.as_program(self.kind.begin, self.kind.run)
            finally:
                os._exit(takeover.NOT_WARM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        other.close()
        return pid, line

    def leave(self) -> None:
        """In a fork without a run: give up the server's own things, and react to signals as any process does."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        self._close_all()

    def _close_all(self) -> None:
        """In a fork: close what belongs to the server and to other runs."""
        self.selector.close()
        self.listener.close()
        if self.spare is not None:
            self.spare[1].close()
        for fd in self.own:
            os.close(fd)
        for other in self.runs.values():
            other.connection.close()
            other.close_fds()

    def _bury(self, signals: int | None = None) -> None:
        if signals is not None:
            with suppress(BlockingIOError):
                os.read(signals, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.enders.discard(pid)
            if self.spare is not None and self.spare[0] == pid:
                self.spare[1].close()
                self.spare = None
            for run in [each for each in self.runs.values() if each.pid == pid]:
                code = os.waitstatus_to_exitcode(status)
                _say(run.connection, f"exit {code}" if code >= 0 else f"signal {-code}")
                self._close(run)

    def _close(self, run: ForkedRun, *, watched: bool = True) -> None:
        del self.runs[run.connection.fileno()]
        if watched:
            with suppress(KeyError):
                self.selector.unregister(run.connection)
        run.close_fds()
        run.connection.close()

    def _end(self, run: ForkedRun, grace_s: float) -> None:
        """End the play with all its processes, in a process of its own that has time to wait for them."""
        if run.pid is None:
            self._close(run)
            return
        if run.ending:
            return
        run.ending = True
        pid = os.fork()
        if pid == 0:
            try:
                self.leave()
                _end_tree(run.request.mark, grace_s)
            finally:
                os._exit(0)
        self.enders.add(pid)


def _touch() -> None:
    """Give a fork its own pages before there is a hurry: a play writes to 4000 of the shared ones."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _end_tree(mark: str, grace_s: float) -> None:
    # psutil takes 20 ms of each start, and only a run that is ended early needs it
    from drillbook.target.ansible.processes import ProcessTree

    finished = threading.Event()
    finished.set()
    ProcessTree(mark).end(finished, grace_s)


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """A frame, and the file descriptors that came with its first part."""
    fds = array.array("i")
    room = socket.CMSG_SPACE(3 * fds.itemsize)
    data, ancillary, _flags, _address = connection.recvmsg(1 << 16, room)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    size = int.from_bytes(data[:4], "big")
    body = data[4:]
    while len(body) < size:
        more = connection.recv(1 << 16)
        if not more:
            break
        body += more
    if len(fds) != 3 or len(body) != size:
        for fd in fds:
            os.close(fd)
        msg = "it ended in the middle"
        raise ValueError(msg)
    return body, list(fds)


def _say(connection: socket.socket, text: str) -> None:
    with suppress(OSError):  # the shim is gone: the next read says so
        connection.sendall(f"{text}\n".encode())
