"""Nobody is told that there is nothing to undo while anything is open, here or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drillbook.commands import restoring
from drillbook.commands.cli import app
from drillbook.errors import DrillbookError
from drillbook.model import paths
from drillbook.safety.environment_lock import HolderRole, Lock
from drillbook.safety.journal import EntryState, Journal
from drillbook.safety.undo import Undone

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which drills were run, and a machine of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("DRILLBOOK_INVENTORY", raising=False)
    root = tmp_path / "repository"
    (root / ".drillbook").mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\ndrillbook_pass_env = AWS_PROFILE 'A B'\n")
    monkeypatch.chdir(root)
    return root


def broken(root: Path, environment: str, fault: str = "network_cut", inventory: str = "inventories/staging") -> Journal:
    """A fault that is open in this environment."""
    journal = Journal(paths.journal(root, environment))
    journal.plan(
        f"{fault} of {inventory}",
        run_id="r",
        fault=fault,
        variables={},
        inventory=inventory,
        undo_playbook="undo.yml",
        evidence="e",
        switch_playbook=f"playbooks/faults/{fault}/switch.yml",
    )
    return journal


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sessions that were made: each undoes what its inventory's environment has, without Ansible.

    An inventory is that of the environment of its own name.
    """
    made: list[Any] = []

    class Session:
        def __init__(self, root: Path, inventory: Path, evidence: Path, **more: Any) -> None:
            self.root, self.inventory, self.evidence, self.more = root, inventory, evidence, more
            self.inventory_name = paths.relative(inventory, root)
            made.append(self)

        def put_back(self, role: HolderRole, _waiting: Callable[[str], None]) -> list[Undone]:
            assert role is HolderRole.RESTORE
            if self.inventory.name == "gone":
                raise DrillbookError("there is no inventory")
            journal = Journal(paths.journal(self.root, self.inventory.name))
            return [self.undo(journal, entry) for entry in journal.open_entries()]

        def undo(self, journal: Journal, entry: Any) -> Undone:
            stuck = "no host" if entry.fault == "stuck" else None
            of_another = entry.inventory != self.inventory_name
            problem = "of another inventory" if of_another else stuck
            journal.mark(entry.id, EntryState.UNDO_FAILED if problem else EntryState.CLOSED)
            return Undone(entry, None, problem)

    monkeypatch.setattr(restoring, "DrillSession", Session)
    return made


def run(*words: str) -> tuple[int, list[str]]:
    ran = CliRunner().invoke(app, list(words), catch_exceptions=False)
    return ran.exit_code, ran.output.splitlines()


def test_without_arguments_all_that_is_open_in_the_checkout_is_undone(root: Path, sessions: list[Any]) -> None:
    broken(root, "staging")
    broken(root, "eu", "disk_full", "inventories/eu")
    status, said = run("restore")
    assert status == 0
    assert sorted(said) == ["undone: disk_full", "undone: network_cut"]
    assert {each.inventory for each in sessions} == {root / "inventories/staging", root / "inventories/eu"}
    assert run("restore") == (0, ["nothing to undo: no fault is open"])


def test_the_undo_sees_the_variables_of_the_ini(root: Path, sessions: list[Any]) -> None:
    broken(root, "staging")
    run("restore")
    assert sessions[0].more["pass_env"] == ("AWS_PROFILE", "A B")


def test_the_undo_has_the_time_of_the_ini(root: Path, sessions: list[Any]) -> None:
    with (root / "pytest.ini").open("a") as ini:
        ini.write("drillbook_undo_timeout = 1h\ndrillbook_play_timeout = 90s\n")
    broken(root, "staging")
    run("restore")
    assert sessions[0].more["time_limits"] == {"undo-timeout": 3600.0, "play-timeout": 90.0}


def test_a_time_that_is_none_is_named_before_anything_is_undone(root: Path, sessions: list[Any]) -> None:
    with (root / "pytest.ini").open("a") as ini:
        ini.write("drillbook_undo_timeout = long\n")
    broken(root, "staging")
    status, said = run("restore")
    assert status == 13
    assert said[0].startswith(
        "drillbook: pytest's ini cannot be read: drillbook_undo_timeout: 'long' is not a duration"
    )
    assert sessions == []


def test_inventories_that_were_merged_are_merged_again(root: Path, sessions: list[Any]) -> None:
    broken(root, "staging", inventory="inventories/staging, inventories/more")
    run("restore")
    assert sessions[0].inventory == root / "inventories/staging"
    assert sessions[0].more["further_inventories"] == (root / "inventories/more",)


def test_two_inventories_of_one_environment_undo_what_is_theirs(root: Path, sessions: list[Any]) -> None:
    broken(root, "staging")
    broken(root, "staging", "disk_full", "other/staging")
    assert run("restore") == (0, ["undone: disk_full", "undone: network_cut"])
    assert len(sessions) == 2


