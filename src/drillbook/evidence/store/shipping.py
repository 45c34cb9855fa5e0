"""Copies evidence to its store: the sealed folders, and the ledgers.

The rule: a ledger in the store only ever grows. When two checkouts have gone different ways, nothing is overwritten:
the other ledger is kept beside it, and reported.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.evidence.files import sync_folder
from drillbook.evidence.sealing.statements import LEDGER_FOLDER, sha256
from drillbook.evidence.store.catalogue import folders
from drillbook.evidence.store.outbox import Outbox, closing_name, files_of, ready, seal_of
from drillbook.evidence.store.remote import Changed, Remote

FORKS = f"{LEDGER_FOLDER}/forks"
_TRIES = 3
"""The number of tries to extend a ledger while others do."""


@dataclass
class Shipped:
    """The result of an upload."""

    folders: list[str] = field(default_factory=list)
    """Folders that the store has now, and did not have before."""
    forked: list[str] = field(default_factory=list)
    """Sentences about ledgers that differ from the store's."""


def ship(outbox: Outbox, pending: Iterable[Path], remote: Remote, shipped: Shipped) -> None:
    """Upload folders, and then the ledgers that name them.

    Raises StoreError at the first one that the store does not take; earlier uploads stay.
    """
    for folder in pending:
        seal = seal_of(folder)
        for file in files_of(folder):
            remote.put(f"{folder.name}/{file.relative_to(folder).as_posix()}", file)
        outbox.done(folder, seal)
        shipped.folders.append(folder.name)
    for ledger in _ledgers(outbox.place.folder):
        forked = _lengthen(ledger, remote)
        if forked is not None and forked not in shipped.forked:
            shipped.forked.append(forked)


def push(outbox: Outbox, *, waiting_only: bool = False) -> Shipped:
    """Upload all that the store does not have, or only what waits, and take over its part of the ledgers.

    Raises StoreError.
    """
    place = outbox.place
    assert place.url is not None
    remote, shipped = Remote(place.url, place.lock_s), Shipped()
    outbox.begin()
    with outbox.alone():
        catch_up(place.folder, remote)
        ship(outbox, outbox.pending() if waiting_only else missing(outbox, remote), remote, shipped)
    return shipped


def missing(outbox: Outbox, remote: Remote) -> list[Path]:
    """The ready folders that the store does not have in their present form, whenever they were made."""
    there = [each for each in reversed(folders(outbox.place.folder)) if ready(each)]
    names = {each: closing_name(each) for each in there}
    stored = remote.read_all(names.values())
    return [each for each in there if stored.get(names[each]) != (each.parent / names[each]).read_bytes()]


def catch_up(folder: Path, remote: Remote) -> None:
    """Add to each ledger in this folder what the store has beyond it. Raises StoreError.

    So a fresh checkout goes on where the last session ended, wherever that was. A ledger that went another way stays as
    it is.
    """
    for name in _ledgers_of(remote):
        found = remote.read(name)
        if found is not None:
            _add_to(folder / name, found[0])


def _add_to(ledger: Path, theirs: bytes) -> None:
    """As the ledger itself does it: under its lock, and on disk before anybody goes on."""
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with ledger.open("a+b") as ours:
            fcntl.flock(ours, fcntl.LOCK_EX)
            ours.seek(0)
            data = ours.read()
            if len(theirs) > len(data) and theirs.startswith(data):
                ours.write(theirs[len(data) :])
                ours.flush()
                os.fsync(ours.fileno())
        for place in (ledger.parent, ledger.parent.parent):
            sync_folder(place)
    except OSError as error:
        raise EvidenceError(f"{ledger}: the ledger cannot be written: {error.strerror}") from error


def _ledgers_of(remote: Remote) -> list[str]:
    return [name for name in remote.below(LEDGER_FOLDER) if name.endswith(".jsonl")]


def _ledgers(folder: Path) -> list[Path]:
    return sorted((folder / LEDGER_FOLDER).glob("*.jsonl"))


def _whole_lines(ledger: Path) -> bytes:
    """The text without what a killed process tore."""
    data = ledger.read_bytes()
    return data[: data.rfind(b"\n") + 1]


def _lengthen(ledger: Path, remote: Remote) -> str | None:
    """Upload a ledger if it begins with the store's; returns why not, when it does not."""
    name = f"{LEDGER_FOLDER}/{ledger.name}"
    ours = _whole_lines(ledger)
    for _ in range(_TRIES):
        found = remote.read(name)
        theirs = b"" if found is None else found[0]
        if theirs.startswith(ours):
            return None
        if not ours.startswith(theirs):
            return _fork(ledger, ours, remote)
        try:
            remote.write(name, ours, None if found is None else found[1], new=found is None)
        except Changed:
            continue
        return None
    raise Changed(
        f"{remote.url}: {name} is written by others all the time: upload again with 'drillbook evidence push'"
    )


def _fork(ledger: Path, ours: bytes, remote: Remote) -> str:
    aside = f"{FORKS}/{ledger.stem}-{sha256(ours)[:12]}.jsonl"
    if remote.read(aside) is None:
        remote.write(aside, ours, None, new=True)
    return (
        f"the ledger {ledger.stem} of {remote.url} has entries that this checkout does not know, and the other way "
        f"round: nothing was written over, and ours is kept there as {aside}; let one checkout at a time drill an "
        "environment, with the store in reach"
    )
