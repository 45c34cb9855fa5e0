"""Private folders below TMPDIR. The next process removes the folder that a killed process left.

The rule: a process owns its folder as long as it holds the kernel's lock on it. The lock ends with the process, however
that ends. Only folders that this module made are ever removed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LABS = "labs"
"""The kind of the folder in which labs run. Before somebody removes such a folder, they must take its lab down."""
_NAME = re.compile(r"drillbook\.(?:inventory|labs|lint|plan|post|prove|run|ssh|warm)-[a-z0-9_]{8}")
_NEW = ".drillbook.new-"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateFolder:
    """A folder (0700) of this process until `leave`; as a context manager it gives the path."""

    def __init__(self, kind: str, place: str | None = None) -> None:
        """The folder has its `kind` in its name, and lies in `place` (default: TMPDIR)."""
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=place))
        self.path = new.with_name(f"drillbook.{kind}-{new.name.removeprefix(_NEW)}")
        assert _NAME.fullmatch(self.path.name), self.path.name
        self._held: int | None = os.open(new, _OPEN)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        new.rename(self.path)  # only now it has the name by which others find it

    def leave(self) -> None:
        """Remove the folder; idempotent."""
        held, self._held = self._held, None
        if held is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(held)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.leave()


def sweep() -> list[Path]:
    """Remove what killed processes of this user have left; returns what that was."""
    gone = []
    for path in _all():
        with _nobodys(path) as dead:
            if dead and not _is_of(path, LABS):
                shutil.rmtree(path, ignore_errors=True)
                gone.append(path)
    return gone


def left(kind: str) -> list[Path]:
    """The folders of this kind that killed processes of this user have left, for a caller that looks into them before
    `sweep`.
    """
    found = []
    for path in _all():
        with _nobodys(path) as dead:
            if dead and _is_of(path, kind):
                found.append(path)
    return found


def _is_of(path: Path, kind: str) -> bool:
    return path.name.startswith(f"drillbook.{kind}-")


def places() -> set[str]:
    """The places of such folders."""
    return {tempfile.gettempdir(), "/tmp"}


def _all() -> Iterator[Path]:
    for place in places():
        with suppress(OSError), os.scandir(place) as entries:
            yield from [Path(each.path) for each in entries if _NAME.fullmatch(each.name)]


@contextmanager
def _nobodys(path: Path) -> Iterator[bool]:
    """Whether the folder is this user's and its process is dead. The lock is held during the question."""
    try:
        held = os.open(path, _OPEN)
    except OSError:  # it is gone meanwhile, is a link, or is another user's
        yield False
        return
    try:
        mine = os.fstat(held).st_uid == os.geteuid()
        if mine:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # somebody holds it
                mine = False
        yield mine
    finally:
        os.close(held)
