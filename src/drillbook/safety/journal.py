"""The undo journal: what was broken, where, and how to put it back, on disk before anything breaks.

One file, append-only, one line a state change, each line synced to disk before the drill goes on:

<crc32 of the JSON, 8 hex digits> <JSON object>\\n

It survives these accidents:
- The process is killed while it writes a line. The last line is torn. Its change never took effect (the sync comes
  first), so it is left out; the next append starts on a new line.
- The process is killed between the line and the change. The entry is open, and is undone although the change may not
  have happened.
- A line is damaged later. The file is refused with its line number: a guess could leave staging broken.

Entries are data (a playbook, variables), never code.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from drillbook.errors import JournalError
from drillbook.evidence.files import sync_folder
from drillbook.model import paths
from drillbook.model.times.clock import rfc3339, wall_now

__interrupt_after__ = "call"  # safety/signals never interrupts a call of this module: it would leave half of a file

TORN = b"\x18\x18"
"""Two CAN characters: they close a torn line and mark it as torn. One alone could be a damaged byte of a whole line."""


class EntryState(StrEnum):
    """The life of an entry. An entry in any state but CLOSED is undone; every state can be left."""

    PLANNED = "planned"
    """On disk; the fault may or may not have happened."""
    INJECTED = "injected"
    """The fault's playbook ended."""
    UNDOING = "undoing"
    """The undo was started."""
    UNDO_FAILED = "undo_failed"
    """The undo ran and did not prove that the fault is gone; it will be tried again."""
    CLOSED = "closed"
    """The undo ran and proved that the fault is gone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault. Paths are relative to the drill repository's root."""

    id: str
    run_id: str
    fault: str
    variables: Mapping[str, Any]
    inventory: str
    undo_playbook: str
    evidence: str
    state: EntryState
    at: str
    switch_playbook: str | None = None
    """The playbook of its dead man's switch, which may be armed; absent in lines of older versions."""
    undo_timeout_s: float | None = None
    """How long the undo may take, whoever runs it; absent in lines of older versions."""
    hosts: tuple[str, ...] = ()
    """The hosts that the fault changed or may have changed, as far as known: its undo must prove each of them."""

    @property
    def open(self) -> bool:
        """Whether this fault may still be there."""
        return self.state is not EntryState.CLOSED

    @property
    def cleans_up(self) -> bool:
        """Whether this is no fault, but work that a drill submits."""
        return self.undo_playbook == paths.WORK_CLEANUP


class Journal:
    """The journal of one environment. Only the holder of the environment's lock writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def plan(
        self,
        entry_id: str,
        *,
        run_id: str,
        fault: str,
        variables: Mapping[str, Any],
        inventory: str,
        undo_playbook: str,
        evidence: str,
        switch_playbook: str | None = None,
        undo_timeout_s: float | None = None,
    ) -> Entry:
        """Put the undo on disk. Only after this returns may the fault happen. Raises JournalError."""
        entry = Entry(
            entry_id,
            run_id,
            fault,
            dict(variables),
            inventory,
            undo_playbook,
            evidence,
            EntryState.PLANNED,
            rfc3339(wall_now()),
            switch_playbook,
            undo_timeout_s,
        )
        line = {name: getattr(entry, name) for name in Entry.__slots__}
        self._append(line)
        return entry

    def mark(self, entry_id: str, state: EntryState, reason: str = "", *, hosts: Collection[str] | None = None) -> None:
        """Note that the entry is now in this state, and which hosts its undo must prove, if that is news."""
        line = {"id": entry_id, "state": state, "at": rfc3339(wall_now()), "reason": reason}
        self._append(line if hosts is None else line | {"hosts": list(hosts)})

    def entries(self) -> list[Entry]:
        """Every entry with its latest state, oldest first. Raises JournalError for a damaged file."""
        found: dict[str, Entry] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                state = EntryState(line["state"])
                known = found.get(line["id"])
                hosts = tuple(line.get("hosts", known.hosts if known is not None else ()))
                if known is not None:
                    found[line["id"]] = replace(known, state=state, at=line["at"], hosts=hosts)
                else:
                    found[line["id"]] = Entry(**{**line, "state": state, "hosts": hosts})
            except (KeyError, TypeError, ValueError) as error:
                raise self._damaged(number) from error
        return list(found.values())

    def open_entries(self) -> list[Entry]:
        """The entries that are not proven gone, in the order of undoing: newest first, the work of drills after all
        faults.
        """
        left = [entry for entry in reversed(self.entries()) if entry.open]
        return sorted(left, key=lambda entry: entry.cleans_up)

    def _lines(self) -> list[dict[str, Any]]:
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f"{self.path}: the undo journal cannot be read: {error.strerror}") from error
        lines = []
        *whole, torn = raw.split(b"\n")
        for number, line in enumerate(whole, start=1):
            if line.endswith(TORN):
                continue
            decoded = _decode(line)
            if decoded is None:
                raise self._damaged(number)
            lines.append(decoded)
        # text after the last line feed is torn and never took effect; but it is never longer than a whole line
        if _decode(torn[:-1]) is not None:
            raise self._damaged(len(whole) + 1)
        return lines

    def _damaged(self, number: int) -> JournalError:
        return JournalError(
            f"{self.path}:{number}: the undo journal is damaged. Check by hand whether the faults that it names "
            "are gone, then move the file away"
        )

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            text = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
        except (TypeError, ValueError) as error:
            raise JournalError(
                f"the undo of {line.get('fault')!r} cannot be kept: its variables are not plain data: {error}"
            ) from error
        data = b"%08x %s\n" % (zlib.crc32(text), text)
        try:
            new = not self.path.exists()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    data = TORN + b"\n" + data
                if os.write(descriptor, data) != len(data):
                    raise JournalError(
                        f"{self.path}: the undo journal could not be written completely: is the disk full?"
                    )
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                sync_folder(self.path.parent)
                sync_folder(self.path.parent.parent)
        except OSError as error:
            raise JournalError(f"{self.path}: the undo journal cannot be written: {error.strerror}") from error


def _decode(line: bytes) -> dict[str, Any] | None:
    crc, _, text = line.partition(b" ")
    try:
        if crc != b"%08x" % zlib.crc32(text):
            return None
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
