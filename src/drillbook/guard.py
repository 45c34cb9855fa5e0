"""Whether a drill may run here and now: the kind of the environment, and one drill at a time.

The rule: production is refused unless its name is given by hand, and faults there need a tag; and never do two drills
break the same environment at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from drillbook.clock import rfc3339, wall_now
from drillbook.errors import GuardError
from drillbook.inventory import Environment, EnvironmentKind

PRODUCTION_SAFE = "production-safe"


def permit(environment: Environment, allowed_production: str | None, tags: Iterable[str]) -> None:
    """Raise GuardError unless a drill with these tags may break this environment."""
    if environment.kind is not EnvironmentKind.PRODUCTION:
        return
    if allowed_production != environment.name:
        raise GuardError(
            f"the inventory says that {environment.name!r} is production: nothing is broken there. "
            f"If you mean it, give --allow-production {environment.name}"
        )
    if PRODUCTION_SAFE not in set(tags):
        raise GuardError(
            f"{environment.name!r} is production and the scenario has no tag @{PRODUCTION_SAFE}: "
            "its faults were never declared fit for production"
        )


class Role(StrEnum):
    """What the holder of an environment does with it. A drill waits for those that put it back."""

    DRILL = "drill"
    GUARDIAN = "guardian"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an environment."""

    pid: int
    session: str
    since: str
    drill: str
    evidence: str | None = None
    """The evidence folder of the drill, relative to the root, once there is one."""


class Lock:
    """The lock of one environment. The kernel frees it when its holder dies, however it dies.

    Drills of one pytest session (xdist workers) wait for each other; another session is refused.
    """

    def __init__(self, path: Path, session: str) -> None:
        self._path, self._session = path, session
        self._file: IO[str] | None = None

    def acquire(self, drill: str, waiting: Callable[[str], None] = lambda _text: None) -> Holder | None:
        """Take the lock; gives the holder before, when it died without giving the lock back.

        Raises GuardError that names the holder when another session has it.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = self._path.open("a+", encoding="utf-8")
        try:
            told = False
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    holder = self.holder()
                    if holder is not None and holder.session != self._session:
                        raise GuardError(
                            f"another drill is running in this environment: {holder.drill!r}, process {holder.pid}, "
                            f"since {holder.since}. Wait for it to end"
                        ) from None
                    if not told and holder is not None:
                        waiting(f"waiting for {holder.drill!r}, which has the environment")
                        told = True
                    # a lock file cannot be waited for with a deadline and a signal's turn: asked ten times a second
                    time.sleep(0.1)
        except BaseException:
            handle.close()
            raise
        self._file = handle
        try:
            dead = self.holder()
            self._write(Holder(os.getpid(), self._session, rfc3339(wall_now()), drill))
        except OSError as error:
            self._file = None
            handle.close()
            raise GuardError(f"{self._path}: the lock cannot be written: {error.strerror}") from error
        return dead

    def name_evidence(self, folder: str) -> None:
        """Say where the evidence of the drill under way is, for whoever finds the lock of a dead one."""
        holder = self.holder()
        assert holder is not None
        self._write(replace(holder, evidence=folder))

    def _write(self, holder: Holder | None) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        if holder is not None:
            json.dump(asdict(holder), self._file)
        self._file.flush()

    def holder(self) -> Holder | None:
        """Who wrote itself into the lock last; None when nobody could be read."""
        try:
            data: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            return Holder(**data)
        except (OSError, ValueError, TypeError):
            return None

    def release(self) -> None:
        """Give the lock back; idempotent."""
        if self._file is not None:
            self._write(None)
            self._file.close()
            self._file = None
