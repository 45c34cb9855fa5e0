"""A run that is not sealed yet, as a file in .drillbook/ with a kernel lock, which ends with its process.

The rule: the file exists from before the run's first entry in the ledger until after its last. A process that can lock
it knows that the run's process is dead, and seals the run instead.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.evidence.files import sync_folder

_BEFORE, _MOST = "unsealed-", 64 * 1024


@dataclass(slots=True)
class OpenRun:
    """The file of one run; this process has its lock until `done` or `let_be`."""

    path: Path
    run_id: str
    folder: str
    """The form in which journals and locks name evidence: relative to the root where it lies below it."""
    stream: str
    signs: bool
    _descriptor: int

    def done(self) -> None:
        """The run is sealed, or never will be: nobody needs to come back for it."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.let_be()

    def let_be(self) -> None:
        """Give the lock back. The run stays open, for a process that can seal it later."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def begin(kept: Path, run_id: str, folder: str, stream: str, *, signs: bool) -> OpenRun:
    """Put the file on disk, locked; `kept` is the folder .drillbook. Raises EvidenceError."""
    path = kept / f"{_BEFORE}{run_id}"
    beside = path.with_name(f".{path.name}")  # under its name it is locked and whole
    text = json.dumps({"run_id": run_id, "folder": folder, "stream": stream, "signs": signs}).encode()
    try:
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, text)
        os.fsync(descriptor)
        beside.replace(path)
        sync_folder(kept)
    except OSError as error:
        raise EvidenceError(
            f"{path}: Drillbook cannot note that this run is not sealed yet: {error.strerror}"
        ) from error
    return OpenRun(path, run_id, folder, stream, signs, descriptor)


def left_by_the_dead(kept: Path, stream: str) -> Iterator[OpenRun]:
    """Each run of a stream whose process has ended, with its lock, which the caller gives back."""
    for path in sorted(kept.glob(f"{_BEFORE}*")):
        with suppress(OSError):  # sealed in the meantime, or its process lives
            found = _taken(path, stream)
            if found is not None:
                yield found


def any_left(kept: Path) -> bool:
    """Whether any stream has an unsealed run whose process has ended."""
    return len(under_way(kept)) < len([*kept.glob(f"{_BEFORE}*")])


def under_way(kept: Path) -> set[str]:
    """The evidence folders of unsealed runs whose processes live."""
    found = set()
    for path in kept.glob(f"{_BEFORE}*"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.add(str(json.loads(os.pread(descriptor, _MOST, 0))["folder"]))
            finally:
                os.close(descriptor)
    return found


def _taken(path: Path, stream: str) -> OpenRun | None:
    """The run, locked; None for a run of another stream. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        said = json.loads(os.pread(descriptor, _MOST, 0))
        if path.exists() and said["stream"] == stream:
            return OpenRun(path, said["run_id"], said["folder"], stream, bool(said["signs"]), os.dup(descriptor))
    except (ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)  # the machine lost its power before the text was on disk
    finally:
        os.close(descriptor)
    return None
