"""What signals do while a drill is under way: stop it, and never stop the putting back.

SIGINT, SIGTERM and SIGHUP stop the steps; from then on, and all through the restore, further ones are noted and wait.
(tox sends SIGINT twice, 60 ms apart: the second would land in the middle of an undo.)
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Shield:
    """The signal handlers of one drill; no effect outside the main thread."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._stopped = False

    def raise_on_signal(self) -> None:
        """The first signal stops the steps with an exception; the ones after it are held."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in STOPPING:
            self._before[number] = signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self._stopped:
            self._note(number, _frame)
            return
        self._stopped = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        pytest.exit(f"stopped by {signal.Signals(number).name}")

    def hold(self) -> None:
        """From here on signals are noted only."""
        for number in self._before:
            signal.signal(number, self._note)

    @staticmethod
    def _note(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        sys.stderr.write(f"\ndrillbook: {name} received; the system is being put back first\n")

    def release(self) -> None:
        """Give the handlers back as they were."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
