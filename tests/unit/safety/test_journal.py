"""The undo journal survives being torn anywhere, and refuses to guess when it was damaged."""

from __future__ import annotations

import errno
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.errors import JournalError
from drillbook.safety.journal import Entry, EntryState, Journal
from tests.support.unit import quickly

pytestmark = pytest.mark.unit

PLANNED, INJECTED, UNDOING = EntryState.PLANNED, EntryState.INJECTED, EntryState.UNDOING
FAILED, CLOSED = EntryState.UNDO_FAILED, EntryState.CLOSED


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / ".drillbook" / "journal.ndjson")


def plan(journal: Journal, entry: str, **variables: Any) -> Entry:
    return journal.plan(
        entry,
        run_id="run",
        fault="network_cut",
        variables=variables,
        inventory="inventories/lab",
        undo_playbook="playbooks/faults/network_cut/undo.yml",
        evidence="evidence/run",
    )


def states(journal: Journal) -> dict[str, EntryState]:
    return {entry.id: entry.state for entry in journal.entries()}


def test_an_entry_is_read_as_it_was_planned(journal: Journal) -> None:
    planned = plan(journal, "e1", client="api", text="ü\n\x18", nested={"a": [1, None]})
    assert journal.entries() == [planned]
    assert planned.state is PLANNED
    assert planned.variables == {"client": "api", "text": "ü\n\x18", "nested": {"a": [1, None]}}


def test_the_hosts_of_an_entry_are_those_that_were_said_last(journal: Journal) -> None:
    plan(journal, "e1")
    assert journal.entries()[0].hosts == ()
    journal.mark("e1", PLANNED, hosts=["web-1"])
    journal.mark("e1", PLANNED, hosts=["web-1", "web-2"])
    assert journal.entries()[0].hosts == ("web-1", "web-2")
    journal.mark("e1", INJECTED, hosts=["web-2"])
    journal.mark("e1", UNDOING)
    (entry,) = journal.open_entries()
    assert (entry.hosts, entry.state) == (("web-2",), UNDOING)


def test_no_file_is_no_entry(journal: Journal) -> None:
    assert journal.entries() == []
    assert journal.open_entries() == []


@pytest.mark.parametrize("state", list(EntryState))
def test_whatever_is_not_closed_is_open(journal: Journal, state: EntryState) -> None:
    plan(journal, "e1")
    journal.mark("e1", state, "why")
    (entry,) = journal.entries()
    assert entry.state is state
    assert entry.open == (state is not CLOSED)
    assert journal.open_entries() == ([] if state is CLOSED else [entry])


def test_a_failed_undo_can_be_closed_later(journal: Journal) -> None:
    plan(journal, "e1")
    for state in (INJECTED, UNDOING, FAILED, UNDOING, CLOSED):
        journal.mark("e1", state)
    assert states(journal) == {"e1": CLOSED}


def test_open_entries_come_newest_first(journal: Journal) -> None:
    for entry in ("e1", "e2", "e3"):
        plan(journal, entry)
    journal.mark("e2", CLOSED)
    journal.mark("e1", INJECTED)
    assert [entry.id for entry in journal.open_entries()] == ["e3", "e1"]
    assert [entry.id for entry in journal.entries()] == ["e1", "e2", "e3"]


