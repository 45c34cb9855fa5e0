"""What drills have left broken, in this checkout and in others of this user: read from the journals and locks.

The rule: looking changes nothing, and asks no inventory. An unreadable entry counts as open, because nobody knows that
it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import GuardError, JournalError
from drillbook.model import paths
from drillbook.safety.environment_lock import Lock, state_folder
from drillbook.safety.journal import Entry, Journal


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A fault that is not proven gone; `checkout` is None for this one."""

    environment: str
    entry: Entry
    checkout: Path | None = None

    def __str__(self) -> str:
        where = f", in the checkout {self.checkout}: run 'drillbook restore' there" if self.checkout else ""
        entry = self.entry
        how = f"{entry.state} {entry.at}, with the inventory {entry.inventory}"
        return f"{entry.fault} in {self.environment} ({how}){where}"


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """All that is known about open faults; `unreadable` are the sentences of journals that cannot be read."""

    here: tuple[OpenFault, ...]
    elsewhere: tuple[OpenFault, ...]
    unreadable: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.here or self.elsewhere or self.unreadable)

    @classmethod
    def read(cls, root: Path) -> LeftOpen:
        """What is open in the checkout at `root`, newest first, and in others."""
        unreadable: list[str] = []
        here = [
            OpenFault(environment, entry)
            for environment, path in paths.journals(root)
            for entry in _entries(path, unreadable)
        ]
        there = [
            OpenFault(environment, entry, checkout)
            for environment, checkout in _other_checkouts(root)
            for entry in _entries(paths.journal(checkout, environment), unreadable)
        ]
        return cls(tuple(sorted(here, key=lambda each: each.entry.at, reverse=True)), tuple(there), tuple(unreadable))

    def lines(self) -> list[str]:
        """Each in one line."""
        return [*map(str, self.here), *map(str, self.elsewhere), *self.unreadable]


def dead_holders(root: Path) -> bool:
    """Whether a drill has died in this checkout and nobody has closed its record."""
    locks = (Lock(path, "") for _, path in paths.locks(paths.kept(root)))
    return any(each.holder() is not None and not each.is_held for each in locks)


def locks_of(root: Path) -> list[tuple[str, Lock]]:
    """The locks of this checkout, and those of this user on this machine, with their environments."""
    folders = [paths.kept(root)]
    with suppress(GuardError):  # no home folder: no lock was ever taken there
        folders.append(state_folder())
    return [(environment, Lock(path, "")) for folder in folders for environment, path in paths.locks(folder)]


def _other_checkouts(root: Path) -> Iterator[tuple[str, Path]]:
    for environment, lock in locks_of(root):
        holder = lock.holder()
        if holder is not None and holder.root and Path(holder.root) != root.resolve():
            yield environment, Path(holder.root)


def _entries(path: Path, unreadable: list[str]) -> list[Entry]:
    try:
        return Journal(path).open_entries()
    except JournalError as error:
        unreadable.append(str(error))
        return []
