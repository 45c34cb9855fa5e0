"""The table of many drills: a pure function of how their runs ended and of their records.

The rule: a scenario that left no run, or no proof, stands in the table as that, and never as a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from drillbook.model.proof import Proof, Run
from drillbook.model.record import Record
from drillbook.model.verdict import Outcome

SCHEMA = "drillbook/drills/1"
HEADINGS = ("row", "scenario", "outcome", "recovered", "lost", "twice", "proven")
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drill to be proven. Its last drill took `took_s`; None when it never ran here.

    Its proof goes through this many `steps`: those of the scenario, once for the drill and once for each control.
    """

    nodeid: str
    feature: str
    name: str
    rows: tuple[str, ...] = ()
    took_s: float | None = None
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Venue:
    """Where the drills ran: on this number of labs or, without `labs`, on the one environment of `inventory`."""

    inventory: str
    labs: int | None = None

    def __str__(self) -> str:
        """`on 4 labs side by side`."""
        if self.labs is None:
            return f"on {self.inventory} one after the other"
        return f"on {self.labs} labs side by side"


@dataclass(frozen=True, slots=True)
class TableRow:
    """The result of one scenario. `recover_s`, `lost` and `duplicated` are those of the drill itself."""

    rows: tuple[str, ...]
    scenario: str
    outcome: str
    recover_s: float | None
    lost: int | None
    duplicated: int | None
    proven: bool
    against: str | None
    evidence: str | None
    log: str
    recover_bounded: bool = False
    """The time is an upper bound."""

    @property
    def good(self) -> bool:
        """Whether the drill passed and the runbook is proven."""
        return self.outcome == Outcome.PASSED and self.proven


def longest_first(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """The order in which they are handed out. A scenario that nobody has timed comes first: it may be the longest.

    Among those, the ones with the most steps come first.
    """
    return sorted(scenarios, key=lambda each: (each.took_s is not None, -(each.took_s or each.steps), each.nodeid))


def row_of(scenario: Scenario, runs: Sequence[Run], record: Record | None, log: str, status: int = 0) -> TableRow:
    """`record` is that of the drill itself, None when there is none; `status` is that of its pytest."""
    proof = Proof(scenario.nodeid, tuple(runs))
    against = proof.against
    if against is None and status:
        against = f"every run ended well, and their pytest with status {status}: see {log}"
    drill = next((run for run in runs if not run.control), None)
    work = record.work if record is not None else None
    return TableRow(
        rows=scenario.rows,
        scenario=scenario.name,
        outcome=drill.outcome.value if drill is not None else NOT_RUN,
        recover_s=record.times.recover_s if record is not None else None,
        lost=work.lost_count if work is not None else None,
        duplicated=work.duplicated_count if work is not None else None,
        proven=against is None,
        against=against,
        evidence=drill.evidence if drill is not None else None,
        log=log,
        recover_bounded=record is not None and "recover" in record.times.bounds,
    )


def markdown(rows: Sequence[TableRow], took_s: float, venue: Venue) -> str:
    """The table for people, and below it why each unproven scenario is not proven."""
    good = sum(row.good for row in rows)
    lines = [
        f"{good} of {len(rows)} drills PASSED and proven, in {took_s:.0f} s {venue}.",
        "",
        _line(HEADINGS),
        _line(["---"] * len(HEADINGS)),
        *(_line(cells(row)) for row in rows),
    ]
    against = [f"- {row.scenario}: {row.against}" for row in rows if row.against is not None]
    return "\n".join([*lines, *(["", *against] if against else [])]) + "\n"


def cells(row: TableRow) -> list[str]:
    """A row of the table as text."""
    return [
        ", ".join(row.rows) or "-",
        row.scenario,
        row.outcome,
        "-" if row.recover_s is None else f"{'≤ ' if row.recover_bounded else ''}{row.recover_s:.1f} s",
        "-" if row.lost is None else str(row.lost),
        "-" if row.duplicated is None else str(row.duplicated),
        "yes" if row.proven else "NO",
    ]


def as_json(rows: Sequence[TableRow], took_s: float, venue: Venue) -> Mapping[str, Any]:
    """The content of drills.json."""
    return {
        "schema": SCHEMA,
        "took_s": round(took_s, 1),
        "labs": venue.labs,
        "inventory": venue.inventory,
        "drills": [asdict(row) for row in rows],
    }


def _line(columns: Iterable[str]) -> str:
    return "| " + " | ".join(each.replace("|", "\\|") for each in columns) + " |"
