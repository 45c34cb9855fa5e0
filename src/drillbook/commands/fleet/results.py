"""What became of each scenario, as the labs report it.

The rule: a scenario gets a row as soon as its pytest reports it, or ends without a report. A status that no run
explains turns the rows of that pytest against it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drillbook.evidence.reader import RecordError, read_record
from drillbook.evidence.render.drill_table import Scenario, TableRow, row_of
from drillbook.model.proof import Run
from drillbook.model.record import Record
from drillbook.model.verdict import Outcome

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Told:
    """A run of a scenario, and the folder of its evidence if it left one."""

    run: Run
    folder: str | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Told:
        """Read a pytest's report."""
        fields = {name: value for name, value in row.items() if name != "folder"}
        return cls(Run(**fields | {"outcome": Outcome(fields["outcome"])}), row["folder"])


class Results:
    """The rows of the table so far, and the statuses of the ended pytests. For several threads."""

    def __init__(self, say: Say, titles: Callable[[], Mapping[str, str]] = dict) -> None:
        """`titles` gives the titles that must be shown before a pytest has reported them."""
        self.ended: dict[str, TableRow] = {}
        self.statuses: list[int] = []
        self.titles: Mapping[str, str] = {}
        """By node id, without the inventory's secrets: only a pytest that drills has resolved the inventory."""
        self._titles = titles
        self._failures: dict[str, int] = {}
        self._say = say
        self._lock = threading.Lock()

    @property
    def failures(self) -> int:
        """The number of failed runs so far; a scenario that is unproven without a failed run counts as one."""
        with self._lock:
            return sum(self._failures.values())

    def shown(self, scenario: Scenario) -> Scenario:
        """The scenario under the title that may be shown."""
        with self._lock:
            if not self.titles:
                self.titles = self._titles()
        return replace(scenario, name=self.titles.get(scenario.nodeid, scenario.name))

    def keep(self, scenario: Scenario, told: Sequence[Told], log: str, lab: str, status: int = 0) -> TableRow:
        """Make the scenario's row, and report it. `status` is that of its pytest, when no run explains it."""
        scenario = self.shown(scenario)
        runs = [each.run for each in told]
        folder = told[0].folder if told and not told[0].run.control else None
        row = row_of(scenario, runs, _record(folder), log, status)
        with self._lock:
            self.ended[scenario.nodeid] = row
            bad = sum(not run.outcome.good for run in runs)
            self._failures[scenario.nodeid] = 0 if row.good else max(bad, 1)
        for run in runs:
            self.tell(f"{run.outcome.value:<14}{scenario.name}{f' [{run.control}]' if run.control else ''} ({lab})")
        self.tell(f"{'proven' if row.good else f'NOT PROVEN, {row.against}'}: {scenario.name}, {log}")
        return row

    def closed(self, status: int) -> None:
        """A pytest has ended with this status; a killed one has the negative number of its signal."""
        with self._lock:
            self.statuses.append(abs(status))

    def tell(self, line: str) -> None:
        """Say a line; no two threads at once."""
        with self._lock:
            self._say(line)


def runs_in(rows: Iterable[Mapping[str, Any]]) -> list[Told]:
    """The runs that a pytest reported."""
    return [Told.read(row) for row in rows]


def _record(folder: str | None) -> Record | None:
    if folder is None:
        return None
    try:
        return read_record(Path(folder))
    except RecordError:
        return None
