"""What the drills measured, and what the source runbooks get wrong: docs/findings.md is generated, not typed.

The rule: a pure function of the records. The table is that of the newest `drillbook drills`. A finding is the newest
drill of a scenario tagged `@as-written` that ended with a verdict on the command (PASSED or NOT_RECOVERED). A scenario
without such a drill is listed as not shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook.checks import HEALTHY
from drillbook.errors import DrillbookError
from drillbook.evidence.reader import read_record
from drillbook.evidence.render.drill_table import SCHEMA as TABLE_SCHEMA
from drillbook.evidence.render.drill_table import Venue
from drillbook.model.json_values import observed_value
from drillbook.model.phases import Phase
from drillbook.model.record import Record
from drillbook.model.tags import tag_values
from drillbook.model.verdict import Outcome

AS_WRITTEN, FINDING = "as-written", "finding"
BEGIN = "<!-- findings: begin. Written by 'drillbook findings', from evidence: do not edit -->"
END = "<!-- findings: end -->"
DRILLS_BEGIN = "<!-- drills: begin. Written by 'drillbook findings', from evidence: do not edit -->"
DRILLS_END = "<!-- drills: end -->"
COLUMNS = (
    *("row", "scenario", "start", "outcome", "detect", "alert", "act", "recover"),
    *("acknowledged", "refused", "lost", "twice", "proven"),
)
SHOWN = (Outcome.PASSED, Outcome.NOT_RECOVERED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A drill's record and the name of its folder."""

    id: str
    record: Record


def read(places: Sequence[Path]) -> list[Evidence]:
    """The drills below these folders, without controls. Each folder is an evidence folder or one drill's.

    Raises DrillbookError for a missing folder, and for a record that cannot be read.
    """
    found: dict[str, Evidence] = {}
    for place in places:
        if not place.is_dir():
            raise DrillbookError(f"{place}: there is no such folder; name an evidence folder, or that of one drill")
        own = place / "content" / "drill.json"
        for path in [own] if own.is_file() else sorted(place.glob("*/content/drill.json")):
            record = read_record(path)
            if record.control is None:
                found[str(path.resolve())] = Evidence(path.parent.parent.name, record)
    return list(found.values())


def markdown(evidence: Iterable[Evidence]) -> str:
    """The findings, one section each, sorted by their source and scenario."""
    by_scenario: dict[tuple[str, ...], list[Evidence]] = {}
    for each in evidence:
        tags = each.record.scenario.tags
        if AS_WRITTEN in tags:
            source = ", ".join(tag_values(tags, FINDING)) or "source not named"
            name = each.record.scenario.name
            by_scenario.setdefault((source, each.record.feature.path, name), []).append(each)
    if not by_scenario:
        return f"No drill of a scenario tagged `@{AS_WRITTEN}` was found.\n"
    return "\n".join(
        "\n".join(_section(source, feature, name, drills))
        for (source, feature, name), drills in sorted(by_scenario.items())
    )


def _section(source: str, feature: str, name: str, drills: Sequence[Evidence]) -> list[str]:
    newest_first = sorted(drills, key=lambda each: (each.record.started_at, each.id), reverse=True)
    shown = next((each for each in newest_first if each.record.outcome in SHOWN), None)
    newest = newest_first[0]
    lines = [f"### {source}: {name}", ""]
    description = _paragraphs((shown or newest).record.scenario.description)
    lines += [*description, ""] if description else []
    if shown is None:
        return [*lines, f"Not shown: {_ended(newest)}.", ""]
    record = shown.record
    lines += ["| measured | |", "|---|---|", *(f"| {what} | {_cell(value)} |" for what, value in _measured(record))]
    lines += [f"| feature | `{feature}` |", f"| evidence | `{shown.id}` |", ""]
    if newest is not shown:
        lines += [f"A newer drill shows nothing: {_ended(newest)}.", ""]
    return lines


def _ended(drill: Evidence) -> str:
    outcome = drill.record.outcome
    how = "has no verdict" if outcome is None else f"ended {outcome}: {drill.record.reason}"
    return f"`{drill.id}` {how}"


