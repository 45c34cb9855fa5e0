"""Files of evidence: their names, their text, and how they are written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path

from drillbook.errors import EvidenceError

_NAMED = re.compile(r"(\d{8}T\d{6}Z)-(.*)-([0-9a-f]{6})")


def folder_name(started: datetime, title: str, run_id: str) -> str:
    """`<UTC>-<title>-<six digits of the run id>`, in characters that every file system takes."""
    return f"{started:%Y%m%dT%H%M%SZ}-{short_file_part(title)}-{run_id[:6]}"


def name_parts(name: str) -> tuple[str, str, str] | None:
    """(UTC, title, run id) of a name that `folder_name` has made, as they stand in it; None for any other name."""
    found = _NAMED.fullmatch(name)
    return None if found is None else (found[1], found[2], found[3])


def short_file_part(title: str) -> str:
    """The title in at most 48 small letters, digits and hyphens. Two titles may give the same part."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:48].rstrip("-") or "drill"


def write_atomically(path: Path, text: str, *, synced: bool = True) -> None:
    """Write a new file beside the old one, sync it, and rename it over the old one. Raises EvidenceError.

    Even without `synced` a reader always sees a whole file, but a machine that loses its power may keep a torn one.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        # half a surrogate pair (JSON allows it in an answer) is no UTF-8; as an escape it is JSON again
        with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as handle:
            handle.write(text)
            handle.flush()
            if synced:
                os.fsync(handle.fileno())
        beside.replace(path)
    except OSError as error:
        raise EvidenceError(f"{path}: evidence cannot be written: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk: a new file's name is not there when only the file is. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def dumps(value: object) -> str:
    """JSON as evidence keeps it: sorted keys, two spaces, a line feed at the end."""
    return json_text(value) + "\n"


def json_text(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
