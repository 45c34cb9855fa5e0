"""What endpoints say, kept small: packed as it came, and read when a check reads it.

The rule: the memory of a drill is bounded. 110 kB of JSON that changes, kept as objects for each of 20 looks a second,
took 537 MB in 50 s, and Python's collector stopped the prober to walk through it. Bytes it does not walk through.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import ClassVar

from drillbook.checks import MISSING, dig
from drillbook.model.times.remembered import Remembered

KEPT_BYTES = 16_000_000
"""Of one endpoint; beyond it the oldest are let go, but for what checks have read of them."""
_PACKED_FROM = 1_000
_LONGEST_TEXT = 1_000
_OVERHEAD = 150


class Body:
    """One answer's body."""

    __slots__ = ("_deflated", "_kept", "form")
    _latest: ClassVar[tuple[Body | None, object]] = (None, None)
    """The one that was read last, and its value: who reads a series finds the same one again and again."""

    def __init__(self, raw: bytes, form: str = "") -> None:
        """`form` is its content type and encoding."""
        self.form = form
        self._deflated = len(raw) >= _PACKED_FROM
        self._kept = zlib.compress(raw, 1) if self._deflated else raw

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self._kept) + _OVERHEAD

    def same_as(self, other: Body) -> bool:
        """Whether both say the same, byte for byte."""
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
        """What is left of it: what stands at these paths, if it is small."""
        value = self.read()
        found = {path: dig(value, path) for path in tuple(paths)}
        return Remembered({path: each for path, each in found.items() if _is_small(each)})


def _is_small(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return value is None or value is MISSING or isinstance(value, (bool, int, float))