def _measured(record: Record) -> Iterable[tuple[str, str]]:
    yield "outcome", f"{record.outcome}: {record.reason}"
    work = record.work
    if work is not None:
        accepted = work.accepted_lost
        yield "acknowledged jobs", str(work.acknowledged)
        yield "lost", f"{work.lost_count}{'' if accepted is None else f' (the scenario accepts exactly {accepted})'}"
        yield "done twice", str(work.duplicated_count)
    for check in record.checks:
        if check.phase is Phase.SYMPTOMS and check.met and check.observed != HEALTHY:
            yield f"symptom: {_cell(check.name)}", f"{check.observed} (at {check.found_s:.1f} s)"
    for seen in record.observations:
        yield _cell(seen.subject), f"{observed_value(seen.value, seen.unit)} (at {seen.at_s:.1f} s)"
    words = {"detect": "detected after", "alert": "alerted after", "act": "acted after", "recover": "recovered after"}
    for key, what in words.items():
        took, doubt = record.times.of(key)
        if took is not None:
            bound = key in record.times.bounds
            yield what, f"at most {took:.1f} s" if bound else f"{took:.1f} s ± {doubt or 0:.1f}"


def _paragraphs(text: str) -> list[str]:
    """Each line of the scenario's description is a paragraph: what the source says, what to do instead."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [part for line in lines for part in ("", line)][1:]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# ------------------------------------------------------------------ the table


@dataclass(frozen=True, slots=True)
class Table:
    """drills.json of a `drillbook drills` and the name of its folder."""

    id: str
    drills: Mapping[str, Any]


def read_table(places: Sequence[Path]) -> Table | None:
    """The newest table below these folders, None when there is none. Raises DrillbookError for another schema."""
    found = [path for place in places for path in place.glob("*/content/drills.json")]
    if not found:
        return None
    path = max(found, key=lambda each: each.parent.parent.name)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DrillbookError(f"{path}: cannot be read ({error}): remove the folder, or repair it") from None
    if not isinstance(kept, dict) or kept.get("schema") != TABLE_SCHEMA:
        raise DrillbookError(f"{path}: is no table of the schema {TABLE_SCHEMA}: take the folder away")
    return Table(path.parent.parent.name, kept)


def table_markdown(table: Table, evidence: Iterable[Evidence]) -> str:
    """Every drill of the table with its times in seconds from the fault; "-" when a time was not measured."""
    records = {each.id: each.record for each in evidence}
    rows = table.drills["drills"]
    good = sum(row["outcome"] == Outcome.PASSED and row["proven"] for row in rows)
    venue = Venue(table.drills.get("inventory", "-"), table.drills["labs"])
    how = f"{venue}, in {table.drills['took_s']:.0f} s"
    lines = [
        f"{len(rows)} drills with their controls, {how}: {good} PASSED and proven. Evidence `{table.id}`.",
        "",
        _line(COLUMNS),
        "|---" * len(COLUMNS) + "|",
    ]
    for row in rows:
        record = records.get(Path(row["evidence"] or "-").name)
        names = ("detect", "alert", "act", "recover")
        seconds = [
            (record.times.of(each)[0], each in record.times.bounds) if record else (None, False) for each in names
        ]
        work = record.work if record else None
        lines.append(
            _line(
                [
                    ", ".join(row["rows"]),
                    row["scenario"],
                    record.started_at[11:19] if record else "-",
                    row["outcome"],
                    *("-" if each is None else f"{'≤ ' if bound else ''}{each:.1f}" for each, bound in seconds),
                    *((str(work.acknowledged), str(work.refused)) if work else ("-", "-")),
                    *("-" if row[each] is None else str(row[each]) for each in ("lost", "duplicated")),
                    "yes" if row["proven"] else "NO",
                ]
            )
        )
    return "\n".join(lines)


def _line(columns: Iterable[str]) -> str:
    return f"| {' | '.join(map(_cell, columns))} |"


# ------------------------------------------------------------------ the document


def put_into(text: str, findings: str, path: Path, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """The document with these findings between its marks. Raises DrillbookError when a mark is missing."""
    begin, end = text.find(marks[0]), text.find(marks[1])
    if begin < 0 or end < begin:
        raise DrillbookError(
            f"{path}: has no place for findings, and Drillbook does not overwrite your text: put these two lines "
            f"where the findings belong:\n{marks[0]}\n{marks[1]}"
        )
    return f"{text[: begin + len(marks[0])]}\n\n{findings.strip()}\n\n{text[end:]}"
