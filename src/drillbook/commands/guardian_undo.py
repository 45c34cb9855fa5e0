"""What the guardian does for a drill that died or left a fault open: its plays are ended, and its faults undone.

The rule: an undo that fails is tried again before it is given up, and every try is told on standard error.
"""

from __future__ import annotations

import sys
import threading
from argparse import Namespace

from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.evidence.render.worker import write_report
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.safety.environment_lock import HolderRole
from drillbook.target.ansible.processes import end_plays

TRIES, PAUSE_S = 3, 5.0
"""An undo that fails is tried again: what hindered it may go with the drill's death."""


def put_back(asked: Namespace) -> int:
    """End what the drill's plays left, and undo every fault; gives the guardian's exit status."""

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
                say(one.said)
            if not any(one.why_open for one in undone):
                return 0
        if tried < TRIES:
            pause.wait(PAUSE_S)
    return 12
