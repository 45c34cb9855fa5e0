"""Computes what the pictures draw, from the record, its samples and its attempts, thinned to what a picture can show.

The rule: thinning never hides a failure. When there are more samples than columns, a column with a failed look is drawn
as failed, and a latency keeps its least and its greatest value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from drillbook.model.times.gaps import LONGEST_WAIT_S

Row = Mapping[str, Any]
PHASES = ("baseline", "fault", "symptoms", "recovery", "criteria", "repeat", "restore")
ANSWERS = ("acknowledged", "refused", "unknown")
COLUMNS = 360
"""The number of columns that a picture has for samples: nobody sees more, not even on paper."""
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_LONGEST_S = 1e9


@dataclass(frozen=True, slots=True)
class Band:
    """A phase, from and to in drill seconds."""

    phase: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which every look at an endpoint had the same result."""

    begin_s: float
    end_s: float
    ok: bool


@dataclass(frozen=True, slots=True)
class Column:
    """The latencies of the looks in one column: the least and the greatest, at the moment of the latter."""

    at_s: float
    low_ms: float
    high_ms: float


def number(value: object) -> float | None:
    """A finite number that can be drawn, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LONGEST_S else None  # NaN and infinity compare false


def length_s(record: Row, samples: Mapping[str, Sequence[Row]], attempts: Sequence[Row]) -> float:
    """The length of the drill, as far as it is known: a killed drill has no duration, but it has moments."""
    ends = [number(record["duration_s"])]
    ends += [number(row[key]) for row in record["phases"] for key in ("started_s", "ended_s")]
    ends += [number(event["at_s"]) for event in record["timeline"]]
    ends += [number(play["ended_s"]) for play in record["plays"]]
    ends += [number(rows[-1].get("done_s")) for rows in samples.values() if rows]
    ends += [number(row.get("answered_s")) for row in attempts]
    return max((end for end in ends if end is not None), default=0.0)


def rto_limit_s(record: Row) -> float | None:
    """The drill second at which the RTO is over: its clock's event plus the RTO."""
    times = record["times"]
    rto_s = number(times["rto_s"])
    clock = [number(event["at_s"]) for event in record["timeline"] if event["event"] == times["rto_clock"]]
    start = next((at_s for at_s in clock if at_s is not None), None)
    return start + rto_s if start is not None and rto_s is not None else None


def bands(record: Row, end_s: float) -> list[Band]:
    """The phases. One without an end goes on to the next one, or to the end of what is known."""
    known = [row for row in record["phases"] if number(row["started_s"]) is not None]
    found = []
    for row, after in zip_longest(known, known[1:]):
        last = number(row["ended_s"])
        if last is None:
            last = number(after["started_s"]) if after else end_s
        found.append(Band(str(row["phase"]), row["started_s"], max(last or 0.0, row["started_s"])))
    return found


def in_order(record: Row, samples: Mapping[str, Sequence[Row]], wanted: Callable[[str], bool]) -> list[str]:
    """The endpoints in the order of the inventory, as the record's probes have it; samples come in any order."""
    names = dict.fromkeys([*(str(probe["endpoint"]) for probe in record["probes"]), *sorted(samples)])
    return [name for name in names if name in samples and wanted(name)]


def stretches(
    rows: Sequence[Row], interval_s: float | None = None, columns: int = COLUMNS, timeout_s: float | None = None
) -> list[Stretch]:
    """Merge looks with the same result. A time of more than three intervals (and a second) without a look is a gap.

    A gap is also the time in which a look waited for an answer that came too late to show it (`timeout_s`: the
    endpoint's). With more changes than columns, all of a column with a failed look is failed.
    """
    patience_s = max(1.0, 3 * (interval_s or 0.0))
    wait_s = max(patience_s, min(timeout_s or 0.0, LONGEST_WAIT_S) + (interval_s or 0.0))
    looks = [
        (
            sent if row.get("error") is not None or done - sent <= wait_s else done,
            max(done, sent),
            row.get("ok") is True,
        )
        for row in rows
        for sent, done in ((number(row.get("sent_s")), number(row.get("done_s"))),)
        if sent is not None and done is not None
    ]
    found: list[Stretch] = []
    for (sent, done, ok), after in zip_longest(looks, looks[1:]):
        until = after[0] if after is not None and after[0] - done <= patience_s else done
        last = found[-1] if found else None
        if last is not None and last.ok == ok and last.end_s >= sent:
            found[-1] = Stretch(last.begin_s, max(until, last.end_s), ok)
        else:
            found.append(Stretch(sent, max(until, sent), ok))
    return found if len(found) <= columns else _coarser(found, columns)


