"""The JSON Schema of drill.json, made from the types in model/record.py.

`python -m tests.support.schema` writes it to its place. A test says when that is due.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from drillbook.evidence.files import dumps
from drillbook.evidence.redaction import MARKER_START
from drillbook.model.record import SCHEMA, Record
from tests.support import ROOT

PLACE = ROOT / "src/drillbook/evidence/schema/drill.schema.json"
_REDACTED = {"type": "string", "pattern": f"^{MARKER_START.replace('[', chr(92) + '[')}"}
_PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"anyOf": [{"type": "integer"}, _REDACTED]},
    float: {"anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}, _REDACTED]},
}
_TIME = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"}
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BY_NAME = {"started_at": _TIME, "ended_at": _TIME, "at": _TIME, "sha256": _DIGEST, "clause_sha256": _DIGEST}
"""What the name of a field says besides its type."""


def schema() -> dict[str, Any]:
    """The schema of the present record. Fields that earlier versions did not write are not required."""
    defs: dict[str, Any] = {}
    whole = _whole(Record, defs)
    whole["properties"] = {"schema": {"const": SCHEMA}, **whole["properties"]}
    whole["required"] = ["schema", *whole["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://drillbook.dev/schema/{SCHEMA.removeprefix('drillbook/')}.json",
        "title": "The record of a recovery drill",
        **whole,
        "$defs": dict(sorted(defs.items())),
    }


def _whole(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {
        "description": " ".join((inspect.getdoc(kind) or "").split()),
        "type": "object",
        "properties": {each.name: _field(each.name, hints[each.name], defs) for each in fields(kind)},
        "required": [each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING],
        "additionalProperties": False,
    }


def _field(name: str, kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    named = _BY_NAME.get(name)
    if named is None:
        return _of(kind, defs)
    return _optional(named) if get_origin(kind) is UnionType else named


def _of(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if origin is UnionType:
        (one,) = (each for each in args if each is not NoneType)
        return _optional(_of(one, defs))
    if origin in (list, tuple):
        return {"type": "array", "items": _of(args[0], defs)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _of(args[1], defs)}
    if is_dataclass(kind):
        name = getattr(kind, "__name__", "")
        if name not in defs:
            defs[name] = {}
            defs[name] = _whole(kind, defs)
        return {"$ref": f"#/$defs/{name}"}
    if issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    return _PLAIN[kind]


def _optional(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "null"}]}


if __name__ == "__main__":
    Path(PLACE).write_text(dumps(schema()), encoding="utf-8")
