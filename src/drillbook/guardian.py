"""The guardian: a small process beside a drill, which puts everything back when the drill dies.

The rule: the journal says what is broken, and nobody has to live for it to be undone. The guardian is started before
the first fault, in a session of its own, and does nothing but wait for the drill's process to end. If that ended
without a word, the guardian ends what the drill left running, takes the environment's lock, undoes every open entry
and closes the record. Then it ends by itself.

The other side runs this file as a script, so that waiting costs no more than a bare interpreter (13 MB): what is needed
to undo is imported when it must be.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or __name__ != "__main__":
    from drillbook.errors import GuardError

BYE = b"bye\n"
READY = b"ready\n"
TRIES, PAUSE_S = 3, 5.0
"""An undo that fails is tried again: what hindered it may go with the drill's death."""


class Guardian:
    """The drill's side: starts the guardian, knows whether it is there, and lets it go."""

    def __init__(self, root: Path, inventory: Path, environment: str, owner: str, pass_env: tuple[str, ...]) -> None:
        """`owner` marks the plays of this process; `environment` is the journal's name for the environment."""
        self._command = [
            *(sys.executable, "-P", str(Path(__file__).absolute())),
            *("--root", str(root), "--inventory", str(inventory)),
            *("--environment", environment, "--owner", owner, "--pid", str(os.getpid())),
            *(f"--pass-env={name}" for name in pass_env),
        ]
        self._log = root / ".drillbook" / f"guardian-{environment}.log"
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        """The guardian's process, once started."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it, without waiting; nothing happens while one is there. Raises GuardError."""
        if self._process is not None and self._process.poll() is None:
            return
        self._let_go()
        try:
            self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._log.open("ab") as log:
                # a session of its own: what ends the drill's terminal or process group does not end the guardian
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._root,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise GuardError(
                f"the guardian cannot be started ({error.strerror}): no fault happens without it"
            ) from error
        self._is_ready = False

    def ensure(self, within_s: float = 20.0) -> bool:
        """Return when a guardian stands by; False when it had to be started again. Raises GuardError."""
        again = self._process is not None and self._process.poll() is not None
        self.start()
        assert self._process is not None
        assert self._process.stdout is not None
        if not self._is_ready:
            told, _, _ = select.select([self._process.stdout], [], [], within_s)
            self._is_ready = bool(told) and os.read(self._process.stdout.fileno(), 64) == READY
        if not self._is_ready:
            raise GuardError(f"the guardian did not start (see {self._log}): no fault happens without it")
        return not again

    def leave(self) -> None:
        """The session ends in order: the guardian ends too."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(BYE)
                self._process.stdin.flush()
        self._let_go()

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)


# ---- the guardian's own side ------------------------------------------------------------------------------


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
    from drillbook.ansible_run import end_plays
    from drillbook.clock import rfc3339, wall_now
    from drillbook.errors import DrillbookError
    from drillbook.guard import Role
    from drillbook.session import DrillSession

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
    )
    pause = threading.Event()
    for tried in range(1, TRIES + 1):
        try:
            undone = session.put_back(Role.GUARDIAN)
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
