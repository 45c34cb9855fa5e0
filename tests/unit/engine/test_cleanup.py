"""The work of a drill is taken away when all else is over, and its cleanup is on disk before the first job."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.engine import drill as drill_module
from drillbook.engine.cleanup import NAMED, plan_cleanup
from drillbook.engine.drill import Drill
from drillbook.engine.restore import Restore
from drillbook.engine.under_way import UnderWay
from drillbook.errors import DrillbookError, JournalError
from drillbook.model import paths
from drillbook.model.record import UndoState
from drillbook.safety.journal import Entry, Journal
from drillbook.target.ansible.result import PlayResult
from tests.support.unit import played, task
from tests.unit.engine.test_restore import events, under_way

pytestmark = pytest.mark.unit

PREFIX = "drill-run-"


def working(tmp_path: Path, *, fault: PlayResult | None = None, cleanup: PlayResult | None = None) -> UnderWay:
    """A drill that has submitted work; what its cleanup comes to, and the undo of its fault."""
    playbook = tmp_path / paths.WORK_CLEANUP
    playbook.parent.mkdir(parents=True)
    playbook.touch()
    drill = under_way(tmp_path, fault)
    ran: list[Entry] = []

    def run(entry: Entry) -> PlayResult | None:
        ran.append(entry)
        return cleanup if entry.cleans_up else fault

    vars(drill.session).update(root=tmp_path, inventory_name="lab", run_undo=run, ran=ran)
    plan_cleanup(drill, PREFIX)
    return drill


def ran(drill: UnderWay) -> list[str]:
    return [entry.fault for entry in cast(Any, drill.session).ran]


def test_a_repository_without_one_cleans_nothing_up(tmp_path: Path) -> None:
    drill = under_way(tmp_path)
    vars(drill.session).update(root=tmp_path)
    plan_cleanup(drill, PREFIX)
    assert drill.session.journal.open_entries() == []
    assert drill.log.record.cleanup is None


def test_one_of_another_name_is_no_repository_without_one(tmp_path: Path) -> None:
    drill = under_way(tmp_path)
    vars(drill.session).update(root=tmp_path)
    other = (tmp_path / paths.WORK_CLEANUP).with_suffix(".yaml")
    other.parent.mkdir(parents=True)
    other.touch()
    with pytest.raises(DrillbookError, match=r"there is work\.yaml: rename it to work\.yml"):
        plan_cleanup(drill, PREFIX)


def test_it_is_run_last_with_the_prefix(tmp_path: Path) -> None:
    drill = working(tmp_path, fault=played(task()), cleanup=played(task(), playbook=paths.WORK_CLEANUP))
    Restore(drill).run()
    assert ran(drill) == ["cut", NAMED]
    play = drill.log.record.plays[-1]
    assert (play.purpose, play.playbook, play.variables) == (
        "cleanup",
        paths.WORK_CLEANUP,
        {"drillbook_work_prefix": PREFIX},
    )
    assert drill.log.findings == []
    assert drill.log.record.cleanup is UndoState.GONE
    assert events(drill) == ["restored"]
    assert drill.session.journal.open_entries() == []


@pytest.mark.parametrize("cleanup", [played(), played(task(action="ansible.builtin.command"))])
def test_what_is_left_behind_is_not_put_back(cleanup: PlayResult, tmp_path: Path) -> None:
    drill = working(tmp_path, fault=played(task()), cleanup=cleanup)
    Restore(drill).run()
    verdict = drill.log.judge(restored=True)
    assert verdict.outcome == "NOT_RESTORED"
    assert verdict.reason.startswith("the work of the drill was not cleaned up: ")
    assert verdict.reason.endswith("undo it with 'drillbook restore'")
    assert drill.log.record.cleanup is UndoState.FAILED
    assert events(drill) == []
    assert [entry.fault for entry in drill.session.journal.open_entries()] == [NAMED], "who comes next tries again"


def test_it_is_run_whatever_became_of_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(_self: Restore) -> None:
        raise RuntimeError("no books")

    monkeypatch.setattr(Restore, "_balance", crashes)
    monkeypatch.setattr(Restore, "_baseline_again", crashes)
    drill = working(tmp_path, fault=played(), cleanup=played(task()))
    Restore(drill).run()
    assert ran(drill) == ["cut", NAMED]
    assert drill.log.findings[0].sentence.startswith("the fault 'cut' was not undone")


def test_who_finds_the_drill_dead_cleans_up_after_every_fault(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for name, undo in (("first", "undo.yml"), ("work", paths.WORK_CLEANUP), ("second", "undo.yml")):
        journal.plan(name, run_id="run", fault=name, variables={}, inventory="lab", undo_playbook=undo, evidence="")
    assert [entry.fault for entry in journal.open_entries()] == ["second", "first", "work"]


class Submits:
    """Work of which is kept what was on disk when it was submitted."""

    def __init__(self, _prober: object, _work: object, _database: object, prefix: str) -> None:
        self.prefix = prefix

    def submit(self, *_: object) -> None:
        raise DrillbookError("submitted")


def submitting(drill: UnderWay) -> Drill:
    inventory = SimpleNamespace(work=SimpleNamespace(completed_endpoint="books"), endpoints={"books": None})
    vars(drill.session).update(inventory=inventory)
    drill.abort = cast(Any, SimpleNamespace(fired=None))
    return Drill(drill)


def test_it_is_on_disk_before_the_first_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_module, "Load", Submits)
    drill = working(tmp_path)
    drill.session.journal.path.unlink()
    with pytest.raises(DrillbookError, match="submitted"):
        submitting(drill).submit_work(5)
    (entry,) = drill.session.journal.open_entries()
    assert entry.variables == {"drillbook_work_prefix": "drill-run-"}
    with pytest.raises(DrillbookError, match="submitted"):
        submitting(drill).submit_work(10)
    assert len(drill.session.journal.open_entries()) == 1, "another rate is the same work"


def test_no_job_without_its_cleanup_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise JournalError("the undo journal cannot be written: No space left on device")

    monkeypatch.setattr(drill_module, "Load", Submits)
    drill = working(tmp_path)
    monkeypatch.setattr(Journal, "plan", full)
    with pytest.raises(JournalError, match="No space left"):
        submitting(drill).submit_work(5)
