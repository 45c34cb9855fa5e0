"""The part of a folder of evidence that its store does not have yet.

The rule: only sealed evidence leaves the folder, and it is ticked off once the store has all of it. If a session could
not upload something (the store was out of reach, or the process was killed), the next session finds it here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.evidence.sealing.statements import ATTESTATIONS, CONTENT, SUMS, TIMESTAMP
from drillbook.evidence.store.catalogue import folders
from drillbook.evidence.store.place import Place
from drillbook.model.times.clock import wall_now

TABLE = f"{CONTENT}/drills.json"
"""The last file that is written into the folder of a `drillbook drills`, which nobody seals."""
_LAST = (TABLE, ATTESTATIONS, TIMESTAMP, SUMS)
"""These are uploaded last, in this order: a store that has the last of them has the folder."""


def ready(folder: Path) -> bool:
    """Whether nobody writes to the folder any more: it is sealed, or the table is there."""
    return any((folder / name).is_file() for name in (SUMS, TABLE))


def closing_name(folder: Path) -> str:
    """The name of the file that shows, in a store, that the folder is complete."""
    return f"{folder.name}/{SUMS if (folder / SUMS).is_file() else TABLE}"


def files_of(folder: Path) -> list[Path]:
    """The files of a folder in the order in which they are uploaded."""
    found = [
        each for each in sorted(folder.rglob("*")) if each.is_file() and not each.is_symlink() and each.name[0] != "."
    ]
    last = [folder / name for name in _LAST]
    return [*(each for each in found if each not in last), *(each for each in last if each in found)]


def seal_of(folder: Path) -> str:
    """Changes when the folder is sealed anew: then it is uploaded once more."""
    digest = hashlib.sha256()
    for name in _LAST:
        path = folder / name
        data = path.read_bytes() if path.is_file() else b""
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


class Outbox:
    """The folders of `place` that its store does not have yet; `kept`, Drillbook's own folder, notes what the store
    has.
    """

    def __init__(self, place: Place, kept: Path) -> None:
        self.place = place
        of = hashlib.sha256((place.url or "").encode()).hexdigest()[:12]
        self._notes = kept / f"stored-{of}.ndjson"

    def begin(self) -> None:
        """From now on folders are for this store; earlier ones are uploaded when somebody asks for it."""
        if self._read()[0] is None:
            self._note({"since": f"{wall_now():%Y%m%dT%H%M%SZ}"})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One session of a checkout uploads at a time. The others wait, and need not upload the same."""
        handle = self._opened()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def pending(self) -> list[Path]:
        """The folders that are ready and that the store does not have, the oldest first."""
        since, seals = self._read()
        if since is None:
            return []
        new = (each for each in reversed(folders(self.place.folder)) if each.name >= since and ready(each))
        return [each for each in new if seals.get(each.name) != seal_of(each)]

    def done(self, folder: Path, seal: str) -> None:
        """The store has it, with this seal."""
        self._note({"folder": folder.name, "seal": seal})

    def _read(self) -> tuple[str | None, dict[str, str]]:
        try:
            lines = self._notes.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None, {}
        since: str | None = None
        seals: dict[str, str] = {}
        for line in lines:
            try:
                said = json.loads(line)
                since = said.get("since", since)
                seals |= {said["folder"]: said["seal"]} if "folder" in said else {}
            except (ValueError, TypeError, KeyError):
                continue  # torn by a kill: its folder is uploaded once more
        return since, seals

    def _note(self, said: dict[str, str]) -> None:
        handle = self._opened()
        try:
            # end a line that a killed process tore
            os.write(handle, f"\n{json.dumps(said)}\n".encode())
        except OSError as error:
            raise self._full(error) from error
        finally:
            os.close(handle)

    def _opened(self) -> int:
        try:
            self._notes.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> EvidenceError:
        return EvidenceError(
            f"{self._notes}: Drillbook cannot note what the store has ({error.strerror}): free the disk"
        )
