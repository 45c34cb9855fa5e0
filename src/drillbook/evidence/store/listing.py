"""A list of evidence as text and as JSON. Pure functions of entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drillbook.evidence.store.catalogue import Entry, Kind
from drillbook.model.printable import printable

Told = Callable[[Path], str]
"""A folder, named for a reader with a working directory."""
_SHORT_ID = 6
UNREADABLE, NO_VERDICT = "unreadable", "no verdict"


def lines(entries: Sequence[Entry]) -> list[str]:
    """One line for each: when, outcome, id, rows, environment, title; for anything but a drill, also its kind."""
    table = [
        (
            each.started_at[:19].replace("T", " "),
            UNREADABLE if each.problem is not None else each.outcome or NO_VERDICT,
            each.id[:_SHORT_ID],
            ", ".join(each.rows) or "-",
            each.environment or "-",
            _title(each),
        )
        for each in entries
    ]
    widths = [max(len(line[column]) for line in table) for column in range(5)] if table else []
    return [
        printable("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[5]]))
        for line in table
    ]


def _title(entry: Entry) -> str:
    if entry.problem is not None:
        return f"{entry.folder.name}: {entry.problem}"
    what = f"control {entry.control}" if entry.kind is Kind.CONTROL else entry.kind
    return entry.title if entry.kind is Kind.DRILL else f"{entry.title} ({what})"


def as_json(entry: Entry, told: Told) -> Mapping[str, Any]:
    """All that is known about an entry."""
    return {
        "id": entry.id,
        "folder": told(entry.folder),
        "kind": entry.kind,
        "started_at": entry.started_at,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "title": entry.title,
        "feature": entry.feature or None,
        "scenario": entry.scenario or None,
        "environment": entry.environment or None,
        "environment_kind": entry.environment_kind or None,
        "control": entry.control,
        "rows": list(entry.rows),
        "tags": list(entry.tags),
        "runbooks": list(entry.runbooks),
        "recover_s": entry.recover_s,
        "problem": entry.problem,
    }
