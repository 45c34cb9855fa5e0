"""Reads the rows of samples and attempts. It leaves out a line that cannot be read, and says so."""

from __future__ import annotations

import json
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.render.plots.shapes import Row


def readable_rows(path: Path, remarks: list[str]) -> list[Row]:
    """The rows of an NDJSON file; none when it is missing."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DrillbookError(f"{path}: cannot be read: {error.strerror}") from error
    rows: list[Row] = []
    unread = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            unread += 1
    if unread:
        remarks.append(
            f"{path.name}: {unread} line(s) cannot be read and are left out of the pictures "
            "(a drill that is killed leaves a torn last line)."
        )
    return rows
