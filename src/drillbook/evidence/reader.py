"""Reads drill.json back into the types of model/record.py, for everything that needs a record.

The rule: a record is read whole or not at all. A missing field gets its default, since earlier versions did not write
it. An unknown field, or a value that does not fit its type, is an error that names it. Only the report for people shows
the legible parts of a damaged record (render/html/tolerant.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from drillbook.errors import DrillbookError
from drillbook.evidence.redaction import MARKER_START
from drillbook.model.record import SCHEMA, Record

_NO_NUMBERS = ("nan", "inf", "-inf")
"""The texts for numbers that JSON does not have."""


class RecordError(DrillbookError):
    """A record that cannot be read; `why` is the sentence without the file's name."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.why = why


class NoRecordError(RecordError):
    """There is no such file."""


class NewerRecordError(RecordError):
    """It has a field that this version does not know: a later one may have written it."""


def read_record(place: Path) -> Record:
    """The record of an evidence folder, or of a path to drill.json. Raises RecordError."""
    path = place if place.name == "drill.json" else place / "content" / "drill.json"
    return record_of(read_document(path), path)


def record_of(document: Mapping[str, Any], path: Path) -> Record:
    """The record in an object of drill.json; `path` is for the sentence. Raises RecordError."""
    known = {name: value for name, value in document.items() if name != "schema"}
    try:
        record: Record = _reader_of(Record)(known, "")
    except _Unlike as unlike:
        kind = NewerRecordError if isinstance(unlike, _Unknown) else RecordError
        raise kind(
            path, f"{unlike}: it was damaged, or another version of Drillbook wrote it; take the folder away"
        ) from None
    return record


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object of drill.json, if it has the schema that this version reads. Raises RecordError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        kind = NoRecordError if isinstance(error, FileNotFoundError) else RecordError
        why = f"cannot be read ({error.strerror}): name an evidence folder that holds content/drill.json"
        raise kind(path, why) from error
    except ValueError as error:
        raise RecordError(path, f"is not JSON ({error}): the evidence was damaged after it was written") from error
    schema = document.get("schema") if isinstance(document, dict) else type(document).__name__
    if not isinstance(document, dict) or schema != SCHEMA:
        raise RecordError(path, f"schema {schema!r} is unknown; this version of Drillbook reads {SCHEMA!r}")
    return document


# ---- from JSON to a type ----------------------------------------------------------------------------------------

Reader = Callable[[Any, str], Any]
"""(a JSON value, its place) -> a value of the type. Raises _Unlike."""


class _Unlike(Exception):
    """A value does not fit its type."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where.removeprefix('.') or 'the record'} {problem}")


class _Unknown(_Unlike):
    """A field is unknown."""


def _expect(value: object, kind: type | tuple[type, ...], where: str, what: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Unlike(where, f"is {repr(value)[:60]}, and not {what}")


@cache
def _reader_of(kind: Any) -> Reader:
    """The reader of a type that a record holds; made once for each type."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value, _where: value
    if origin is UnionType:
        (one,) = (each for each in args if each is not NoneType)
        return _optional(_reader_of(one))
    if origin in (list, tuple):
        return _rows(origin, _reader_of(args[0]))
    if origin in (dict, Mapping):
        return _mapping(_reader_of(args[1]))
    if is_dataclass(kind):
        return _whole(kind)
    if issubclass(kind, Enum):
        return _member(kind)
    return _PLAIN[kind]


def _optional(read: Reader) -> Reader:
    return lambda value, where: None if value is None else read(value, where)


def _rows(kind: type, read: Reader) -> Reader:
    def rows(value: Any, where: str) -> Any:
        _expect(value, list, where, "a list")
        return kind(read(each, f"{where}[{place}]") for place, each in enumerate(value))

    return rows


def _mapping(read: Reader) -> Reader:
    def mapping(value: Any, where: str) -> dict[str, Any]:
        _expect(value, dict, where, "an object")
        return {name: read(each, f"{where}.{name}") for name, each in value.items()}

    return mapping


def _whole(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    readers = {each.name: _reader_of(hints[each.name]) for each in fields(kind)}
    needed = [each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING]

    def whole(value: Any, where: str) -> Any:
        _expect(value, dict, where, "an object")
        for name in needed:
            if name not in value:
                raise _Unlike(where, f"has no {name!r}")
        for name in value:
            if name not in readers:
                raise _Unknown(where, f"has a field {name!r} that is not known")
        return kind(**{name: readers[name](each, f"{where}.{name}") for name, each in value.items()})

    return whole


def _member(kind: type[Enum]) -> Reader:
    def member(value: Any, where: str) -> Enum:
        try:
            return kind(value)
        except ValueError:
            words = ", ".join(str(each.value) for each in kind)
            raise _Unlike(where, f"is {repr(value)[:60]}, and none of {words}") from None

    return member


def _text(value: Any, where: str) -> str:
    _expect(value, str, where, "a text")
    return str(value)


def _truth(value: Any, where: str) -> bool:
    _expect(value, bool, where, "true or false")
    return bool(value)


def _number(kind: type) -> Reader:
    def number(value: Any, where: str) -> Any:
        if isinstance(value, str) and value.startswith(MARKER_START):
            return value  # a number that held a secret stays as the redaction left it
        if kind is float and value in _NO_NUMBERS:
            return float(value)
        _expect(value, (int, float) if kind is float else int, where, "a number")
        return value

    return number


_PLAIN: Mapping[type, Reader] = {str: _text, bool: _truth, int: _number(int), float: _number(float)}
