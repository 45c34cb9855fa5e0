"""The report of one drill as a single HTML page for people: the SRE who ran it and the auditor who was not there.

The rule: a pure function of content/ (the record, its samples, its attempts). No clock, no host, no path of this
machine; the same evidence gives the same bytes. The page needs nothing but itself: no script, no reference to anything
outside, and a policy that forbids both, so that whatever a system under test wrote into an error message stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from drillbook.errors import DrillbookError
from drillbook.evidence.record import (
    SCHEMA,
    CheckRecord,
    EventRecord,
    FaultRecord,
    ObservationRecord,
    PlayRecord,
    ProbeRecord,
    Record,
    StepRecord,
    TimesRecord,
    WorkRecord,
)
from drillbook.evidence.recorder import write_atomically
from drillbook.overhead import Overhead
from drillbook.render import plots
from drillbook.render.plots import PALETTE, PHASES, Row, Sheet, number

_NOTHING = "\N{EN DASH}"

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
_RECAP = ("ok", "changed", "failed", "unreachable", "skipped", "rescued", "ignored")
_GOOD_WORDS = frozenset({"passed", "ok", "changed", "successful", "gone", "absent"})
_BAD_WORDS = frozenset({"failed", "unreachable", "timeout", "canceled", "interrupted", "ignored", "rescued", "denied"})


# ---- the two entrances ------------------------------------------------------------------------------------------


def report(folder: Path) -> Path:
    """Write content/report.html of one drill's evidence folder, whole or not at all, and return its path.

    samples.ndjson and work.ndjson may be missing; a line that cannot be read (the last one of a killed drill) is left
    out, and the report says so. Raises DrillbookError when there is no readable drill.json.
    """
    content = folder / "content"
    source = content / "drill.json"
    try:
        record = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise DrillbookError(
            f"{source}: cannot be read ({error.strerror}): name an evidence folder that holds content/drill.json"
        ) from error
    except ValueError as error:
        raise DrillbookError(
            f"{source}: is not JSON ({error}): the evidence was damaged after it was written"
        ) from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, dict) else type(record).__name__
        raise DrillbookError(f"{source}: schema {found!r} is unknown; this version of Drillbook reads {SCHEMA!r}")
    remarks: list[str] = []
    samples: dict[str, list[Row]] = {}
    for row in _rows(content / "samples.ndjson", remarks):
        samples.setdefault(str(row.get("endpoint")), []).append(row)
    attempts = _rows(content / "work.ndjson", remarks)
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
    whole = _whole(_legible(record))
    samples = {_text(name): _legible(rows) for name, rows in samples.items()}
    attempts = _legible(attempts)
    sheet = Sheet()
    end_s = plots.length_s(whole, samples, attempts)
    pictures = {
        "timeline": plots.timeline(whole, end_s, sheet),
        "availability": plots.availability(whole, samples, end_s, sheet),
        "latency": plots.latency(whole, samples, end_s, sheet),
        "work": plots.work(whole, attempts, end_s, sheet),
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
        bands=plots.bands(whole, end_s),
        legible_phases=PHASES,
        remarks=[_text(remark) for remark in remarks],
        work_rows_missing=bool(whole["work"]) and not attempts,
    )
    return page


def _rows(path: Path, remarks: list[str]) -> list[Row]:
    """The rows of an NDJSON file; none when it is missing."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DrillbookError(f"{path}: cannot be read: {error.strerror}") from error
    rows: list[Row] = []
    unread = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            unread += 1
    if unread:
        remarks.append(
            f"{path.name}: {unread} line(s) cannot be read and are left out of the pictures "
            "(a drill that is killed leaves a torn last line)."
        )
    return rows


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
            kind, symbol, words = "doubt", _NOTHING, "not established"
        shown.append({"name": name, "question": question, "kind": kind, "symbol": symbol, "words": words,
                      "reasons": _listed(axis.get("reasons"))})  # fmt: skip
    return shown


def _times(record: Row) -> list[Mapping[str, str]]:
    times = record["times"]
    clock = "the " + str(times["rto_clock"]).replace("_", " ")
    return [
        {
            "name": name,
            "value": _seconds(times[f"{key}_s"]),
            "doubt": "" if times[f"{key}_s"] is None else f"± {_seconds(times[f'{key}_uncertainty_s'])}",
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
        "rto": _seconds(rto_s),
        "plain": _plain_duration(rto_s),
        "clock": str(times["rto_clock"]).replace("_", " "),
        "margin": None if took_s is None else _seconds(round(rto_s - took_s, 3)),
        "used": None if used is None else f"{used:.1%}".replace("%", " %"),
        "bar": None if used is None else round(min(max(used, 0.0), 1.0) * 100, 2),
        "met": times["rto_met"],
    }


def _whole(record: Row) -> dict[str, Any]:
    """The record with every field that the schema has, so that one which was never written shows as not known."""
    whole: dict[str, Any] = {each.name: record.get(each.name) for each in fields(Record)} | {
        "schema": record.get("schema")
    }
    for name in ("feature", "scenario", "environment", "harness", "git", "objectives", "axes"):
        whole[name] = whole[name] if isinstance(whole[name], Mapping) else {}
    for name, kind in (
        ("timeline", EventRecord),
        ("steps", StepRecord),
        ("checks", CheckRecord),
        ("observations", ObservationRecord),
        ("faults", FaultRecord),
        ("plays", PlayRecord),
        ("probes", ProbeRecord),
    ):
        whole[name] = [_filled(row, kind) for row in _listed(whole[name]) if isinstance(row, Mapping)]
    phases = _listed(record.get("phases"))
    whole["phases"] = [
        {"phase": row.get("phase"), "started_s": row.get("started_s"), "ended_s": row.get("ended_s")}
        for row in phases
        if isinstance(row, Mapping)
    ]
    times = _filled(whole["times"] if isinstance(whole["times"], Mapping) else {}, TimesRecord)
    # written at the drill's end; what the feature promised stands in the objectives from the begin
    if times["rto_s"] is None:
        times |= {name: whole["objectives"].get(name, times[name]) for name in ("rto_s", "rto_clock")}
    whole["times"] = times
    work = _filled(whole["work"], WorkRecord) if isinstance(whole["work"], Mapping) else None
    if work is not None:
        for name in ("lost", "duplicated", "unexpected"):
            work[name] = _listed(work[name])
        work["rates"] = [row for row in _listed(work["rates"]) if isinstance(row, Mapping)]
    whole["work"] = work
    for play in whole["plays"]:
        play["problems"] = _listed(play["problems"])
        play["tasks"] = [task for task in _listed(play["tasks"]) if isinstance(task, Mapping)]
        hosts = play["hosts"] if isinstance(play["hosts"], Mapping) else {}
        play["hosts"] = {host: counts for host, counts in hosts.items() if isinstance(counts, Mapping)}
    overhead = _filled(whole["overhead"], Overhead) if isinstance(whole["overhead"], Mapping) else None
    if overhead is not None:
        overhead["stretches"] = [row for row in _listed(overhead["stretches"]) if isinstance(row, Mapping)]
    whole["overhead"] = overhead
    repeat = whole["repeat"]
    whole["repeat"] = repeat if isinstance(repeat, Mapping) and isinstance(repeat.get("outcome"), str) else None
    for name in ("title", "reason"):
        whole[name] = None if whole[name] is None else str(whole[name])
    whole["notes"] = _listed(whole["notes"])
    whole["findings"] = [row for row in _listed(whole["findings"]) if isinstance(row, Mapping)]
    return whole


def _filled(row: Row, kind: type[Any]) -> dict[str, Any]:
    return {each.name: row.get(each.name) for each in fields(kind)}


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


_ILLEGIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def _text(value: str) -> str:
    """Without what no document may hold, and without marks that turn the direction of the text after them."""
    return _ILLEGIBLE.sub("\N{REPLACEMENT CHARACTER}", value)


def _legible(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        # in the order of drill.json, so that a record and its file give the same page
        return {_text(str(name)): _legible(item) for name, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, (list, tuple)):
        return [_legible(item) for item in value]
    return value


# ---- numbers and words ------------------------------------------------------------------------------------------


def _seconds(value: object) -> str:
    """Seconds to the millisecond, as the record has them."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return f"{value:.3f}\u00a0s"
    return _NOTHING if value is None else str(value)


def _count(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return _NOTHING if value is None else str(value)


def _plain_duration(seconds: float) -> str:
    """`10 min`, `1 h 30 min`; empty below a minute and for what is not whole."""
    if seconds < 60 or seconds != round(seconds):
        return ""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{amount} {unit}" for amount, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if amount)


def _moment(value: object) -> str:
    """An RFC 3339 time as people read it, in UTC; what is none stays as it is."""
    if value is None:
        return _NOTHING
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    if moment.tzinfo is None:
        return str(value)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _tone(status: object) -> str:
    """The class of a status word."""
    word = str(status).lower()
    return "good" if word in _GOOD_WORDS else "failed" if word in _BAD_WORDS else "doubt"


def _sign(tone: str) -> str:
    return {"good": "✓", "failed": "✗"}.get(tone, "·")


def _field_name(value: object) -> str:
    """`rto_s` is `rto in seconds` to people."""
    return re.sub("_s$", " in seconds", str(value)).replace("_", " ")


def _took(row: Row) -> object:
    started, ended = number(row.get("started_s")), number(row.get("ended_s"))
    return None if started is None or ended is None else ended - started


def _kinds_of_results(hosts: Iterable[Row]) -> list[str]:
    """The columns of a recap: Ansible's own order first, then what else there is."""
    found = list(dict.fromkeys(kind for counts in hosts for kind in counts))
    return [kind for kind in _RECAP if kind in found] + [kind for kind in found if kind not in _RECAP]


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
        "seconds": _seconds,
        "count": _count,
        "moment": _moment,
        "tone": _tone,
        "sign": _sign,
        "field_name": _field_name,
        "kinds_of_results": _kinds_of_results,
        "took": _took,
    }
    return environment


def _palette_css() -> str:
    light = "".join(f"--{name}:{colours[0]};" for name, colours in PALETTE.items())
    dark = "".join(f"--{name}:{colours[1]};" for name, colours in PALETTE.items())
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
