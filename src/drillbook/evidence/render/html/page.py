"""Makes the report of one drill: a single HTML page for the SRE who ran it and the auditor who was not there.

The rule: a pure function of content/ (the record, its samples, its attempts). It has no clock, no host, no path of this
machine: the same evidence gives the same bytes. The page needs nothing but itself. It has no script and no reference to
anything outside, and a policy that forbids both, so that an error message of a system under test stays text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from drillbook.evidence.files import write_atomically
from drillbook.evidence.reader import read_document
from drillbook.evidence.render.html import by_hand, headline
from drillbook.evidence.render.html.rows import readable_rows
from drillbook.evidence.render.html.tolerant import as_text, legible, whole_record
from drillbook.evidence.render.html.words import (
    count_text,
    field_name,
    kinds_of_results,
    moment_text,
    seconds_text,
    sign_of,
    tone_of,
    took_text,
)
from drillbook.evidence.render.plots import availability, latency, shapes, timeline, work
from drillbook.evidence.render.plots.canvas import PALETTE, Sheet
from drillbook.evidence.render.plots.shapes import PHASES, Row

_UNDRAWN = {
    "timeline": "no phase that began",
    "availability": "no samples",
    "latency": "no time of an answer",
    "work": "no attempts",
}


def report(folder: Path, target: Path | None = None) -> Path:
    """Write content/report.html of one drill's evidence folder (or `target`), whole or not at all; returns its path.

    samples.ndjson and work.ndjson may be missing. A line that cannot be read (the last one of a killed drill) is left
    out, and the report says so. Raises DrillbookError when there is no readable drill.json.
    """
    content = folder / "content"
    record = read_document(content / "drill.json")
    remarks: list[str] = []
    samples: dict[str, list[Row]] = {}
    for row in readable_rows(content / "samples.ndjson", remarks):
        samples.setdefault(str(row.get("endpoint")), []).append(row)
    attempts = readable_rows(content / "work.ndjson", remarks)
    target = target or content / "report.html"
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

    `remarks` are shown among the notes: what the reader of the evidence has to say about it.
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
        verdict=headline.verdict(whole),
        axes=headline.axes(whole),
        times=headline.times(whole),
        rto=headline.rto(whole),
        reason=headline.short(whole["reason"] or ""),
        is_cut=len(whole["reason"] or "") > len(headline.short(whole["reason"] or "")),
        accepted_loss=headline.accepted_loss(whole),
        windows=headline.windows(whole),
        checkout=headline.checkout(whole),
        signature=headline.signature(whole),
        by_hand=by_hand.lines(record),
        parts=headline.parts(whole),
        lacking=[*headline.lacking(whole), *(_UNDRAWN[each] for each, drawn in pictures.items() if drawn is None)],
        pictures=pictures,
        bands=shapes.bands(whole, end_s),
        legible_phases=PHASES,
        remarks=[as_text(remark) for remark in (*remarks, *_missing(whole, samples, attempts))],
    )
    return page


def _missing(record: Row, samples: Mapping[str, Sequence[Row]], attempts: Sequence[Row]) -> list[str]:
    """Missing files that, according to the record, had content."""
    remarks = []
    if not samples and any(probe["samples"] for probe in record["probes"]):
        remarks.append("samples.ndjson is missing or empty, although endpoints were probed.")
    if not attempts and record["work"]:
        remarks.append("work.ndjson is missing or empty, although work was submitted.")
    return remarks


@cache
def _environment() -> Environment:
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
