"""Computes what stands at the top of the page: the verdict, the three axes, the times and the RTO.

The rule: a verdict is told as the record has it; what the record does not say is not known, and never good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.evidence.render.html.tolerant import listed
from drillbook.evidence.render.html.words import NOTHING, plain_duration, seconds_text
from drillbook.evidence.render.plots.shapes import Row, number

AXES = (
    ("valid", "Valid", "The baseline held, every fault took effect, every symptom was observed."),
    ("recovered", "Recovered", "Every criterion held, within the RTO and to the end of the hold window."),
    ("restored", "Restored", "Every undo ran, each fault is proven gone, and the baseline holds again."),
)
_OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    # outcome: (class, symbol, what it means)
    "PASSED": ("good", "✓", "The drill was valid, the system recovered, and it was put back."),
    "NOT_RECOVERED": ("failed", "✗", "The drill was valid, but a success criterion failed or was met too late."),
    "INVALID": ("doubt", "?", "Nothing was proven either way: neither that the runbook works nor that it does not."),
    "NOT_RESTORED": (
        "failed",
        "!",
        "The system was not put back as it was. Look at the faults below before anything else.",
    ),
    "ABORTED": ("doubt", "■", "The drill was stopped before its end: nothing was proven either way."),
    "HELD": ("good", "✓", "The control ended as it must: what it takes away is missed."),
    "BETRAYED": ("failed", "✗", "What the control takes away makes no difference: the drill proves less than it says."),
}
_UNFINISHED = (
    "doubt",
    "…",
    (
        "There is no verdict: the drill was still under way, or was killed, when this record was last written. "
        "What stands below is what was known then."
    ),
)
_TIMES = (
    ("detect", "Time to detect", "from the fault to the first symptom"),
    ("alert", "Time to alert", "from the fault to the alert's arrival"),
    ("act", "Time to act", "from the first symptom to the recovery's start"),
    ("recover", "Time to recover", "from {clock} to the begin of the hold window"),
)


def verdict(record: Row) -> Mapping[str, str]:
    outcome = record["outcome"]
    kind, symbol, meaning = (
        _UNFINISHED if outcome is None else _OUTCOMES.get(str(outcome), ("doubt", "?", "Unknown outcome."))
    )
    return {
        "kind": kind,
        "symbol": symbol,
        "meaning": meaning,
        "outcome": "UNFINISHED" if outcome is None else str(outcome),
        "words": "Unfinished" if outcome is None else str(outcome).replace("_", " ").capitalize(),
    }


def axes(record: Row) -> list[Mapping[str, Any]]:
    shown: list[Mapping[str, Any]] = []
    for key, name, question in AXES:
        axis = record["axes"].get(key)
        axis = axis if isinstance(axis, Mapping) else {}
        holds = axis.get("holds")
        if holds is True:
            kind, symbol, words = "good", "✓", "holds"
        elif holds is False:
            kind, symbol, words = "failed", "✗", "does not hold"
        else:
            kind, symbol, words = "doubt", NOTHING, "not established"
        shown.append({"name": name, "question": question, "kind": kind, "symbol": symbol, "words": words,
                      "reasons": listed(axis.get("reasons"))})  # fmt: skip
    return shown


def times(record: Row) -> list[Mapping[str, str]]:
    times = record["times"]
    clock = "the " + str(times["rto_clock"]).replace("_", " ")
    return [
        {
            "name": name,
            "value": seconds_text(times[f"{key}_s"]),
            "doubt": "" if times[f"{key}_s"] is None else f"± {seconds_text(times[f'{key}_uncertainty_s'])}",
            "what": what.format(clock=clock),
        }
        for key, name, what in _TIMES
    ]


def rto(record: Row) -> Mapping[str, Any] | None:
    """The RTO and what was left of it; None where the feature states none."""
    times = record["times"]
    rto_s, took_s = number(times["rto_s"]), number(times["recover_s"])
    if rto_s is None:
        return None
    used = took_s / rto_s if took_s is not None and rto_s > 0 else None
    return {
        "rto": seconds_text(rto_s),
        "plain": plain_duration(rto_s),
        "clock": str(times["rto_clock"]).replace("_", " "),
        "margin": None if took_s is None else seconds_text(round(rto_s - took_s, 3)),
        "used": None if used is None else f"{used:.1%}".replace("%", " %"),
        "bar": None if used is None else round(min(max(used, 0.0), 1.0) * 100, 2),
        "met": times["rto_met"],
    }
