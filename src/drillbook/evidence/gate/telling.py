"""The gate's result: as text, as JSON, and as annotations of GitHub. Pure functions of standings.

The rule: each refusal says what is wrong, and the one command that puts it right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from drillbook.evidence.gate.judging import DAY_S, Change, Standing
from drillbook.model.printable import printable
from drillbook.model.record import EngineRecord

SCHEMA = "drillbook/gate/1"
ALL_STALE = "drillbook drills --stale"
_SHOWN = 8
"""The number of sentences shown for one scenario; for the rest only their number is shown."""


def lines(standings: Sequence[Standing]) -> list[str]:
    """The refused scenarios with their reasons and commands, and one line that sums up, or two."""
    refused = [printable(line) for each in standings if not each.fresh for line in _lines(each)]
    return [*refused, sum_up(standings), *map(printable, shortened(standings))]


def _lines(standing: Standing) -> Iterable[str]:
    asked = standing.asked
    yield f"NOT PROVEN  {asked.name} ({asked.feature}:{asked.line})"
    for sentence in standing.sentences[:_SHOWN]:
        yield f"    {sentence}"
    if len(standing.sentences) > _SHOWN:
        yield f"    {len(standing.sentences) - _SHOWN} further files have changed."
    yield f"    {asked.command}"


def sum_up(standings: Sequence[Standing]) -> str:
    """One sentence."""
    stale = sum(not each.fresh for each in standings)
    good = f"{len(standings) - stale} of {len(standings)} scenarios are proven as they are here"
    return f"{good}." if not stale else f"{good}, {stale} are not: {ALL_STALE}"


def shortened(standings: Sequence[Standing]) -> Iterator[str]:
    """How many of the proofs were verified by windows that are not the full ones; nothing where none was."""
    windows = [each.proof.timings or {} for each in standings if each.fresh and each.proof and each.proof.shortened]
    if windows:
        names = ", ".join(sorted({str(each.get("profile")) for each in windows}))
        yield f"{len(windows)} of them verified by windows that are shorter than the full ones: profile {names}."


def as_json(
    standings: Sequence[Standing], engine: EngineRecord, now: datetime, max_age_s: float, unreadable: Sequence[str]
) -> Mapping[str, Any]:
    """The output of `--json`."""
    return {
        "schema": SCHEMA,
        "passed": all(each.fresh for each in standings),
        "asked": len(standings),
        "fresh": sum(each.fresh for each in standings),
        "max_age_days": max_age_s / DAY_S,
        "engine": {"version": engine.version, "sha256": engine.sha256},
        "unreadable": list(unreadable),
        "scenarios": [_row(each, now) for each in standings],
    }


def _row(standing: Standing, now: datetime) -> Mapping[str, Any]:
    asked, proof = standing.asked, standing.proof
    return {
        "scenario": asked.kept_as or asked.nodeid,
        "feature": asked.feature,
        "line": asked.line,
        "name": asked.name,
        "rows": list(asked.rows),
        "families": sorted(asked.families),
        "state": standing.state.value,
        "sentences": list(standing.sentences),
        "changed": [{"kind": each.kind.value, "path": each.path} for each in standing.changes],
        "proof": None
        if proof is None
        else {
            "proven": proof.proven,
            "proven_at": proof.proven_at,
            "age_days": round((now - proof.moment).total_seconds() / DAY_S, 2),
            "run_id": proof.runs[0].run_id,
            "environment": dict(proof.environment),
            "timings": proof.timings,
        },
        "command": None if standing.fresh else asked.command,
    }


# ---- annotations of GitHub ----------------------------------------------------------------------------------------


def as_annotations(standings: Sequence[Standing]) -> list[str]:
    """One for each changed file, at that file; for a scenario that is stale for another reason, one at the scenario."""
    by_change: dict[Change, list[Standing]] = {}
    said: list[str] = []
    for each in standings:
        if each.changes:
            for change in each.changes:
                by_change.setdefault(change, []).append(each)
        elif not each.fresh:
            text = f"{each.asked.name}: {' '.join(each.sentences)} {each.asked.command}"
            said.append(_error(each.asked.feature, each.asked.line, text))
    for change, of in by_change.items():
        command = of[0].asked.command if len(of) == 1 else f"{len(of)} scenarios: {ALL_STALE}"
        line = next((each.asked.line for each in of if each.asked.feature == change.path), 1)
        said.append(_error(change.path, line, f"{change.sentence} {command}"))
    return said


def _error(path: str, line: int, text: str) -> str:
    return f"::error file={_property(path)},line={line},title=Not proven::{_escaped(text)}"


def _escaped(text: str) -> str:
    """In the form of GitHub's toolkit: a workflow command ends at the end of its line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
