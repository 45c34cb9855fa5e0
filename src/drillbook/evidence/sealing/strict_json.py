"""JSON that has only one reading: the one text of a value, and a parser that refuses ambiguous text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from drillbook.errors import EvidenceError


class JsonError(EvidenceError):
    """The bytes are no JSON object with a single meaning."""


def stable_json(value: object) -> bytes:
    """The bytes that are hashed and signed: keys sorted, no spaces, UTF-8. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises JsonError for anything else, for a repeated key, NaN, a BOM and bad UTF-8."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise JsonError(f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise JsonError("no JSON object")
    return value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
