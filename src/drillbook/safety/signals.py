"""What signals do during a drill: they stop it, and never stop the restore.

SIGINT, SIGTERM and SIGHUP stop the steps. From then on, and all through the restore, further ones are noted and wait.
(tox sends SIGINT twice, 60 ms apart: the second would hit the middle of an undo.) An exception that would leave a lock
taken for ever, or half of a record, comes a moment later. `os._exit` counts as such a stop: with a status of 0 it would
look like a good session.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from drillbook.model.verdict import Outcome

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_S = 0.02
"""How long to wait before the next try to stop a main thread that was in the middle of something."""
FINISH_S = 2.0
"""How long the main thread may take to finish that."""
MARK = "__interrupt_after__"
"""A module sets it to say what a signal waits for: "call" (any call of the module) or "frame" (its own code)."""
_COVERAGE_RUN = frozenset({"coverage.__main__", "coverage.cmdline", "coverage.execfile"})
"""Below everything that `coverage run` runs."""


class Stopped(KeyboardInterrupt):
    """The drill must stop; the text is the name of the signal. pytest ends the session as for Ctrl-C."""


class Shield:
    """The signal handlers of one drill; no effect outside the main thread."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._before: dict[signal.Signals, Any] = {}
        self._exit: Callable[[int], Any] | None = None
        self._pid = os.getpid()
        self._asked_s: float | None = None
        self.stopped_by: str | None = None
        """The signal that stopped the steps; known even when a step has swallowed its exception."""
        self.held: list[str] = []
        """Names of the signals that came while they were held."""

    def raise_on_signal(self) -> None:
        """The first signal stops the steps with an exception; later ones are held."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: the hang-up must be ignored
                self._before[number] = signal.signal(number, self._stop)
        self._exit, os._exit = os._exit, self._leave  # type: ignore[assignment]

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopped_by is not None:
            self._note(number, frame)
            return
        now_s = time.monotonic()
        if self._asked_s is None:
            self._asked_s = now_s
        if now_s < self._asked_s + FINISH_S and in_the_middle(frame):
            _aside(self._ask_again, number)
            return
        self.stopped_by = signal.Signals(number).name
        raise Stopped(self.stopped_by)

    def _ask_again(self, number: int) -> None:
        # in a thread of its own: the handler cannot wait for the code that it interrupts
        main = threading.main_thread().ident
        assert main is not None
        time.sleep(AGAIN_S)
        signal.pthread_kill(main, number)

    def _leave(self, status: int) -> None:
        assert self._exit is not None
        if os.getpid() != self._pid:  # a forked child ends this way
            self._exit(status)
        if self.stopped_by is None and threading.current_thread() is threading.main_thread():
            self.stopped_by = f"os._exit({status})"
            raise Stopped(self.stopped_by)
        self._exit(status or Outcome.ABORTED.exit_status)

    @property
    def stopping(self) -> bool:
        """Whether a signal has stopped the steps."""
        return self.stopped_by is not None

    def hold(self) -> None:
        """From here on signals are only noted."""
        for number in self._before:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.held.append(signal.Signals(number).name)
        # aside: the signal may have come in the middle of a write to the same screen
        _aside(self._tell, f"{signal.Signals(number).name} received; the system is being put back first")

    def release(self) -> None:
        """Restore the earlier handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if self._exit is not None:
            os._exit, self._exit = self._exit, None  # type: ignore[assignment]


def _aside(work: Callable[..., None], *arguments: object) -> None:
    """Call it in a thread of its own, from a handler.

    `threading.Thread` takes a lock that the interrupted code may hold.
    """
    _thread.start_new_thread(work, arguments)


def in_the_middle(frame: FrameType | None) -> bool:
    """Whether an exception in this frame would leave a lock taken for ever, or half of a record."""
    if frame is None:
        return False
    inner = _module(frame)
    if frame.f_globals.get(MARK) == "frame" or (inner == "threading" and frame.f_code.co_name != "wait"):
        return True  # between taking a lock and the block that gives it back; the waiting itself may be interrupted
    caller: FrameType | None = frame
    while caller is not None:
        # coverage's lock does not survive an exception: the process would hang
        module = _module(caller)
        if caller.f_globals.get(MARK) == "call" or (module.startswith("coverage.") and module not in _COVERAGE_RUN):
            return True
        caller = caller.f_back
    return False


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
