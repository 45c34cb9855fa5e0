"""Keeps the answers of endpoints small: packed as they came, and parsed when a check reads them.

The rule: the memory of a drill is bounded. 110 kB of changing JSON, kept as objects for each of 20 looks a second, took
537 MB in 50 s, and Python's collector stopped the prober to walk through them. It does not walk through bytes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import ClassVar

from drillbook.checks import MISSING, dig
from drillbook.model.times.remembered import Remembered

KEPT_BYTES = 16_000_000
"""The limit for one endpoint. Beyond it the oldest bodies are dropped, but not the parts that checks have read."""
_PACKED_FROM = 1_000
_LONGEST_TEXT = 1_000
_OVERHEAD = 150


class Body:
    """One answer's body."""

    __slots__ = ("_deflated", "_kept", "form")
    _latest: ClassVar[tuple[Body | None, object]] = (None, None)
    """The body that was read last, and its value: a reader of a series meets the same body again and again."""

    def __init__(self, raw: bytes, form: str = "") -> None:
        """`form` is the content type and encoding."""
        self.form = form
        self._deflated = len(raw) >= _PACKED_FROM
        self._kept = zlib.compress(raw, 1) if self._deflated else raw

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self._kept) + _OVERHEAD

    def same_as(self, other: Body) -> bool:
        """Whether both bodies are the same, byte for byte."""
        return self._kept == other._kept and self._deflated is other._deflated and self.form == other.form

    def read(self) -> object:
        """The JSON, or the text."""
        latest, value = Body._latest
        if latest is not self:
            raw = zlib.decompress(self._kept) if self._deflated else self._kept
            try:
                value = json.loads(raw)
            except ValueError:
                value = raw.decode("utf-8", "backslashreplace")
            Body._latest = (self, value)
        return value

    def remembered(self, paths: Iterable[str]) -> Remembered:
        """The parts at these paths, if they are small."""
        value = self.read()
        found = {path: dig(value, path) for path in tuple(paths)}
        return Remembered({path: each for path, each in found.items() if _is_small(each)})


def _is_small(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return value is None or value is MISSING or isinstance(value, (bool, int, float))