def _coarser(found: Sequence[Stretch], columns: int) -> list[Stretch]:
    begin_s = found[0].begin_s
    width_s = max((found[-1].end_s - begin_s) / columns, 1e-9)
    state: dict[int, bool] = {}
    for one in found:
        first, last = int((one.begin_s - begin_s) / width_s), math.ceil((one.end_s - begin_s) / width_s)
        for column in range(first, max(last, first + 1)):
            state[column] = state.get(column, True) and one.ok
    merged: list[Stretch] = []
    for column, ok in sorted(state.items()):
        left = begin_s + column * width_s
        if merged and merged[-1].ok == ok and abs(merged[-1].end_s - left) < width_s / 2:
            merged[-1] = Stretch(merged[-1].begin_s, left + width_s, ok)
        else:
            merged.append(Stretch(left, left + width_s, ok))
    return merged


def latencies(rows: Sequence[Row]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(moment, latency in milliseconds) of the good answers, and the same for the failed ones."""
    good: list[tuple[float, float]] = []
    failed: list[tuple[float, float]] = []
    for row in rows:
        sent, took = number(row.get("sent_s")), number(row.get("latency_ms"))
        if sent is not None and took is not None:
            (good if row.get("ok") is True else failed).append((sent, max(took, 0.0)))
    return good, failed


def thinned(
    points: Sequence[tuple[float, float]], begin_s: float, end_s: float, columns: int = COLUMNS
) -> list[Column]:
    """The least and the greatest value of each column."""
    width_s = max((end_s - begin_s) / columns, 1e-9)
    held: dict[int, Column] = {}
    for at_s, value in points:
        place = int((at_s - begin_s) / width_s)
        old = held.get(place)
        if old is None:
            held[place] = Column(at_s, value, value)
        elif value > old.high_ms:
            held[place] = Column(at_s, old.low_ms, value)
        elif value < old.low_ms:
            held[place] = Column(old.at_s, value, old.high_ms)
    return [held[place] for place in sorted(held)]


def per_second(attempts: Sequence[Row], end_s: float) -> tuple[float, dict[str, list[float]]]:
    """(width of a bin in seconds, per kind of answer the attempts sent per second in each bin)."""
    width_s = next((step for step in STEPS_S if step >= 1 and end_s / step <= COLUMNS), max(end_s / COLUMNS, 1.0))
    bins = max(1, math.ceil(end_s / width_s))
    counts = {answer: [0] * bins for answer in ANSWERS}
    for attempt in attempts:
        sent = number(attempt.get("sent_s"))
        if sent is None:
            continue
        answer = attempt.get("answered")
        row = counts[answer if answer in ANSWERS else "unknown"]
        row[min(max(int(sent / width_s), 0), bins - 1)] += 1
    return width_s, {answer: [count / width_s for count in row] for answer, row in counts.items()}


def asked_rates(balance: Row | None, end_s: float) -> list[tuple[float, float]]:
    """The requested rates as the corners of steps: (moment, attempts per second)."""
    rows = balance["rates"] if balance else []
    found = [
        (since, rate)
        for row in rows
        for since, rate in ((number(row.get("since_s")), number(row.get("per_second"))),)
        if since is not None and rate is not None
    ]
    return [(found[0][0], 0.0), *found, (end_s, found[-1][1])] if found else []
