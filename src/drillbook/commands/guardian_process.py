"""The guardian's own process: it waits for a drill to end, and undoes what a dead drill left broken.

The rule: waiting costs no more than a bare interpreter (13 MB). What an undo needs is imported only then.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from drillbook.safety.words_of_guardian import BYE, READY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drillbook.evidence.sealing.key_source import KeySource


def main(arguments: list[str]) -> int:
    """Wait for the drill's end; put everything back when it ended without its last message.

    `put_back` reads the arguments.
    """
    pid, key = int(arguments[arguments.index("--pid") + 1]), None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # whoever ends a whole tree of processes means the drill; its faults must still be undone
        signal.signal(number, signal.SIG_IGN)
    if "--key" in arguments:
        # only a guardian that has to sign spends this
        from drillbook.evidence.sealing import key_source

        key = key_source.of_descriptor(0)
    try:
        drill = os.pidfd_open(pid)
    except ProcessLookupError:
        return _put_back(arguments, key)
    try:  # noqa: SIM105 - contextlib would be half of what this process imports
        os.write(1, READY)
    except BrokenPipeError:
        pass  # nobody reads it when the drill has died meanwhile: all the more must be put back
    # if the drill died before that, another process may have its number by now
    if os.getppid() == pid and _said_bye(drill):
        return 0
    return _put_back(arguments, key)


def _said_bye(drill: int) -> bool:
    """Wait until the drill's process is gone; returns whether it had said that it ends in order."""
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


def _put_back(arguments: list[str], key: KeySource | None) -> int:
    # while it waits, the guardian is a bare interpreter: this brings the engine
    from drillbook.commands.guardian_undo import asked_for, put_back

    return put_back(asked_for(arguments), key)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
