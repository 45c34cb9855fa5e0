"""Which lab proves what, and what becomes of a pytest that breaks its lab, dies, or ends strangely."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.commands.fleet import command, session, staging
from drillbook.commands.fleet.fleet import Fleet
from drillbook.commands.fleet.handing_out import HandingOut
from drillbook.commands.fleet.listing import Listing, listed
from drillbook.commands.fleet.results import Results
from drillbook.evidence.render.drill_table import Scenario
from drillbook.evidence.store.outbox import Outbox
from drillbook.evidence.store.place import Place
from drillbook.evidence.store.remote import Remote
from drillbook.model.verdict import Outcome
from drillbook.target import private_folders
from drillbook.target.private_folders import LABS, PrivateFolder
from tests.support import ROOT, shelf
from tests.support.pytests import STAGING, Ends, Pytests, Runs, all_proven, run_of

pytestmark = pytest.mark.unit


def fleet(
    tmp_path: Path, number: int, ends: Ends, last_status: int | None = None, labs: int | None = 1
) -> tuple[Results, Pytests]:
    scenarios = tuple(Scenario(f"f.feature::{n:02d}", "f", f"{n:02d}", (), took_s=100.0 - n) for n in range(number))
    children, results = Pytests(ends, last_status), Results(lambda _: None)
    Fleet(Listing(tmp_path, tmp_path / "evidence", scenarios), labs, (), tmp_path, results, children).run()
    return results, children


def test_where_evidence_is_kept_is_handed_on_and_the_table_follows(tmp_path: Path) -> None:
    kept_at = Place(tmp_path / "evidence", f"memory://{tmp_path.name}")
    said: list[str] = []
    listing = Listing(tmp_path, kept_at.folder, (), kept_at=kept_at)
    asked = session.Session(staging.Staging(STAGING), listing, (), Results(print), None, lambda: None)._command(7)
    assert f"--evidence={kept_at.url}" in asked
    Outbox(kept_at, tmp_path / ".drillbook").begin()
    shelf.put(kept_at.folder, "20991122T100000Z-drills-aaaa04", {}, "drills.json")
    command._to_the_store(listing, said.append)
    assert list(Remote(str(kept_at.url)).objects()) == ["20991122T100000Z-drills-aaaa04/content/drills.json"]
    (kept_at.folder / "ledger").mkdir()
    (kept_at.folder / "ledger/lab.jsonl").write_text("ours\n")
    Remote(str(kept_at.url)).write("ledger/lab.jsonl", b"theirs\n", None, new=True)
    command._to_the_store(listing, said.append)
    assert "nothing was written over, and ours is kept there" in said.pop()
    command._to_the_store(replace(listing, kept_at=replace(kept_at, url="file:///proc/none")), said.append)
    assert len(said) == 1
    assert said[0].endswith("; the next session uploads what waits, or 'drillbook evidence push'")


def test_one_pytest_proves_all_that_its_lab_gets(tmp_path: Path) -> None:
    results, children = fleet(tmp_path, 10, all_proven)
    ((_, scenarios),) = children.proved
    assert scenarios == sorted(results.ended) == [f"f.feature::{n:02d}" for n in range(10)]
    assert all(row.good for row in results.ended.values())
    assert set(results.statuses) == {0}


def test_what_comes_after_a_drill_that_broke_the_lab_is_for_another(tmp_path: Path) -> None:
    def second_breaks(scenario: str) -> tuple[int | None, Runs]:
        if scenario != "f.feature::01":
            return all_proven(scenario)
        return None, [run_of(scenario, "", Outcome.NOT_RESTORED)]

    results, children = fleet(tmp_path, 6, second_breaks)
    assert [len(scenarios) for _, scenarios in children.proved] == [2, 4]
    assert children.proved[1][1][0] == "f.feature::02"
    assert children.proved[1][0] == f"{children.proved[0][0]}-2"
    assert [nodeid for nodeid, row in sorted(results.ended.items()) if not row.good] == ["f.feature::01"]
    assert Outcome.NOT_RESTORED.exit_status in results.statuses


def test_the_labs_of_a_command_that_was_killed_are_taken_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_folders, "places", lambda: {str(tmp_path)})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, alive = PrivateFolder(LABS), PrivateFolder(LABS)
    for folder in (dead, alive):
        (folder.path / "1-0").mkdir()
    assert dead._held is not None
    os.close(dead._held)
    assert private_folders.sweep() == [], "its labs run on"
    _, children = fleet(tmp_path, 1, all_proven)
    downs = [command for command in children.ran if command[-1] == "down"]
    assert (len(downs), dead.path.exists(), alive.path.exists()) == (2, False, True)
    alive.leave()


def test_a_staging_is_drilled_by_one_pytest_and_nothing_is_brought_up(tmp_path: Path) -> None:
    results, children = fleet(tmp_path, 3, all_proven, labs=None)
    assert children.proved == [(STAGING, ["f.feature::00", "f.feature::01", "f.feature::02"])]
    assert all(row.good for row in results.ended.values())
    assert (children.ran, set(results.statuses)) == ([], {0})
    assert not (tmp_path / ".drillbook").exists()


def test_nothing_is_drilled_on_a_staging_that_a_drill_left_broken(tmp_path: Path) -> None:
    def second_breaks(scenario: str) -> tuple[int | None, Runs]:
        if scenario != "f.feature::01":
            return all_proven(scenario)
        return None, [run_of(scenario, "", Outcome.NOT_RESTORED)]

    results, children = fleet(tmp_path, 4, second_breaks, labs=None)
    assert children.proved == [(STAGING, ["f.feature::00", "f.feature::01"])]
    assert [row.good for _, row in sorted(results.ended.items())] == [True, False]
    assert results.statuses == [Outcome.NOT_RESTORED.exit_status]


def test_a_staging_goes_on_after_a_pytest_that_died(tmp_path: Path) -> None:
    def dies(scenario: str) -> tuple[int | None, Runs]:
        return (-9, []) if scenario == "f.feature::00" else all_proven(scenario)

    results, children = fleet(tmp_path, 2, dies, labs=None)
    assert [scenarios for _, scenarios in children.proved] == [["f.feature::00"], ["f.feature::01"]]
    assert [row.outcome for _, row in sorted(results.ended.items())] == ["not run", "PASSED"]


def test_a_pytest_that_dies_takes_only_the_scenario_with_it_that_it_has_not_told_of(tmp_path: Path) -> None:
    def dies(scenario: str) -> tuple[int | None, Runs]:
        return (-9, []) if scenario == "f.feature::01" else all_proven(scenario)

    results, children = fleet(tmp_path, 4, dies)
    assert [row.outcome for _, row in sorted(results.ended.items())] == ["PASSED", "not run", "PASSED", "PASSED"]
    assert [row.good for _, row in sorted(results.ended.items())] == [True, False, True, True]
    # in the same lab, which nobody has said is broken
    assert [len(scenarios) for _, scenarios in children.proved] == [2, 2]
    assert len({lab for lab, _ in children.proved}) == 1
    assert 9 in results.statuses


def test_a_pytest_that_tells_of_nothing_has_proven_none_of_its_scenarios(tmp_path: Path) -> None:
    results, _ = fleet(tmp_path, 3, lambda _scenario: (None, []))
    assert [row.outcome for row in results.ended.values()] == ["not run"] * 3
    assert set(results.statuses) == {session.NOTHING_TOLD}


def test_nor_has_one_that_ends_well_before_it_tells_of_anything(tmp_path: Path) -> None:
    results, _ = fleet(tmp_path, 2, lambda _scenario: (0, []))
    assert [row.outcome for row in results.ended.values()] == ["not run"] * 2
    assert set(results.statuses) == {session.NOTHING_TOLD}


def test_a_status_that_no_run_explains_speaks_against_all_of_them(tmp_path: Path) -> None:
    results, _ = fleet(tmp_path, 4, all_proven, last_status=3)
    assert not any(row.proven for row in results.ended.values())
    assert len(results.ended) == 4


def test_nor_does_the_failure_of_one_explain_any_status(tmp_path: Path) -> None:
    def crashes(scenario: str) -> tuple[int | None, Runs]:
        _, runs = all_proven(scenario)
        runs[1] = run_of(scenario, "no-fault", Outcome.BETRAYED)
        return None, runs

    results, _ = fleet(tmp_path, 4, crashes, last_status=-11)
    assert not any(row.proven for row in results.ended.values())
    assert 11 in results.statuses


def test_a_drill_that_is_not_proven_does_not_speak_against_its_neighbours(tmp_path: Path) -> None:
    def first_fails(scenario: str) -> tuple[int | None, Runs]:
        _, runs = all_proven(scenario)
        if scenario == "f.feature::00":
            runs[1] = run_of(scenario, "no-fault", Outcome.BETRAYED)
        return None, runs

    results, _ = fleet(tmp_path, 2, first_fails)
    assert [row.good for _, row in sorted(results.ended.items())] == [False, True]
    (kept,) = (tmp_path / ".drillbook/logs").rglob("*.log")
    assert (kept.name, kept.read_text()) == ("api.log", "f.feature::00 f.feature::01")


def test_a_session_that_stops_early_leaves_the_rest_to_another(tmp_path: Path) -> None:
    """`-x`: pytest ends after the first failure, and has told of it."""

    def fails(scenario: str) -> tuple[int | None, Runs]:
        return Outcome.BETRAYED.exit_status, [run_of(scenario, "no-fault", Outcome.BETRAYED)]

    results, children = fleet(tmp_path, 2, fails)
    assert [len(scenarios) for _, scenarios in children.proved] == [1, 1]
    assert [row.proven for row in results.ended.values()] == [False, False]


def test_a_proof_is_as_long_as_the_drill_and_its_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where data is lost on purpose the recovery runs twice in a drill of its own, and not at the end of the first."""
    monkeypatch.chdir(ROOT)
    found = {each.name: each for each in listed(["features/queue_backlog.feature"]).scenarios}
    assert len(found) == (ROOT / "features/queue_backlog.feature").read_text().count("  Scenario: ")
    assert found["No worker runs"].steps == 3 * 15
    assert found["The whole database is flushed to clear the queue"].steps == 4 * 10


def test_labs_are_busy_with_different_features_as_long_as_there_are_some() -> None:
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
    todo = HandingOut(scenarios)
    handed_out = [getattr(todo.next(lab), "nodeid", None) for lab in ("a", "b", "a", "b", "b", "a")]
    # the fourth: nothing of another feature is left
    assert handed_out == ["heavy::1", "light::1", "heavy::2", "light::2", "heavy::3", None]
    assert todo.next("b") is None


def test_a_lab_that_is_gone_is_busy_with_nothing() -> None:
    scenarios = [Scenario(f"{each}::1", each, each, (), took_s=took) for each, took in (("x", 3.0), ("y", 1.0))]
    todo = HandingOut([*scenarios, Scenario("x::2", "x", "2", (), took_s=2.0)])
    assert getattr(todo.next("a"), "nodeid", None) == "x::1"
    todo.leave("a")
    assert getattr(todo.next("b"), "nodeid", None) == "x::2"
