"""Whether a drill may run here and now: the kind of the environment, and one drill at a time.

The rule: production is refused unless somebody names it by hand, and faults there need a tag. No two drills break the
same environment at once, and no drill runs over the open fault of another, from any checkout of this machine.
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
    """What the holder of an environment does with it. A drill waits for a holder that puts it back."""

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

    Drills of one pytest session (xdist workers) wait for each other, and everybody waits for a process that puts the
    environment back. A drill of another session is refused.
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
        """Take the lock; returns the holder before, when it died without giving the lock back.

        Raises GuardError that names the holder when the drill of another session has it. Raises what `may_take_over`
        raises about a dead holder, whose name then stays in the lock.
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
            # a process that restores for a dead drill may die too: the dead drill is kept until its record is closed
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
            # nobody can wait for a lock file with a deadline and a turn for signals: so it is tried ten times a second
            time.sleep(ASK_AGAIN_S)

    def _refusal(self, holder: Holder) -> str:
        elsewhere = f", in the checkout {holder.root}" if holder.root not in {"", self._root} else ""
        return (
            f"another drill is running in this environment: {holder.drill!r}, {holder.described}{elsewhere}. "
            "Wait for it to end"
        )

    def name_evidence(self, folder: str) -> None:
        """Write where the evidence of the current drill is, for a process that finds the lock of a dead one."""
        holder = self.holder()
        assert holder is not None
        self._write(replace(holder, evidence=folder))

    def _write(self, holder: Holder | None) -> None:
        """Write over the text before, and shorten the file after that.

        A process that is killed in between leaves the end of the old text behind the new one, and `holder` does not
        read that. In the other order nobody would know any more where the evidence of a dead drill is. The file stays
        the same: the kernel's lock belongs to the file, not to its name.
        """
        assert self._descriptor is not None
        text = json.dumps(asdict(holder)).encode() if holder is not None else b""
        if os.pwrite(self._descriptor, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(self._descriptor, len(text))

    def holder(self) -> Holder | None:
        """The last holder that wrote its name into the lock; None when it cannot be read."""
        try:
            data, _old = json.JSONDecoder().raw_decode(self.path.read_text(encoding="utf-8", errors="replace"))
            return Holder(**{**data, "role": HolderRole(data.get("role", HolderRole.DRILL))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    @property
    def is_held(self) -> bool:
        """Whether a process has it now. A name alone may be that of a dead holder."""
        holder = self.holder()
        try:
            if holder is not None:
                os.kill(
                    holder.pid, 0
                )  # a missing file holds nothing, and this disturbs no process that takes the lock now
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

    Two checkouts may run their labs side by side, but there is only one staging. Its lock lies in the user's state
    folder. The holder's name stays there after the drill, as long as a fault is open there.
    """

    def __init__(self, root: Path, environment: Environment, session: str, role: HolderRole = HolderRole.DRILL) -> None:
        self._root, self._name = root.resolve(), environment.name
        self._here = Lock(paths.lock(paths.kept(root), environment.name), session, root=root, role=role)
        self._machine: Lock | None = None
        if environment.kind is not EnvironmentKind.LAB:
            self._machine = Lock(paths.lock(state_folder(), environment.name), session, root=root, role=role)

    def acquire(self, drill: str, waiting: Callable[[str], None] = _nobody) -> Holder | None:
        """Take both; returns this checkout's holder before, when it died.

        Raises GuardError as `Lock.acquire` does, and when another checkout has an open fault.
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
            return  # the drill itself undoes them before it begins
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
                f"{who} ended in this environment, and its undo journal is gone: check by hand whether the system is "
                f"whole again, then remove {self._machine.path}"
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
        """Write where the evidence of the current drill is, for a process that finds this checkout's lock of a dead
        one.
        """
        self._here.name_evidence(folder)

    def holder(self) -> Holder | None:
        """The current or last holder of the environment."""
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
    if named.is_absolute():  # the XDG specification says to ignore a relative one
        return named / "drillbook"
    try:
        return Path.home() / ".local" / "state" / "drillbook"
    except RuntimeError as error:
        raise GuardError("this user has no home folder to keep the lock in: set XDG_STATE_HOME") from error
