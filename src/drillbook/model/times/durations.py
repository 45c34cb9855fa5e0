"""Durations in the forms that features write and people read."""

from __future__ import annotations

import re
from decimal import Decimal


def duration(seconds: float) -> str:
    """`0.05 s`, `42.1 s`, `10 min`, `2 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds != int(seconds) else f"{int(seconds)} s"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds != int(seconds) else f"{int(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


# ---- durations --------------------------------------------------------------------------------------------

_UNIT_S = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_DURATION_PART = re.compile(rf"({UNSIGNED}) ?([a-z]+)(?:,? and |, | |$|(?=\d))")


def parse_duration(text: str) -> float:
    """Seconds from `10m`, `90s`, `1h30m`, `500 ms`, `30 seconds` or `1 hour and 30 minutes`.

    Raises ValueError with a sentence that says how durations are written.
    """
    rest = text.strip().lower()
    total = Decimal(0)
    position = 0
    while position < len(rest) or not rest:
        part = _DURATION_PART.match(rest, position)
        if part is None or part[2] not in _UNIT_S:
            raise ValueError(
                f"'{text}' is not a duration: write '30 seconds', '10 minutes', '500 ms' or '2 hours' "
                "in a sentence, and '90s', '10m' or '1h30m' in a tag"
            )
        total += decimal(part[1]) * Decimal(str(_UNIT_S[part[2]]))
        position = part.end()
    return float(total)


def decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))
