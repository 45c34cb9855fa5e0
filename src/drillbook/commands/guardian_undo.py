"""The guardian's work for a drill that died or left a fault open: it ends the drill's plays and undoes its faults.

The rule: the guardian tries a failed undo again before it gives up, and reports every try on standard error.
"""

from __future__ import annotations

import os
import sys
import threading
from argparse import ArgumentParser, Namespace
from pathlib import Path

from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.evidence.render.worker import write_report
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.safety.environment_lock import HolderRole
from drillbook.target.ansible.processes import end_plays

TRIES, PAUSE_S = 3, 5.0
"""A failed undo is tried again: its obstacle may go away with the drill's death."""
PAUSE = "DRILLBOOK_GUARDIAN_PAUSE_S"
"""The variable that sets another pause; for tests, where no obstacle goes away."""


def asked_for(arguments: list[str]) -> Namespace:
    """The arguments that `safety.guardian` writes on the command line of its process."""
    parser = ArgumentParser(prog="drillbook-guardian")
    for name in ("--root", "--inventory"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--environment", "--owner"):
        parser.add_argument(name, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--pass-env", action="append", default=[])
    parser.add_argument("--key", action="store_true", help="the first line of standard input is what signs")
    parser.add_argument("--no-report", action="store_true", help="nobody wants the report of the dead drill now")
    parser.add_argument("--further-inventory", action="append", type=Path, default=[])
    return parser.parse_args(arguments)


def put_back(asked: Namespace, key: KeySource | None = None) -> int:
    """End what the drill's plays left, and undo every fault; returns the guardian's exit status."""

    def say(text: str) -> None:
        print(f"{rfc3339(wall_now())} {text}", file=sys.stderr, flush=True)

    say(f"the drill's process {asked.pid} has ended, and has not said that all is whole")
    left = end_plays(asked.owner)
    if left:
        say(f"these processes of its plays could not be ended: {', '.join(left)}")
    session = DrillSession(
        asked.root,
        asked.inventory,
        asked.root / "evidence",
        pass_env=tuple(asked.pass_env),
        further_inventories=tuple(asked.further_inventory),
        listener=lambda event: say(str(event.get("text", ""))),
        key=key,
        write_report=None if asked.no_report else write_report,
    )
    pause = threading.Event()
    for tried in range(1, TRIES + 1):
        try:
            undone = session.put_back(HolderRole.GUARDIAN)
        except (DrillbookError, OSError) as error:  # a full /tmp, which may be emptied meanwhile
            say(str(error))
        else:
            for one in undone:
                say(one.said)
            if not any(one.why_open for one in undone):
                return 0
        if tried < TRIES:
            pause.wait(_pause_s())
    return 12


def _pause_s() -> float:
    try:
        return float(os.environ[PAUSE])
    except (KeyError, ValueError):
        return PAUSE_S