def test_what_is_open_in_another_environment_is_said(root: Path, sessions: list[Any]) -> None:
    broken(root, "eu", inventory="inventories/eu")
    status, said = run("restore", "--inventory", "inventories/staging")
    assert status == 12
    (line,) = said
    assert line.startswith("open: network_cut in eu (planned ")
    assert line.endswith(", with the inventory inventories/eu)")
    assert [each.inventory.name for each in sessions] == ["staging"]


def test_what_cannot_be_undone_is_said_to_be_open(root: Path, sessions: list[Any]) -> None:
    broken(root, "staging", "stuck")
    status, said = run("restore")
    assert status == 12
    assert said[0] == "NOT undone: stuck: no host"
    assert said[1].startswith("open: stuck in staging (undo_failed ")


def test_an_inventory_that_is_gone_keeps_no_other_from_being_undone(root: Path, sessions: list[Any]) -> None:
    broken(root, "staging")
    broken(root, "gone", "disk_full", "inventories/gone")
    status, said = run("restore")
    assert status == 12
    assert "with the inventory inventories/gone nothing was undone: there is no inventory" in said
    assert "undone: network_cut" in said
    assert said[-1].startswith("open: disk_full in gone (")


def test_an_inventory_whose_environment_has_another_name_today_undoes_nothing(root: Path, sessions: list[Any]) -> None:
    broken(root, "my-lab", inventory="inventories/lab")
    status, said = run("restore")
    assert (status, said[0][:30]) == (12, "open: network_cut in my-lab (p")


@pytest.mark.parametrize("words", [("restore",), ("restore", "--check"), ("restore", "--inventory", "x")])
def test_a_journal_that_cannot_be_read_is_not_nothing(root: Path, sessions: list[Any], words: tuple[str, ...]) -> None:
    paths.journal(root, "eu").write_text("x\n")
    status, said = run(*words)
    assert status == 12
    assert "journal-eu.ndjson:1: the undo journal is damaged" in said[-1]


@pytest.mark.parametrize("words", [("restore",), ("restore", "--check")])
def test_what_is_open_in_another_checkout_is_said(
    root: Path, sessions: list[Any], tmp_path: Path, words: tuple[str, ...]
) -> None:
    other = tmp_path / "other"
    broken(other, "staging")
    lock = Lock(tmp_path / "state/drillbook/lock-staging", "s", root=other)
    lock.acquire("A drill")
    lock.release(keep_name=True)
    status, said = run(*words)
    assert status == 12
    assert said[-1].endswith(f", in the checkout {other}: run 'drillbook restore' there")
    assert not sessions


def test_to_check_is_to_look(root: Path, sessions: list[Any]) -> None:
    assert run("restore", "--check") == (0, ["nothing is open: every fault is proven gone"])
    journal = broken(root, "staging")
    before = journal.path.read_bytes()
    status, said = run("restore", "--check")
    assert status == 12
    assert said[0].startswith("open: network_cut in staging (planned ")
    assert journal.path.read_bytes() == before
    assert not sessions


def test_a_drill_that_died_before_it_broke_anything_is_closed_with_the_inventory_of_the_ini(
    root: Path, sessions: list[Any]
) -> None:
    (root / "inventories/eu").mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\ndrillbook_inventory = inventories/eu\n")
    lock = Lock(paths.lock(paths.kept(root), "eu"), "s", root=root)
    lock.acquire("A drill")
    assert run("restore") == (0, ["nothing to undo: no fault is open"])
    assert not sessions, "it is not dead"
    lock.release(keep_name=True)
    run("restore")
    assert [each.inventory for each in sessions] == [root / "inventories/eu"]


def test_where_no_drill_was_run_it_is_a_wrong_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("restore") == (64, ["drillbook: no .drillbook/ here or above: no drill was ever run here"])
    assert run("status")[0] == 64


# ------------------------------------------------------------------ status


def test_status_shows_what_is_open_and_who_holds_what(root: Path, tmp_path: Path) -> None:
    assert run("status")[1] == [
        *("open faults:", "  none", "locks:", "  none", "dead man's switches:", "  none", "last drills:", "  none")
    ]
    broken(root, "staging")
    lock = Lock(paths.lock(paths.kept(root), "staging"), "s", root=root)
    lock.acquire("A drill")
    status, said = run("status")
    assert status == 0
    assert said[1].startswith("  network_cut in staging (planned ")
    assert said[2] == "  undo them with 'drillbook restore'"
    assert said[4].startswith(f"  staging: 'A drill', process {os.getpid()}, since ")
    assert said[4].endswith("; the lock is held as drill")
    assert said[6] == (
        "  network_cut in staging: armed by playbooks/faults/network_cut/switch.yml, unless it has fired"
    )
    lock.release(keep_name=True)
    assert run("status")[1][4].endswith("; the lock is free: its holder is dead, or left a fault open")
