"""`drillbook drills`: every drill of the repository with its controls, on several labs side by side, and one table.

The rule: nothing passes by silence. A scenario that no lab took, a child that ended without telling how, a control that
was not run: each stands in the table, and the exit status is not 0.

A drill mostly waits, and with its lab takes almost half a core; but labs that starve each other never end their
backlog, and fail over while Redis is only slow. So there are two more than cores unless a number is asked for: four
keep 2 cores busy to 90 %. Each lab is an environment of its own (name, lock, journal) and serves one pytest at a time,
which proves several scenarios as long as there are enough for all labs.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands.children import Children, StoppedError
from drillbook.commands.collecting import collect
from drillbook.commands.prove import worst_status
from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps, folder_name, write_atomically
from drillbook.evidence.history import drills as earlier
from drillbook.evidence.reader import RecordError, read_record
from drillbook.evidence.render.drill_table import (
    NOT_RUN,
    Scenario,
    TableRow,
    as_json,
    cells,
    longest_first,
    markdown,
    row_of,
)
from drillbook.model import paths
from drillbook.model.proof import Run
from drillbook.model.record import Record
from drillbook.model.times.clock import wall_now
from drillbook.model.verdict import Outcome, worst
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session

AT_ONCE = 3
"""Scenarios that one pytest proves at most: each start of one takes three seconds of a core."""
MORE_THAN_CORES = 2
"""Labs, unless a number is asked for."""
NO_LAB, NOTHING_TOLD = 70, 71
"""Statuses of a scenario that no lab took, and of a pytest that ended well and told of no run."""
_SAID = {
    True: "\nstopping: each drill puts its system back, and the labs are ended\n",
    False: "\nbeing stopped already: the systems are put back, which takes up to a minute\n",
}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be drilled."""

    root: Path
    evidence: Path
    scenarios: tuple[Scenario, ...]


class _Kept:
    """A plugin of the collecting session."""

    def __init__(self) -> None:
        self.items: list[ScenarioItem] = []
        self.config: pytest.Config | None = None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self.config = config
        self.items = [item for item in items if isinstance(item, ScenarioItem) and item.scenario.is_drill]


def listed(features: Sequence[str]) -> Listing:
    """The drills of these features (default: features/), by pytest's own collection. Raises DrillbookError."""
    kept = _Kept()
    status, said = collect(["--prove", "-p", "no:cacheprovider", *(features or ["features"])], kept)
    if status != pytest.ExitCode.OK or kept.config is None:
        raise DrillbookError(f"there is nothing to drill:\n{chr(10).join(said[-20:])}")
    evidence = drill_session(kept.config).evidence_root
    steps = Counter[str]()
    for item in kept.items:
        steps[item.drill_nodeid] += len(item.scenario.steps)
    scenarios = tuple(
        Scenario(
            item.drill_nodeid,
            item.scenario.feature_path,
            item.scenario.name,
            item.scenario.tag_values("row"),
            _took_s(evidence, item.scenario.feature_path, item.scenario.name),
            steps[item.drill_nodeid],
        )
        for item in kept.items
        if item.scenario.control is None
    )
    if not scenarios:
        raise DrillbookError("there is nothing to drill: no scenario has a fault and a recovery")
    return Listing(kept.config.rootpath, evidence, scenarios)


def _took_s(evidence: Path, feature: str, scenario: str) -> float | None:
    return next((each.duration_s for each in earlier(evidence, feature, scenario) if each.duration_s), None)


