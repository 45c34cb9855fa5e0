"""The guardian's own process: it waits for a drill to end, and undoes what a dead drill left broken.

The rule: waiting costs no more than a bare interpreter (13 MB). What is needed to undo is imported when it must be.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

from drillbook.safety.guardian import BYE, READY


def main(arguments: list[str]) -> int:
    """Wait for the drill's end; put everything back when it ended without a word."""
    asked = _arguments(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # whoever ends a whole tree of processes means the drill; what the drill broke is still to be undone
        signal.signal(number, signal.SIG_IGN)
    try:
        drill = os.pidfd_open(asked.pid)
    except ProcessLookupError:
        return _put_back(asked)
    with suppress(BrokenPipeError):
        # nobody reads it where the drill has died meanwhile: all the more is to be put back
        os.write(1, READY)
    # where the drill died before that, its number may be another process's by now
    if os.getppid() == asked.pid and _said_bye(drill):
        return 0
    return _put_back(asked)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="drillbook-guardian")
    for name in ("--root", "--inventory"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--environment", "--owner"):
        parser.add_argument(name, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--pass-env", action="append", default=[])
    parser.add_argument("--further-inventory", action="append", type=Path, default=[])
    return parser.parse_args(arguments)


def _said_bye(drill: int) -> bool:
    """Wait until the drill's process is gone; whether it had said that it ends in order."""
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    waiting.register(drill, select.POLLIN)
    said = b""
    while True:
        for descriptor, _ in waiting.poll():
            if descriptor == 0:
                more = os.read(0, 64)
                said += more
                if said.endswith(BYE):
                    return True
                if not more:
                    # closed, which another thread may do long before the process ends
                    waiting.unregister(0)
            else:
                return False


def _put_back(asked: argparse.Namespace) -> int:
    # while it waits, the guardian is a bare interpreter: this brings the engine
    from drillbook.commands.guardian_undo import put_back

    return put_back(asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
