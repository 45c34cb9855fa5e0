"""The files beside content/: SHA256SUMS over each of its files, and the statements about them.

The rule: every bundle gets SHA256SUMS, signed or not, as its last file: with it the folder counts as complete. Anything
but a regular file refuses the seal.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from drillbook.errors import EvidenceError
from drillbook.evidence.files import sync_folder, write_atomically
from drillbook.evidence.sealing.lines import read_envelope
from drillbook.evidence.sealing.statements import ATTESTATIONS, CONTENT, SUMS, TIMESTAMP, sums_text

__interrupt_after__ = "call"  # safety/signals never interrupts a call of this module: it would leave half of a file


_STAMPED_WITHIN_S = 30.0


def content_files(folder: Path) -> Iterator[Path]:
    """Each file below content/.

    Raises EvidenceError for anything but a regular file, and for a name with a line feed.
    """
    content = folder / CONTENT
    for parent, folders, files in os.walk(content):
        for name in (*folders, *files):
            path = Path(parent, name)
            odd = path.is_symlink() or not (path.is_dir() if name in folders else path.is_file())
            if odd or "\n" in name or "\\" in name:
                what = path.relative_to(folder).as_posix()
                raise EvidenceError(
                    f"{folder.name}: {what!r} cannot be sealed: only files and folders with plain names can"
                )
        yield from (Path(parent, name) for name in files)


def sums_of(folder: Path) -> str:
    """The text of SHA256SUMS for a bundle, whose files are on disk then. Raises EvidenceError."""
    content = folder / CONTENT
    try:
        return sums_text((path.relative_to(content).as_posix(), _digest(path)) for path in content_files(folder))
    except OSError as error:
        raise EvidenceError(f"{folder}: the evidence cannot be read: {error.strerror}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())  # samples are written without it
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, text: str) -> None:
    """Put SHA256SUMS on disk, after the names of all that it lists, and then its own. Raises EvidenceError."""
    try:
        for parent, _, _ in os.walk(folder, topdown=False):
            sync_folder(Path(parent))
        write_atomically(folder / SUMS, text)
        for place in (folder, folder.parent):
            sync_folder(place)
    except OSError as error:
        raise EvidenceError(f"{folder}: the evidence cannot be put on disk: {error.strerror}") from error


def write_stamp(folder: Path, url: str, line: bytes) -> str | None:
    """Get a stamp for the signature of an envelope's line, and keep the answer; returns why that failed.

    A process of its own asks for it: that takes two thirds of a second, which only a user of stamps should spend.
    """
    (folder / TIMESTAMP).unlink(missing_ok=True)
    signature = read_envelope(line).signatures[0].signature
    command = [sys.executable, "-P", "-m", f"{__package__}.timestamp", url]
    try:
        asked = subprocess.run(command, input=signature, capture_output=True, timeout=_STAMPED_WITHIN_S, check=False)
        if asked.returncode == 0:
            with (folder / TIMESTAMP).open("wb") as file:
                file.write(asked.stdout)
                file.flush()
                os.fsync(file.fileno())
            return None
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no time stamp of {url}: {error}"
    said = asked.stderr.decode(errors="replace").strip().splitlines() or [f"status {asked.returncode}"]
    needs = ": install 'drillbook[timestamp]'" if "No module named" in said[-1] else ""
    return f"no time stamp of {url}: {said[-1]}{needs}"


def take_away(folder: Path) -> None:
    """Remove them again: the files beside them have changed, and are not sealed."""
    for name in (SUMS, ATTESTATIONS, TIMESTAMP):
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def write_attestations(folder: Path, lines: Sequence[bytes]) -> None:
    """Put the envelopes on disk, one a line. Raises EvidenceError."""
    write_atomically(folder / ATTESTATIONS, "".join(f"{line.decode()}\n" for line in lines))