@dataclass
class _Fleet:
    """The labs, what they still have to do, and what they did."""

    listing: Listing
    labs: int
    options: tuple[str, ...]
    folder: Path
    say: Say
    children: Children = field(default_factory=Children)
    ended: dict[str, TableRow] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    session: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    _todo: list[Scenario] = field(default_factory=list)
    _busy_with: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Prove every scenario; returns when all labs are gone."""
        self._todo.extend(longest_first(self.listing.scenarios))
        # short: a socket's path has 95 characters
        with tempfile.TemporaryDirectory(prefix="dblabs-", ignore_cleanup_errors=True) as states:
            threads = [
                threading.Thread(target=self._lab, args=(number, Path(states)), name=f"lab-{number}")
                for number in range(1, min(self.labs, len(self.listing.scenarios)) + 1)
            ]
            with self.children.stopping_on_signals(_SAID):
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

    def _lab(self, number: int, states: Path) -> None:
        """One lab after the other in this place: one that was left broken is thrown away."""
        for again in range(len(self.listing.scenarios)):
            name = f"lab-{self.session}-{number}" + (f"-{again + 1}" if again else "")
            try:
                with self._up(name, states / f"{number}-{again}") as env:
                    if self._serve(name, env):
                        return
            except StoppedError:
                return
            except DrillbookError as error:
                self._tell(f"{name}: {error}")
                return

    def _serve(self, name: str, env: Mapping[str, str]) -> bool:
        """Prove scenarios until there is none; False when the lab is not whole any more."""
        while True:
            scenarios = self._next(name)
            if not scenarios:
                return True
            broken = self._prove(scenarios, name, env)
            if broken is not None:
                self._tell(f"{name}: left broken by '{broken.name}': another one takes its place")
                return False

    def _next(self, name: str) -> list[Scenario]:
        """What a lab does next: of a feature that no other lab is busy with, if there is one.

        The scenarios of a feature are alike, and side by side would want the same of a machine. Several as long as
        there is enough for all labs, in the end one at a time.
        """
        with self._lock:
            self._busy_with.pop(name, None)
            if not self._todo:
                return []
            busy = set(self._busy_with.values())
            first = next((each for each in self._todo if each.feature not in busy), self._todo[0])
            number = max(1, min(AT_ONCE, len(self._todo) // (2 * self.labs)))
            taken = [each for each in self._todo if each.feature == first.feature][:number]
            self._todo = [each for each in self._todo if each not in taken]
            self._busy_with[name] = first.feature
            return taken

    @contextmanager
    def _up(self, name: str, state: Path) -> Iterator[Mapping[str, str]]:
        log = self.folder / f"{name}.log"
        env = {"DRILLBOOK_LAB_STATE": str(state), "DRILLBOOK_LAB_NAME": name}
        lab = [sys.executable, "-m", f"{__package__}.cli", "lab"]
        try:
            if self.children.run([*lab, "up"], log, env) != 0:
                raise DrillbookError(f"the lab did not come up, see {log}")
            yield env
        finally:
            if self.children.run([*lab, "down"], log, env, at_the_end=True) != 0:
                self._tell(f"{name}: the lab did not go down, see {log}")
            else:
                self._forget(name)
            shutil.rmtree(state, ignore_errors=True)

    def _forget(self, name: str) -> None:
        """The environment is gone, and with it whatever a fault left there: neither lock nor journal has a subject."""
        root = self.listing.root
        for kept in (paths.lock(paths.kept(root), name), paths.journal(root, name), paths.guardian_log(root, name)):
            kept.unlink(missing_ok=True)

    def _prove(self, scenarios: Sequence[Scenario], name: str, env: Mapping[str, str]) -> Scenario | None:
        """Prove them in one pytest; gives the one that left the lab broken. Those after it are for another lab."""
        number = 1 + self.listing.scenarios.index(scenarios[0])
        log, told = self.folder / f"{number:02d}.log", self.folder / f"{number:02d}.runs.json"
        command = [sys.executable, "-m", "pytest", "--prove", f"--runs-to={told}", "-p", "no:cacheprovider"]
        command += ["-o", "drillbook_report=false", f"--evidence={self.listing.evidence}", *self.options]
        began_s = time.monotonic()
        nodeids = [f"{self.listing.root / scenario.nodeid}" for scenario in scenarios]
        status = self.children.run([*command, *nodeids], log, env)
        took_s = time.monotonic() - began_s
        all_runs = _runs(told)
        # of a status that no outcome is the reason for nobody knows to whom it belongs: it speaks against all of them
        explained = bool(all_runs) and worst([run.outcome for run, _ in all_runs]).exit_status == status
        broken, good = None, True
        for at, scenario in enumerate(scenarios):
            runs = [(run, folder) for run, folder in all_runs if run.scenario == scenario.nodeid]
            good &= self._keep(scenario, runs, log.name, 0 if explained else status, name).good
            if any(run.outcome is Outcome.NOT_RESTORED for run, _ in runs):
                broken = scenario
                with self._lock:
                    self._todo[:0] = scenarios[at + 1 :]
                    self._busy_with.pop(name, None)
                break
        with self._lock:
            # a pytest that was killed has the negative number of its signal
            self.statuses.append(NOTHING_TOLD if not all_runs and status == 0 else abs(status))
        self._tell(f"{name}: {len(scenarios)} in {took_s:.0f} s, {log.name}")
        if not good:
            self._keep_logs(name, Path(env["DRILLBOOK_LAB_STATE"]))
        return broken

    def _keep_logs(self, name: str, state: Path) -> None:
        """What the lab's parts wrote goes with the lab, and is the only witness of what they did meanwhile."""
        kept = paths.log(self.listing.root, name)
        if (state / "logs").is_dir():
            shutil.copytree(state / "logs", kept, dirs_exist_ok=True)
            self._tell(f"{name}: what its parts wrote is kept in {kept}")

    def _keep(
        self, scenario: Scenario, runs: Sequence[tuple[Run, str | None]], log: str, status: int, name: str
    ) -> TableRow:
        first, folder = runs[0] if runs else (None, None)
        record = _record(folder) if first is not None and not first.control else None
        row = row_of(scenario, [run for run, _ in runs], record, log, status)
        with self._lock:
            self.ended[scenario.nodeid] = row
        for run, _ in runs:
            self._tell(f"{run.outcome.value:<14}{scenario.name}{f' [{run.control}]' if run.control else ''} ({name})")
        self._tell(f"{'proven' if row.good else f'NOT PROVEN, {row.against}'}: {scenario.name}, {log}")
        return row

    def _tell(self, line: str) -> None:
        with self._lock:
            self.say(line)


