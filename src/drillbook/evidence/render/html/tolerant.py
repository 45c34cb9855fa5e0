"""Makes a record that may be damaged fit for the page: the report shows its legible parts.

The rule: whatever drill.json holds, the template finds each field, with a value that it can show. Everything else reads
a record by evidence/reader.py, whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from drillbook.evidence.render.plots.shapes import Row
from drillbook.model.record import (
    CheckRecord,
    DecisionRecord,
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
from drillbook.model.times.overhead import Overhead


def whole_record(record: Row) -> dict[str, Any]:
    """The record with every field of the schema, so that a missing one shows as unknown."""
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
        ("decisions", DecisionRecord),
        ("faults", FaultRecord),
        ("plays", PlayRecord),
        ("probes", ProbeRecord),
    ):
        whole[name] = [_filled(row, kind) for row in listed(whole[name]) if isinstance(row, Mapping)]
    phases = listed(record.get("phases"))
    whole["phases"] = [
        {"phase": row.get("phase"), "started_s": row.get("started_s"), "ended_s": row.get("ended_s")}
        for row in phases
        if isinstance(row, Mapping)
    ]
    times = _filled(whole["times"] if isinstance(whole["times"], Mapping) else {}, TimesRecord)
    # written at the drill's end; the objectives have the feature's promise from the begin
    if times["rto_s"] is None:
        times |= {name: whole["objectives"].get(name, times[name]) for name in ("rto_s", "rto_clock")}
    whole["times"] = times
    work = _filled(whole["work"], WorkRecord) if isinstance(whole["work"], Mapping) else None
    if work is not None:
        for name in ("lost", "duplicated", "unexpected"):
            work[name] = listed(work[name])
        answered = work["answered_otherwise"]
        work["answered_otherwise"] = answered if isinstance(answered, Mapping) else {}
        work["rates"] = [row for row in listed(work["rates"]) if isinstance(row, Mapping)]
    whole["work"] = work
    for play in whole["plays"]:
        play["problems"] = listed(play["problems"])
        play["tasks"] = [task for task in listed(play["tasks"]) if isinstance(task, Mapping)]
        hosts = play["hosts"] if isinstance(play["hosts"], Mapping) else {}
        play["hosts"] = {host: counts for host, counts in hosts.items() if isinstance(counts, Mapping)}
    overhead = _filled(whole["overhead"], Overhead) if isinstance(whole["overhead"], Mapping) else None
    if overhead is not None:
        overhead["stretches"] = [row for row in listed(overhead["stretches"]) if isinstance(row, Mapping)]
    whole["overhead"] = overhead
    repeat = whole["repeat"]
    whole["repeat"] = repeat if isinstance(repeat, Mapping) and isinstance(repeat.get("outcome"), str) else None
    for name in ("title", "reason"):
        whole[name] = None if whole[name] is None else str(whole[name])
    whole["notes"] = listed(whole["notes"])
    whole["findings"] = [row for row in listed(whole["findings"]) if isinstance(row, Mapping)]
    return whole


def _filled(row: Row, kind: type[Any]) -> dict[str, Any]:
    return {each.name: row.get(each.name) for each in fields(kind)}


def listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


_ILLEGIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def as_text(value: str) -> str:
    """The text without characters that no document may hold, and without marks that turn the direction of the text."""
    return _ILLEGIBLE.sub("\N{REPLACEMENT CHARACTER}", value)


def legible(value: Any) -> Any:
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, Mapping):
        # in the order of drill.json, so that a record and its file give the same page
        return {
            as_text(str(name)): legible(item) for name, item in sorted(value.items(), key=lambda pair: str(pair[0]))
        }
    if isinstance(value, (list, tuple)):
        return [legible(item) for item in value]
    return value
