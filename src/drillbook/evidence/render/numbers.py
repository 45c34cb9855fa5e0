"""The numbers of a drill in the form for other tools: flat, with units in their names.

A pure function of its record.
"""

from __future__ import annotations

from collections.abc import Mapping

from drillbook.model.record import Record

TIMES = ("detect", "alert", "act", "recover")
Numbers = Mapping[str, float | int | bool | None]


def numbers_of(record: Record) -> Numbers:
    """The measured numbers; None for one that was not measured. `*_bounded`: the time is an upper bound."""
    times, work = record.times, record.work
    return {
        "duration_s": _ms(record.duration_s),
        **{f"{name}_s": _ms(times.of(name)[0]) for name in TIMES},
        **{f"{name}_bounded": True for name in TIMES if name in times.bounds},
        "rto_s": _ms(times.rto_s),
        "rto_met": times.rto_met,
        "acknowledged": None if work is None else work.acknowledged,
        "refused": None if work is None else work.refused,
        "unknown": None if work is None else work.unknown,
        "lost": None if work is None else work.lost_count,
        "accepted_lost": None if work is None else work.accepted_lost,
        "duplicated": None if work is None else work.duplicated_count,
        "unexpected": None if work is None else work.unexpected_count,
    }


def _ms(seconds: float | None) -> float | None:
    """To the millisecond, as in drill.json."""
    return None if seconds is None else round(seconds, 3)
