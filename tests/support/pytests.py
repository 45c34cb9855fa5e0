"""Pytests of `drillbook drills` that end as a test tells them, and the runs that they report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drillbook.commands.children import Children
from drillbook.model.verdict import Outcome

STAGING = "the staging"
CONTROLS = ("", "no-fault", "no-recovery", "recovery-twice")
Runs = list[dict[str, Any]]
Ends = Callable[[str], tuple[int | None, Runs]]
"""For a scenario: the status with which its pytest dies (None: it asks for the next), and the runs that it reports."""


def run_of(scenario: str, control: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "control": control,
        "outcome": outcome.value,
        "reason": "as it must",
        "evidence": None,
        "folder": None,
    }


def proven(scenario: str) -> Runs:
    return [run_of(scenario, each, Outcome.HELD if each else Outcome.PASSED) for each in CONTROLS]


def all_proven(scenario: str) -> tuple[int | None, Runs]:
    return None, proven(scenario)


class Pytests(Children):
    """Labs that are up at once, and pytests that end as they are told. They report `titles` first."""

    def __init__(self, ends: Ends, last_status: int | None = None) -> None:
        super().__init__()
        self._ends, self._last_status = ends, last_status
        self.titles: dict[str, str] = {}
        self.proved: list[tuple[str, list[str]]] = []
        """The lab and the scenarios of each pytest."""
        self.ran: list[Sequence[str]] = []
        """The commands that were run beside the pytests."""

    def run(
        self, command: Sequence[str], log: Path | None, more_env: Mapping[str, str], *, at_the_end: bool = False
    ) -> int:
        del log, more_env, at_the_end
        self.ran.append(command)
        return 0

    def converse(
        self,
        command: Callable[[int], Sequence[str]],
        log: Path,
        more_env: Mapping[str, str],
        answer: Callable[[str], str | None],
    ) -> int:
        assert "--handed-over=7" in command(7)
        scenarios: list[str] = []
        self.proved.append((more_env.get("DRILLBOOK_LAB_NAME", STAGING), scenarios))
        wrote = Path(more_env["DRILLBOOK_LAB_STATE"]) / "logs/api.log" if more_env else log.parent / "api.log"
        wrote.parent.mkdir(parents=True, exist_ok=True)
        runs: Runs = []
        every: Runs = []
        while (handed := answer(json.dumps({"runs": runs, "more": True, "titles": self.titles}))) is not None:
            scenarios.append(json.loads(handed))
            wrote.write_text(" ".join(scenarios))
            status, runs = self._ends(scenarios[-1])
            if self.stopped_by is not None:
                break
            every += runs
            if status is not None:
                if runs:
                    answer(json.dumps({"runs": runs, "more": False}))
                return status
        answer(json.dumps({"runs": [], "more": False}))
        if self._last_status is not None:
            return self._last_status
        bad = [Outcome(run["outcome"]).exit_status for run in every if not Outcome(run["outcome"]).good]
        return max(bad, default=0)
