"""The text of a record, written again and again, at the cost of the changes alone.

The rule: the text is that of the whole record, redacted and written at once, byte for byte. The drill writes a record
twice for each step. Unchanged rows are not redacted and written again: that was nine tenths of a step's cost in a drill
of a hundred.
"""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from drillbook.evidence.absent import why_absent
from drillbook.evidence.files import dumps, json_text
from drillbook.evidence.redaction import Redactor
from drillbook.model.record import SCHEMA, ArtefactRecord, CheckRecord, EventRecord, Record, StepRecord, to_plain

_FLAT = (StepRecord, CheckRecord, EventRecord, ArtefactRecord)
"""Rows that hold only texts and numbers: such a row is unchanged when its values are."""
_NAMES = {kind: tuple(each.name for each in fields(kind)) for kind in _FLAT}


class Writing:
    """Keeps the texts of a record's rows and fields from one writing to the next."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._generation = -1
        self._rows: dict[int, tuple[tuple[object, ...], str]] = {}
        self._plain: dict[tuple[str, int], tuple[bytes | None, str]] = {}

    def text(self, record: Record) -> str:
        """`dumps(redactor.data(record.as_json()))`."""
        record.absent = why_absent(record)
        generation = self._redactor.generation
        if generation != self._generation:
            self._generation, self._rows, self._plain = generation, {}, {}
        parts: dict[str, Any] = {"schema": SCHEMA, **{each.name: getattr(record, each.name) for each in fields(Record)}}
        if any(self._redactor.text(name) != name for name in parts):
            return dumps(self._redactor.data(record.as_json()))  # a secret that equals a name of the schema
        lines = [f'  "{name}": {self._part(name, parts[name])}' for name in sorted(parts)]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def _part(self, name: str, value: object) -> str:
        if isinstance(value, list) and value:
            if all(type(row) in _FLAT for row in value):
                rows = [self._row(row) for row in value]
            else:
                rows = [self._kept((name, number), row, "\n    ") for number, row in enumerate(value)]
            return "[\n    " + ",\n    ".join(rows) + "\n  ]"
        return self._kept((name, -1), value, "\n  ")

    def _kept(self, place: tuple[str, int], value: object, line: str) -> str:
        plain = to_plain(value)
        try:
            now = marshal.dumps(plain, 2)  # tells 1, 1.0 and True apart, and does not change with the value
        except ValueError:  # a step may observe what only JSON's encoder knows
            now = None
        known = self._plain.get(place)
        if known is None or now is None or known[0] != now:
            # a line feed in a text is written as \\n
            known = self._plain[place] = now, json_text(self._redactor.data(plain)).replace("\n", line)
        return known[1]

    def _row(self, row: StepRecord | CheckRecord | EventRecord | ArtefactRecord) -> str:
        values = tuple(getattr(row, name) for name in _NAMES[type(row)])
        known = self._rows.get(id(row))
        if known is None or known[0] != values:
            text = json_text(self._redactor.data(to_plain(row)))
            known = self._rows[id(row)] = values, text.replace("\n", "\n    ")
        return known[1]


__all__: Sequence[str] = ("Writing", "dumps")
