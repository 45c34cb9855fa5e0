"""The guardian's own process: it waits for a drill to end, and undoes what a dead drill left broken.

The rule: waiting costs no more than a bare interpreter (13 MB). What is needed to undo is imported when it must be.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from drillbook.safety.guardian import BYE, READY

TRIES, PAUSE_S = 3, 5.0
"""An undo that fails is tried again: what hindered it may go with the drill's death."""


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
    from drillbook.engine.session import DrillSession
    from drillbook.errors import DrillbookError
    from drillbook.evidence.render.worker import write_report
    from drillbook.model.times.clock import rfc3339, wall_now
    from drillbook.safety.environment_lock import HolderRole
    from drillbook.target.ansible.processes import end_plays

    def say(text: str) -> None:
        print(f"{rfc3339(wall_now())} {text}", file=sys.stderr, flush=True)

    say(f"the drill's process {asked.pid} died")
    left = end_plays(asked.owner)
    if left:
        say(f"these processes of its plays could not be ended: {', '.join(left)}")
    session = DrillSession(
        asked.root,
        asked.inventory,
        asked.root / "evidence",
        pass_env=tuple(asked.pass_env),
        listener=lambda event: say(str(event.get("text", ""))),
        write_report=write_report,
    )
    pause = threading.Event()
    for tried in range(1, TRIES + 1):
        try:
            undone = session.put_back(HolderRole.GUARDIAN)
        except (DrillbookError, OSError) as error:  # a full /tmp, which may be emptied meanwhile
            say(str(error))
        else:
            for one in undone:
                say(f"NOT undone: {one.entry.fault}: {one.problem}" if one.problem else f"undone: {one.entry.fault}")
            if not any(one.problem for one in undone):
                return 0
        if tried < TRIES:
            pause.wait(PAUSE_S)
    return 12


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