def _runs(told: Path) -> list[tuple[Run, str | None]]:
    """The runs that a pytest told of, each with its evidence folder."""
    try:
        rows: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    folders = [row.pop("folder") for row in rows]
    runs = [Run(**row | {"outcome": Outcome(row["outcome"])}) for row in rows]
    return list(zip(runs, folders, strict=True))


def _record(folder: str | None) -> Record | None:
    if folder is None:
        return None
    try:
        return read_record(Path(folder))
    except RecordError:
        return None


def run(features: Sequence[str], labs: int | None, options: Sequence[str], say: Say) -> int:
    """Drill everything, write the table below the evidence folder, and give the exit status. Raises DrillbookError."""
    labs = (os.cpu_count() or 1) + MORE_THAN_CORES if labs is None else labs
    if labs < 1:
        raise DrillbookError(f"--labs {labs}: at least one lab is needed")
    listing = listed(features)
    folder = listing.evidence / folder_name(wall_now(), "drills", uuid.uuid4().hex) / "content"
    folder.mkdir(parents=True)
    say(
        f"{len(listing.scenarios)} drills with their controls, on {min(labs, len(listing.scenarios))} labs side by side"
    )
    began_s = time.monotonic()
    fleet = _Fleet(listing, labs, tuple(options), folder, say)
    fleet.run()
    took_s = time.monotonic() - began_s
    rows = [fleet.ended.get(each.nodeid) or row_of(each, (), None, NOT_RUN) for each in listing.scenarios]
    write_atomically(folder / "drills.json", dumps(as_json(rows, took_s, labs)))
    text = markdown(rows, took_s, labs)
    write_atomically(folder / "drills.md", text)
    say("")
    say(_aligned(rows))
    say(text.splitlines()[0])
    say(f"{folder}/drills.md")
    if fleet.children.stopped_by is not None:
        say(f"stopped by {fleet.children.stopped_by}")
        return Outcome.ABORTED.exit_status
    missing = [NO_LAB] * (len(rows) - len(fleet.ended))
    status = worst_status([*fleet.statuses, *missing])
    return status if status or all(row.good for row in rows) else Outcome.BETRAYED.exit_status


def _aligned(rows: Sequence[TableRow]) -> str:
    table = [["row", "scenario", "outcome", "recovered", "lost", "twice", "proven"], *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )
