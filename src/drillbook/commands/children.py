"""Child processes that end together: what one Ctrl-C means for many pytests.

The rule: each child is told to stop once, by SIGINT, and waited for: its drill puts the system back then. Nothing new
starts afterwards, and nobody returns while a child runs.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType

from drillbook.evidence.sealing import passphrase

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(Exception):
    """The command was stopped: nothing starts any more."""


class Children:
    """Several threads start them, the main thread stops them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped_by: str | None = None

    def run(
        self, command: Sequence[str], log: Path | None, more_env: Mapping[str, str], *, at_the_end: bool = False
    ) -> int:
        """Run a child to its end; returns its status. Its output goes to the log (None: it has the terminal).

        Raises StoppedError, unless `at_the_end`: a cleanup runs in any case, and nobody stops it.
        """
        with self._started(command, log, more_env, at_the_end=at_the_end) as child:
            return child.wait()

    def converse(
        self,
        command: Callable[[int], Sequence[str]],
        log: Path,
        more_env: Mapping[str, str],
        answer: Callable[[str], str | None],
    ) -> int:
        """Run a child to its end as `run` does, and answer each line that it writes; returns its status.

        `command` gets the number of the open socket on which the child writes and reads. When the answer is None, the
        child reads the end; what it writes after that is still taken in. Raises StoppedError.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            number = theirs.fileno()
            with self._started(command(number), log, more_env, pass_fds=(number,)) as child:
                theirs.close()  # with the child's own gone too, we read the end
                try:
                    _talk(ours, answer)
                finally:
                    ours.close()
                    status = child.wait()
        return status

    @contextmanager
    def _started(
        self,
        command: Sequence[str],
        log: Path | None,
        more_env: Mapping[str, str],
        *,
        at_the_end: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> Iterator[subprocess.Popen[bytes]]:
        secret = passphrase.held() if "pytest" in command else None
        with (
            log.open("ab") if log is not None else nullcontext() as out,
            _piped(secret) as (more_fds, told),
        ):
            with self._lock:
                if self.stopped_by is not None and not at_the_end:
                    raise StoppedError
                # a session of its own: the terminal's Ctrl-C reaches it once, through `stop`
                child = subprocess.Popen(
                    list(command),
                    stdin=None if out is None else subprocess.DEVNULL,
                    stdout=out,
                    stderr=None if out is None else subprocess.STDOUT,
                    env={**os.environ, **more_env, **told},
                    start_new_session=True,
                    pass_fds=(*pass_fds, *more_fds),
                )
                if not at_the_end:
                    self._running.add(child)
            try:
                yield child
            finally:
                with self._lock:
                    self._running.discard(child)

    def stop(self, name: str) -> bool:
        """Tell every child to stop, once; returns False when they have already been told."""
        with self._lock:
            if self.stopped_by is not None:
                return False
            self.stopped_by = name
            for child in self._running:
                child.send_signal(signal.SIGINT)
            return True

    @contextmanager
    def stopping_on_signals(self, said: Mapping[bool, str]) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP stop the children during this; the terminal shows `said[first]`.

        An ignored signal (nohup: the hang-up) stays ignored.
        """
        before = {number: signal.getsignal(number) for number in SIGNALS}

        def stop(number: int, _frame: FrameType | None) -> None:
            if before[signal.Signals(number)] is signal.SIG_IGN:
                return
            first = self.stop(signal.Signals(number).name)
            os.write(2, said[first].encode())

        # SIGINT is caught even when it is ignored (`&` in a script): children would inherit that, and nobody could stop
        # them
        caught = [number for number in SIGNALS if number is signal.SIGINT or before[number] is not signal.SIG_IGN]
        for number in caught:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number in caught:
                signal.signal(number, before[number])


@contextmanager
def _piped(secret: str | None) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """The passphrase of the key for a pytest: a pipe that it inherits, and the variable with its number."""
    if secret is None:
        yield (), {}
        return
    number = passphrase.piped(secret)
    try:
        yield (number,), {passphrase.BY_PIPE: str(number)}
    finally:
        os.close(number)


def _talk(line: socket.socket, answer: Callable[[str], str | None]) -> None:
    """Answer line by line until the other end is closed."""
    with suppress(ConnectionError), line.makefile("r", encoding="utf-8") as written:  # it ended before it had read
        for text in written:
            reply = answer(text)
            if reply is None:
                line.shutdown(socket.SHUT_WR)
            else:
                line.sendall(f"{reply}\n".encode())