def test_the_file_is_private(journal: Journal) -> None:
    plan(journal, "e1")
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def test_each_line_is_on_disk_before_the_call_returns(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        if journal.path.exists() and os.fstat(descriptor).st_ino == journal.path.stat().st_ino:
            synced.append(journal.path.stat().st_size)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    plan(journal, "e1")
    journal.mark("e1", INJECTED)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    assert synced == [len(lines[0]), len(lines[0]) + len(lines[1])]


def test_what_cannot_be_synced_is_an_error(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalError, match="cannot be written: No space left"):
        plan(journal, "e1")


def test_a_short_write_is_an_error_and_the_next_append_goes_on(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(journal, "e1")
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
        with pytest.raises(JournalError, match="is the disk full"):
            plan(journal, "e2")
    assert states(journal) == {"e1": PLANNED}
    plan(journal, "e3")
    assert states(journal) == {"e1": PLANNED, "e3": PLANNED}


def test_variables_that_are_no_data_are_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="network_cut"):
        plan(journal, "e1", path=Path("/tmp"))
    assert journal.entries() == []


def test_a_journal_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        Journal(tmp_path).entries()
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be written"):
        plan(Journal(tmp_path / "file" / "journal"), "e1")


def written() -> bytes:
    """A journal in which two faults were injected and one undone."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        plan(journal, "e1", client="api")
        journal.mark("e1", INJECTED)
        plan(journal, "e2", word="ü")
        journal.mark("e2", INJECTED)
        journal.mark("e2", UNDOING)
        journal.mark("e2", CLOSED)
        return journal.path.read_bytes()


WHOLE = written()
HISTORY: list[dict[str, EntryState]] = [
    {},
    {"e1": PLANNED},
    {"e1": INJECTED},
    {"e1": INJECTED, "e2": PLANNED},
    {"e1": INJECTED, "e2": INJECTED},
    {"e1": INJECTED, "e2": UNDOING},
    {"e1": INJECTED, "e2": CLOSED},
]
"""The states after so many lines."""


def holding(folder: str, data: bytes) -> Journal:
    journal = Journal(Path(folder) / "journal")
    journal.path.write_bytes(data)
    return journal


def test_torn_anywhere_every_line_before_it_holds_and_the_next_is_appended(tmp_path: Path) -> None:
    for length in range(len(WHOLE) + 1):
        journal = holding(str(tmp_path), WHOLE[:length])
        expected = HISTORY[WHOLE[:length].count(b"\n")]
        assert states(journal) == expected, length
        plan(journal, "e9")
        assert states(journal) == {**expected, "e9": PLANNED}, length
        assert journal.open_entries()[0].id == "e9", length


@quickly
@given(st.lists(st.integers(0, 400), min_size=1, max_size=5))
def test_torn_again_and_again(cuts: list[int]) -> None:
    """Each append may be torn anew, also inside of what closes the torn line before it."""
    with tempfile.TemporaryDirectory() as folder:
        journal = holding(folder, WHOLE)
        expected = dict(HISTORY[-1])
        for number, cut in enumerate(cuts):
            before = journal.path.stat().st_size
            plan(journal, f"n{number}")
            size = journal.path.stat().st_size
            keep = min(size, before + cut)
            with journal.path.open("r+b") as handle:
                handle.truncate(keep)
            if keep == size:
                expected[f"n{number}"] = PLANNED
            assert states(journal) == expected


@settings(quickly, max_examples=200)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_byte_is_refused_with_its_line(position: int, byte: int) -> None:
    damaged = WHOLE[:position] + bytes([byte]) + WHOLE[position + 1 :]
    if damaged == WHOLE:
        return
    line = WHOLE[:position].count(b"\n") + 1
    with tempfile.TemporaryDirectory() as folder:
        journal = holding(folder, damaged)
        with pytest.raises(JournalError, match=rf"journal:{line}: the undo journal is damaged"):
            journal.entries()


@pytest.mark.parametrize("byte", [0x18, 0x0A, 0x0D, 0x00, 0x20])
def test_a_damaged_end_of_a_line_is_not_taken_for_a_torn_one(tmp_path: Path, byte: int) -> None:
    first = WHOLE.index(b"\n")
    for position in (first - 1, first, len(WHOLE) - 2, len(WHOLE) - 1):
        damaged = WHOLE[:position] + bytes([byte]) + WHOLE[position + 1 :]
        if damaged != WHOLE:
            with pytest.raises(JournalError, match="damaged"):
                holding(str(tmp_path), damaged).entries()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"00000000 {}",
        b"zzzzzzzz {}",
        b"%08x [1]" % zlib.crc32(b"[1]"),
        b"%08x {" % zlib.crc32(b"{"),
        b'[]{"id":1}',
    ],
)
def test_what_is_no_line_of_a_journal_is_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(JournalError, match=r"journal:7: "):
        holding(str(tmp_path), WHOLE + line + b"\n").entries()


@pytest.mark.parametrize(
    "change", [{"id": "e1", "state": "nonsense", "at": ""}, {"id": "new", "state": "closed", "at": ""}, {"id": "e1"}]
)
def test_a_whole_line_that_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    journal = holding(str(tmp_path), WHOLE)
    journal._append(change)
    with pytest.raises(JournalError, match=r"journal:7: "):
        journal.entries()
