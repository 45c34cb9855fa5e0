"""The report of one drill as a single HTML page for people: the SRE who ran it and the auditor who was not there.

The rule: a pure function of content/ (the record, its samples, its attempts). No clock, no host, no path of this
machine; the same evidence gives the same bytes. The page needs nothing but itself: no script, no reference to anything
outside, and a policy that forbids both, so that whatever a system under test wrote into an error message stays text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from drillbook.evidence.files import write_atomically
from drillbook.evidence.reader import read_document
from drillbook.evidence.render.html.tolerant import as_text, legible, listed, readable_rows, whole_record
from drillbook.evidence.render.html.words import (
    NOTHING,
    count_text,
    field_name,
    kinds_of_results,
    moment_text,
    plain_duration,
    seconds_text,
    sign_of,
    tone_of,
    took_text,
)
from drillbook.evidence.render.plots import availability, latency, shapes, timeline, work
from drillbook.evidence.render.plots.canvas import PALETTE, Sheet
from drillbook.evidence.render.plots.shapes import PHASES, Row, number

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

# ---- the two entrances ------------------------------------------------------------------------------------------


def report(folder: Path) -> Path:
    """Write content/report.html of one drill's evidence folder, whole or not at all, and return its path.

    samples.ndjson and work.ndjson may be missing; a line that cannot be read (the last one of a killed drill) is left
    out, and the report says so. Raises DrillbookError when there is no readable drill.json.
    """
    content = folder / "content"
    record = read_document(content / "drill.json")
    remarks: list[str] = []
    samples: dict[str, list[Row]] = {}
    for row in readable_rows(content / "samples.ndjson", remarks):
        samples.setdefault(str(row.get("endpoint")), []).append(row)
    attempts = readable_rows(content / "work.ndjson", remarks)
    target = content / "report.html"
    write_atomically(target, render(record, samples, attempts, remarks=remarks))
    return target


def render(
    record: Mapping[str, Any],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    attempts: Sequence[Mapping[str, Any]],
    *,
    remarks: Sequence[str] = (),
) -> str:
    """The page. `record` is drill.json, `samples` the rows of samples.ndjson by endpoint, `attempts` work.ndjson's.

    `remarks` are shown among the notes: what whoever read the evidence has to say about it.
    """
    whole = whole_record(legible(record))
    samples = {as_text(name): legible(rows) for name, rows in samples.items()}
    attempts = legible(attempts)
    sheet = Sheet()
    end_s = shapes.length_s(whole, samples, attempts)
    pictures = {
        "timeline": timeline.timeline(whole, end_s, sheet),
        "availability": availability.availability(whole, samples, end_s, sheet),
        "latency": latency.latency(whole, samples, end_s, sheet),
        "work": work.work(whole, attempts, end_s, sheet),
    }
    environment = _environment()
    style = _palette_css() + environment.get_template("report.css").render() + sheet.css()
    page: str = environment.get_template("report.html.j2").render(
        r=whole,
        style=style,
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        verdict=_verdict(whole),
        axes=_axes(whole),
        times=_times(whole),
        rto=_rto(whole),
        pictures=pictures,
        bands=shapes.bands(whole, end_s),
        legible_phases=PHASES,
        remarks=[as_text(remark) for remark in remarks],
        work_rows_missing=bool(whole["work"]) and not attempts,
    )
    return page


# ---- what the template shows ------------------------------------------------------------------------------------


def _verdict(record: Row) -> Mapping[str, str]:
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


def _axes(record: Row) -> list[Mapping[str, Any]]:
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


def _times(record: Row) -> list[Mapping[str, str]]:
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


def _rto(record: Row) -> Mapping[str, Any] | None:
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


# ---- the page ---------------------------------------------------------------------------------------------------


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates"), encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": seconds_text,
        "count": count_text,
        "moment": moment_text,
        "tone": tone_of,
        "sign": sign_of,
        "field_name": field_name,
        "kinds_of_results": kinds_of_results,
        "took": took_text,
    }
    return environment


def _palette_css() -> str:
    light = "".join(f"--{name}:{colours[0]};" for name, colours in PALETTE.items())
    dark = "".join(f"--{name}:{colours[1]};" for name, colours in PALETTE.items())
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
