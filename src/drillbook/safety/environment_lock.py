"""Whether a drill may run here and now: the kind of the environment, and one drill at a time.

The rule: production is refused unless its name is given by hand, and faults there need a tag; and never do two drills
break the same environment at once, nor one over the open fault of another, from whichever checkout of this machine.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from drillbook.errors import GuardError, JournalError
from drillbook.model import paths
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.safety.journal import Entry, Journal
from drillbook.target.inventory.settings import Environment, EnvironmentKind

ASK_AGAIN_S = 0.1


class HolderRole(StrEnum):
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
    root: str = ""
    """The checkout, absolute. For locks and for the terminal; never for evidence."""
    role: HolderRole = HolderRole.DRILL

    @property
    def described(self) -> str:
        """Process and time, as sentences name them."""
        return f"process {self.pid}, since {self.since}"


def _nobody(_text: str) -> None:
    return None


def _any(_dead: Holder) -> None:
    return None


class Lock:
    """One lock file. The kernel frees it when its holder dies, however it dies.

    Drills of one pytest session (xdist workers) wait for each other, and everybody waits for who puts the environment
    back; the drill of another session is a refusal.
    """

    def __init__(
        self, path: Path, session: str, *, root: Path | None = None, role: HolderRole = HolderRole.DRILL
    ) -> None:
        self.path, self._session = path, session
        self._root = "" if root is None else str(root.resolve())
        self._role = role
        self._descriptor: int | None = None

    def acquire(
        self,
        drill: str,
        waiting: Callable[[str], None] = _nobody,
        may_take_over: Callable[[Holder], None] = _any,
    ) -> Holder | None:
        """Take the lock; gives the holder before, when it died without giving the lock back.

        Raises GuardError that names the holder when the drill of another session has it, and whatever `may_take_over`
        raises of a dead one: its name stays in the lock then.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise GuardError(f"{self.path}: the lock cannot be made: {error.strerror}") from error
        try:
            self._wait(descriptor, waiting)
            dead = self.holder()
            if dead is not None:
                may_take_over(dead)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        try:
            now = rfc3339(wall_now())
            # who puts a dead drill back may die too: whose record is still open is kept until it is closed
            evidence = dead.evidence if dead is not None else None
            self._write(Holder(os.getpid(), self._session, now, drill, evidence, self._root, self._role))
        except OSError as error:
            self._close()
            raise GuardError(f"{self.path}: the lock cannot be written: {error.strerror}") from error
        return dead

    def _wait(self, descriptor: int, waiting: Callable[[str], None]) -> None:
        told: tuple[int, str] | None = None
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                holder = self.holder()
            if holder is not None:
                if holder.role is HolderRole.DRILL and holder.session != self._session:
                    raise GuardError(self._refusal(holder)) from None
                if told != (holder.pid, holder.since):
                    told = (holder.pid, holder.since)
                    waiting(_waiting_for(holder))
            # a lock file cannot be waited for with a deadline and a signal's turn: asked ten times a second
            time.sleep(ASK_AGAIN_S)

    def _refusal(self, holder: Holder) -> str:
        elsewhere = f", in the checkout {holder.root}" if holder.root not in {"", self._root} else ""
        return (
            f"another drill is running in this environment: {holder.drill!r}, {holder.described}{elsewhere}. "
            "Wait for it to end"
        )

    def name_evidence(self, folder: str) -> None:
        """Say where the evidence of the drill under way is, for whoever finds the lock of a dead one."""
        holder = self.holder()
        assert holder is not None
        self._write(replace(holder, evidence=folder))

    def _write(self, holder: Holder | None) -> None:
        """Write over the text before, and shorten the file after that.

        Whoever is killed in between leaves the end of the old text behind the new one, which `holder` does not read.
        The other way round nobody would know any more where the evidence of a dead drill is. The file stays the same
        one: the kernel's lock belongs to it, and not to its name.
        """
        assert self._descriptor is not None
        text = json.dumps(asdict(holder)).encode() if holder is not None else b""
        if os.pwrite(self._descriptor, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(self._descriptor, len(text))

    def holder(self) -> Holder | None:
        """Who wrote itself into the lock last; None when nobody could be read."""
        try:
            data, _old = json.JSONDecoder().raw_decode(self.path.read_text(encoding="utf-8", errors="replace"))
            return Holder(**{**data, "role": HolderRole(data.get("role", HolderRole.DRILL))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    @property
    def is_held(self) -> bool:
        """Whether a process has it now; a name that stands in it alone is that of a dead one."""
        holder = self.holder()
        try:
            if holder is not None:
                os.kill(
                    holder.pid, 0
                )  # one that is gone holds nothing, and whoever takes its lock now is not disturbed
            with self.path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:
            return False
        return False

    def release(self, *, keep_name: bool = False) -> None:
        """Give the lock back; idempotent. With `keep_name` the holder's name stays, as that of a dead one does."""
        if self._descriptor is not None:
            if not keep_name:
                self._write(None)
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _waiting_for(holder: Holder) -> str:
    if holder.role is HolderRole.DRILL:
        return f"waiting for {holder.drill!r}, which has the environment"
    who = f"the guardian of {holder.drill!r}" if holder.role is HolderRole.GUARDIAN else repr(holder.drill)
    return f"waiting for {who} ({holder.described}), which puts the environment back"


class EnvironmentLock:
    """The lock of one environment: in the checkout, and for staging and production also once on this machine.

    Two checkouts may run their labs side by side, but there is one staging. Its lock lies in the user's state folder,
    and outlives the drill by its holder's name for as long as a fault is open there.
    """

    def __init__(self, root: Path, environment: Environment, session: str, role: HolderRole = HolderRole.DRILL) -> None:
        self._root, self._name = root.resolve(), environment.name
        self._here = Lock(paths.lock(paths.kept(root), environment.name), session, root=root, role=role)
        self._machine: Lock | None = None
        if environment.kind is not EnvironmentKind.LAB:
            self._machine = Lock(paths.lock(state_folder(), environment.name), session, root=root, role=role)

    def acquire(self, drill: str, waiting: Callable[[str], None] = _nobody) -> Holder | None:
        """Take both; gives the holder before of this checkout, when it died. Raises GuardError as `Lock.acquire` does,
        and over the open fault of another checkout.
        """
        if self._machine is None:
            return self._here.acquire(drill, waiting)
        self._machine.acquire(drill, waiting, self._refuse_over_open_faults)
        try:
            return self._here.acquire(drill, waiting)
        except BaseException:
            self._machine.release(keep_name=self._own_faults_open())
            raise

    def _refuse_over_open_faults(self, dead: Holder) -> None:
        assert self._machine is not None
        there = Path(dead.root)
        if there == self._root:
            return  # the drill undoes them itself before it begins
        who = f"{dead.drill!r} ({dead.described}, in the checkout {there})"
        try:
            known = paths.kept(there).is_dir()
            left = _open_faults(there, self._name)
        except (OSError, JournalError) as error:
            raise GuardError(
                f"{who} ended in this environment, and what it left open cannot be known: {error}"
            ) from error
        if not known:
            raise GuardError(
                f"{who} ended in this environment, and its undo journal is gone: look by hand whether what it broke "
                f"is whole again, then remove {self._machine.path}"
            )
        if left:
            raise GuardError(
                f"{who} left the fault {left[0].fault!r} in this environment: run 'drillbook restore' in {there} first"
            )

    def _own_faults_open(self) -> bool:
        try:
            return bool(_open_faults(self._root, self._name))
        except JournalError:
            return True  # nobody knows that they are gone

    def name_evidence(self, folder: str) -> None:
        """Say where the evidence of the drill under way is, for who finds this checkout's lock of a dead one."""
        self._here.name_evidence(folder)

    def holder(self) -> Holder | None:
        """Who has, or had, the environment."""
        return (self._machine or self._here).holder()

    def release(self) -> None:
        """Give both back; idempotent. While a fault is open, no other checkout drills over it."""
        if self._machine is not None:
            keep = self._own_faults_open()
        self._here.release()
        if self._machine is not None:
            self._machine.release(keep_name=keep)


def _open_faults(root: Path, environment: str) -> list[Entry]:
    return Journal(paths.journal(root, environment)).open_entries()


def state_folder() -> Path:
    """Where this user keeps state on this machine: $XDG_STATE_HOME/drillbook, by default ~/.local/state/drillbook."""
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():  # the XDG specification: a relative one is ignored
        return named / "drillbook"
    try:
        return Path.home() / ".local" / "state" / "drillbook"
    except RuntimeError as error:
        raise GuardError("this user has no home folder to keep the lock in: set XDG_STATE_HOME") from error
