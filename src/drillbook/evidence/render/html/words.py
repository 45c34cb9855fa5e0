"""Turns values of a record into the words and numbers of the page: the filters of its template."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from drillbook.evidence.render.plots.shapes import Row, number

NOTHING = "\N{EN DASH}"
_RECAP = ("ok", "changed", "failed", "unreachable", "skipped", "rescued", "ignored")
_GOOD_WORDS = frozenset({"passed", "ok", "changed", "successful", "gone", "absent"})
_BAD_WORDS = frozenset({"failed", "unreachable", "timeout", "canceled", "interrupted", "ignored", "rescued", "denied"})


def seconds_text(value: object) -> str:
    """Seconds in three figures: no look is more exact. Below a second to the millisecond, as in the record."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return f"{three_figures(value)}\u00a0s"
    return NOTHING if value is None else str(value)


def three_figures(value: float) -> str:
    """`0.051`, `1.07`, `29.5`, `600`, `14400`: at most three decimals, and no exponent."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    text = f"{value:.{max(0, 3 - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count_text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return NOTHING if value is None else str(value)


def plain_duration(seconds: float) -> str:
    """`10 min`, `1 h 30 min`; empty below a minute and for a time that is not whole."""
    if seconds < 60 or seconds != round(seconds):
        return ""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{amount} {unit}" for amount, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if amount)


def moment_text(value: object) -> str:
    """An RFC 3339 time as people read it, in UTC; any other text stays as it is."""
    if value is None:
        return NOTHING
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    if moment.tzinfo is None:
        return str(value)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def tone_of(status: object) -> str:
    """The class of a status word."""
    word = str(status).lower()
    return "good" if word in _GOOD_WORDS else "failed" if word in _BAD_WORDS else "doubt"


def sign_of(tone: str) -> str:
    return {"good": "✓", "failed": "✗"}.get(tone, "·")


def field_name(value: object) -> str:
    """`rto_s` becomes `rto in seconds` for people."""
    return re.sub("_s$", " in seconds", str(value)).replace("_", " ")


def took_text(row: Row) -> object:
    started, ended = number(row.get("started_s")), number(row.get("ended_s"))
    return None if started is None or ended is None else ended - started


def kinds_of_results(hosts: Iterable[Row]) -> list[str]:
    """The columns of a recap: Ansible's own order first, then all others."""
    found = list(dict.fromkeys(kind for counts in hosts for kind in counts))
    return [kind for kind in _RECAP if kind in found] + [kind for kind in found if kind not in _RECAP]
