"""The ledger of an environment: one signed line an event, each with the digest of the one before it.

The rule: an appended line is on disk before anybody goes on, and nothing in the ledger ever changes.

It survives these accidents:
- The process is killed while it writes a line. The last line is torn. Its event never took effect (the sync comes
  first). The next append removes it, and an entry `repaired` keeps the digest of what was removed.
- Two processes append. A kernel lock on the file makes one wait for the other.
- A line is damaged later. Nothing is appended to it, and the verifier names that line.

It imports nothing that signs: the caller passes a signer.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from drillbook.errors import EvidenceError
from drillbook.evidence.files import sync_folder
from drillbook.evidence.sealing.lines import predicate_of, read_envelope
from drillbook.evidence.sealing.statements import CLOSING, FIRST_PREV, LEDGER_FOLDER, Kind, ledger_entry, sha256
from drillbook.model.paths import unique_file_part
from drillbook.model.times.clock import rfc3339, wall_now

__interrupt_after__ = "call"  # safety/signals never interrupts a call of this module: it would leave half of a line

_BLOCK = 64 * 1024


class Signs(Protocol):
    """Makes the line of an envelope for a payload."""

    def sign(self, payload: bytes) -> bytes:
        """The line, without its line feed. Raises EvidenceError."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a stream: its number, and the digest of its payload."""

    stream: str
    seq: int
    digest: str

    def __str__(self) -> str:
        return f"head {self.seq} {self.digest}"


def ledger_path(evidence_root: Path, stream: str) -> Path:
    """The file of a stream, which is the name of an environment."""
    return evidence_root / LEDGER_FOLDER / f"{unique_file_part(stream)}.jsonl"


def _whole_lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceError(f"{path}: the ledger cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class OfRun:
    """What a ledger says about one run."""

    intent: str | None = None
    """The digest of its intent's payload."""
    closed: Mapping[str, Any] | None = None
    """The entry that closes it."""


def entries(path: Path) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    """(payload, predicate) of each whole line, not verified; none when there is no ledger. Raises EvidenceError."""
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            payload = read_envelope(line).payload
            yield payload, predicate_of(payload)
        except EvidenceError as error:
            raise _damaged(path, number, error) from error


def of_run(path: Path, run_id: str) -> OfRun:
    """What a ledger says about a run, not verified. Raises EvidenceError."""
    found = OfRun()
    for payload, said in entries(path):
        if said.get("run_id") == run_id:
            found = replace(found, intent=sha256(payload)) if said.get("kind") == Kind.INTENT else found
            found = replace(found, closed=said) if said.get("kind") in CLOSING else found
    return found


def streams(evidence_root: Path) -> list[str]:
    """The environments that have a ledger."""
    return [unquote(path.stem) for path in sorted((evidence_root / LEDGER_FOLDER).glob("*.jsonl"))]


class Ledger:
    """One stream, to which one signer appends."""

    def __init__(self, evidence_root: Path, stream: str, signer: Signs) -> None:
        self.path, self.stream, self._signer = ledger_path(evidence_root, stream), stream, signer

    def append(self, kind: Kind, about: Mapping[str, Any]) -> Head:
        """Sign one entry and put it on disk; returns the new head. Raises EvidenceError."""
        try:
            with self._locked() as descriptor:
                head = self._repaired(descriptor)
                return self._add(descriptor, head, kind, about)
        except OSError as error:
            raise EvidenceError(f"{self.path}: the ledger cannot be written: {error.strerror}") from error

    def _add(self, descriptor: int, head: Head | None, kind: Kind, about: Mapping[str, Any]) -> Head:
        seq, prev = (head.seq + 1, head.digest) if head is not None else (0, FIRST_PREV)
        payload = ledger_entry(kind, stream=self.stream, seq=seq, prev=prev, time=rfc3339(wall_now()), about=about)
        line = self._signer.sign(payload) + b"\n"
        if os.write(descriptor, line) != len(line):
            raise EvidenceError(f"{self.path}: the ledger could not be written completely: is the disk full?")
        os.fsync(descriptor)
        return Head(self.stream, seq, sha256(payload))

    def _repaired(self, descriptor: int) -> Head | None:
        """The head, after the torn line of a killed process was removed."""
        size = os.fstat(descriptor).st_size
        end, last = _last_line(descriptor, size)
        head = _head_of(self.path, self.stream, last)
        if end == size:
            return head
        torn = os.pread(descriptor, size - end, end)
        os.ftruncate(descriptor, end)
        return self._add(descriptor, head, Kind.REPAIRED, {"removed": sha256(torn)})

    @contextmanager
    def _locked(self) -> Iterator[int]:
        new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._opened()
        try:
            yield descriptor
            if new:
                for folder in (self.path.parent, self.path.parent.parent):
                    sync_folder(folder)
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        """The file, locked. Somebody may put back another copy of it while we wait."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), self.path.stat()):
                        return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def head_of(evidence_root: Path, stream: str) -> Head | None:
    """The head of a stream as it is on disk, not verified; None when there is none. Raises EvidenceError."""
    path = ledger_path(evidence_root, stream)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvidenceError(f"{path}: the ledger cannot be read: {error.strerror}") from error
    try:
        return _head_of(path, stream, _last_line(descriptor, os.fstat(descriptor).st_size)[1])
    finally:
        os.close(descriptor)


def _head_of(path: Path, stream: str, line: bytes | None) -> Head | None:
    if line is None:
        return None
    try:
        payload = read_envelope(line).payload
        return Head(stream, int(predicate_of(payload)["seq"]), sha256(payload))
    except (EvidenceError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, None, error) from error


def _last_line(descriptor: int, size: int) -> tuple[int, bytes | None]:
    """Where the last whole line ends, and its text without the line feed; None when there is no whole line."""
    data, begin = b"", size
    while begin > 0:
        length = min(_BLOCK, begin)
        begin -= length
        data = os.pread(descriptor, length, begin) + data
        end = data.rfind(b"\n")
        if end < 0:
            continue
        before = data.rfind(b"\n", 0, end)
        if before >= 0 or begin == 0:
            return begin + end + 1, data[before + 1 : end]
    return 0, None


def _damaged(path: Path, number: int | None, error: object) -> EvidenceError:
    where = f"{path}:{number}" if number is not None else f"{path}: the last line"
    return EvidenceError(
        f"{where}: the ledger is damaged ({error}), so Drillbook adds nothing to it: 'drillbook verify' says which "
        "part can be trusted; put back a copy of it, or move it away and keep it"
    )
