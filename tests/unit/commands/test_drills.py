"""Which lab proves what, and what becomes of a pytest that breaks its lab, dies, or ends strangely."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands import drills
from drillbook.commands.children import Children
from drillbook.commands.drills import Listing, _Fleet
from drillbook.evidence.render.drill_table import Scenario
from drillbook.model.verdict import Outcome
from tests.support import ROOT

pytestmark = pytest.mark.unit

CONTROLS = ("", "no-fault", "no-recovery", "recovery-twice")
Ends = Callable[[list[str]], tuple[int, list[dict[str, Any]]]]


def run_of(scenario: str, control: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "control": control,
        "outcome": outcome.value,
        "reason": "as it must",
        "evidence": None,
        "folder": None,
    }


def proven(scenario: str) -> list[dict[str, Any]]:
    return [run_of(scenario, each, Outcome.HELD if each else Outcome.PASSED) for each in CONTROLS]


def all_proven(scenarios: list[str]) -> tuple[int, list[dict[str, Any]]]:
    return 0, [run for each in scenarios for run in proven(each)]


class Pytests(Children):
    """Labs that are up at once, and pytests that end as they are told."""

    def __init__(self, root: Path, ends: Ends) -> None:
        super().__init__()
        self._root, self._ends = root, ends
        self.proved: list[tuple[str, list[str]]] = []
        """Of each pytest the lab and the scenarios."""

    def run(
        self, command: Sequence[str], log: Path | None, more_env: Mapping[str, str], *, at_the_end: bool = False
    ) -> int:
        told = next((each.partition("=")[2] for each in command if each.startswith("--runs-to=")), None)
        if told is None:
            return 0
        scenarios = [each.removeprefix(f"{self._root}/") for each in command if each.startswith(f"{self._root}/f")]
        self.proved.append((more_env["DRILLBOOK_LAB_NAME"], scenarios))
        wrote = Path(more_env["DRILLBOOK_LAB_STATE"]) / "logs/api.log"
        wrote.parent.mkdir(parents=True, exist_ok=True)
        wrote.write_text(" ".join(scenarios))
        status, runs = self._ends(scenarios)
        if runs:
            Path(told).write_text(json.dumps(runs))
        return status


def fleet(tmp_path: Path, number: int, ends: Ends, labs: int = 1) -> tuple[_Fleet, Pytests]:
    scenarios = tuple(Scenario(f"f.feature::{n:02d}", "f", f"{n:02d}", (), took_s=100.0 - n) for n in range(number))
    children = Pytests(tmp_path, ends)
    made = _Fleet(Listing(tmp_path, tmp_path / "evidence", scenarios), labs, (), tmp_path, lambda _: None, children)
    made.run()
    return made, children


def test_one_pytest_proves_several_while_there_is_enough_for_all(tmp_path: Path) -> None:
    made, children = fleet(tmp_path, 10, all_proven)
    assert [len(scenarios) for _, scenarios in children.proved] == [3, 3, 2, 1, 1]
    assert [each for _, scenarios in children.proved for each in scenarios] == sorted(made.ended)
    assert all(row.good for row in made.ended.values())
    assert set(made.statuses) == {0}


def test_what_comes_after_a_drill_that_broke_the_lab_is_for_another(tmp_path: Path) -> None:
    def second_breaks(scenarios: list[str]) -> tuple[int, list[dict[str, Any]]]:
        if scenarios[0] != "f.feature::00":
            return all_proven(scenarios)
        runs = [*proven(scenarios[0]), run_of(scenarios[1], "", Outcome.NOT_RESTORED)]
        return 12, [*runs, run_of(scenarios[2], "", Outcome.NOT_RESTORED)]

    made, children = fleet(tmp_path, 6, second_breaks)
    assert children.proved[0][1] == [f"f.feature::0{n}" for n in range(3)]
    assert children.proved[1][1][0] == "f.feature::02"
    assert children.proved[1][0] == f"{children.proved[0][0]}-2"
    assert [nodeid for nodeid, row in sorted(made.ended.items()) if not row.good] == ["f.feature::01"]
    assert 12 in made.statuses


def test_a_pytest_that_tells_of_nothing_has_proven_none_of_its_scenarios(tmp_path: Path) -> None:
    def dies(scenarios: list[str]) -> tuple[int, list[dict[str, Any]]]:
        return (-9, []) if "f.feature::01" in scenarios else all_proven(scenarios)

    made, _ = fleet(tmp_path, 6, dies)
    assert [row.outcome for _, row in sorted(made.ended.items())] == ["not run"] * 3 + ["PASSED"] * 3
    assert 9 in made.statuses
    again = tmp_path / "again"
    again.mkdir()
    made, _ = fleet(again, 6, lambda _scenarios: (0, []))
    assert set(made.statuses) == {drills.NOTHING_TOLD}


def test_a_status_that_no_run_explains_speaks_against_all_of_them(tmp_path: Path) -> None:
    made, _ = fleet(tmp_path, 4, lambda scenarios: (3, all_proven(scenarios)[1]))
    assert not any(row.proven for row in made.ended.values())


def test_nor_does_the_failure_of_one_explain_any_status(tmp_path: Path) -> None:
    def crashes(scenarios: list[str]) -> tuple[int, list[dict[str, Any]]]:
        _, runs = all_proven(scenarios)
        runs[1] = run_of(scenarios[0], "no-fault", Outcome.BETRAYED)
        return -11, runs

    made, _ = fleet(tmp_path, 4, crashes)
    assert not any(row.proven for row in made.ended.values())


def test_a_drill_that_is_not_proven_does_not_speak_against_its_neighbours(tmp_path: Path) -> None:
    def first_fails(scenarios: list[str]) -> tuple[int, list[dict[str, Any]]]:
        status, runs = all_proven(scenarios)
        if scenarios[0] == "f.feature::00":
            status, runs[1] = 14, run_of(scenarios[0], "no-fault", Outcome.BETRAYED)
        return status, runs

    made, _ = fleet(tmp_path, 4, first_fails)
    assert [row.good for _, row in sorted(made.ended.items())] == [False, True, True, True]
    (kept,) = (tmp_path / ".drillbook/logs").rglob("*.log")
    assert (kept.name, kept.read_text()) == ("api.log", "f.feature::00 f.feature::01")


def test_a_proof_is_as_long_as_the_drill_and_its_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where data is lost on purpose the recovery runs twice in a drill of its own, and not at the end of the first."""
    monkeypatch.chdir(ROOT)
    found = {each.name: each for each in drills.listed(["features/queue_backlog.feature"]).scenarios}
    assert len(found) == (ROOT / "features/queue_backlog.feature").read_text().count("  Scenario: ")
    assert found["No worker runs"].steps == 3 * 15
    assert found["The whole database is flushed to clear the queue"].steps == 4 * 10


def test_labs_are_busy_with_different_features_as_long_as_there_are_some(tmp_path: Path) -> None:
    scenarios = [
        Scenario(f"{feature}::{n}", feature, str(n), (), took_s=took)
        for feature, n, took in (
            ("heavy", 1, 90.0),
            ("heavy", 2, 80.0),
            ("heavy", 3, 70.0),
            ("light", 1, 20.0),
            ("light", 2, 10.0),
        )
    ]
    made = _Fleet(Listing(tmp_path, tmp_path, tuple(scenarios)), 2, (), tmp_path, lambda _: None)
    made._todo = list(scenarios)
    handed_out = [[each.nodeid for each in made._next(lab)] for lab in ("a", "b", "a", "b", "b", "a")]
    # the fourth: nothing of another feature is left
    assert handed_out == [["heavy::1"], ["light::1"], ["heavy::2"], ["light::2"], ["heavy::3"], []]
    assert made._next("b") == []
