"""One pytest on one lab, or on one staging: it gets one scenario after the other, and reports how each ended.

The rule: every scenario that it got has a row, whatever becomes of it. A scenario under way when the pytest ended
explains its status. Without one, a status that no outcome explains speaks against all the scenarios that it got.

A pytest takes three seconds of a core to start, and makes its first playbook, inventory and guardian once. So it lasts
as long as its lab.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.commands.children import Children
from drillbook.commands.collecting import alone
from drillbook.commands.fleet.listing import Listing
from drillbook.commands.fleet.results import Results, Told, runs_in
from drillbook.commands.fleet.staging import Place
from drillbook.evidence.render.drill_table import Scenario
from drillbook.model.verdict import Outcome, worst

NOTHING_TOLD = 71
"""Status of a pytest that ended well but reported no run."""


@dataclass
class Session:
    """A pytest that begins with the scenario `under_way`, and gets further ones from `further`."""

    place: Place
    listing: Listing
    options: Sequence[str]
    results: Results
    under_way: Scenario | None
    further: Callable[[], Scenario | None]
    broken_by: Scenario | None = None
    """The drill that left the lab broken; the lab gets no further one."""
    _handed: bool = False
    _good: bool = True
    _proven: list[tuple[Scenario, list[Told]]] = field(default_factory=list)

    def run(self, children: Children, folder: Path) -> None:
        """Prove scenarios until there is none, the lab is broken or pytest ends. Its output is in `folder`."""
        assert self.under_way is not None
        log = folder / f"{1 + self.listing.scenarios.index(self.under_way):02d}.log"
        began_s = time.monotonic()
        status = children.converse(self._command, log, self.place.env, lambda line: self._answer(line, log.name))
        self._ended(status, log.name)
        took_s = time.monotonic() - began_s
        self.results.tell(f"{self.place.name}: {len(self._proven)} in {took_s:.0f} s, {log.name}")
        if not self._good:
            self.place.keep_logs()

    def _command(self, line: int) -> list[str]:
        kept_at = self.listing.kept_at
        features = dict.fromkeys(str(self.listing.root / each.feature) for each in self.listing.scenarios)
        return [
            *(sys.executable, "-m", "pytest", "--prove", f"--handed-over={line}", "-p", "no:cacheprovider"),
            *("-o", "drillbook_report=false", f"--evidence={kept_at.named if kept_at else self.listing.evidence}"),
            *self.options,
            *alone(self.options),
            *features,
        ]

    def _answer(self, line: str, log: str) -> str | None:
        """Take in the pytest's report, and hand it the next scenario; None when there is none for it."""
        said = json.loads(line)
        self.results.titles = said.get("titles") or self.results.titles
        told = runs_in(said["runs"])
        if self._handed and self.under_way is not None and (told or said["more"]):
            self._keep(self.under_way, told, log)
            if any(each.run.outcome is Outcome.NOT_RESTORED for each in told):
                self.broken_by = self.under_way
            self.under_way = None
        if not said["more"] or self.broken_by is not None:
            return None
        if self._handed:
            self.under_way = self.further()
        self._handed = True
        return None if self.under_way is None else json.dumps(self.under_way.nodeid)

    def _ended(self, status: int, log: str) -> None:
        told = [each for _, runs in self._proven for each in runs]
        explained = bool(told) and worst([each.run.outcome for each in told]).exit_status == status
        if self.under_way is not None:
            self._keep(self.under_way, [], log, status)
        elif not explained:
            for scenario, runs in tuple(self._proven):
                self._good &= self.results.keep(scenario, runs, log, self.place.name, status).good
        self.results.closed(NOTHING_TOLD if not told and status == 0 else status)

    def _keep(self, scenario: Scenario, told: list[Told], log: str, status: int = 0) -> None:
        self._proven.append((scenario, told))
        self._good &= self.results.keep(scenario, told, log, self.place.name, status).good
