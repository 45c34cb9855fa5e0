"""The record of a drill that died says so, and what was undone after it; what it had written stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from drillbook.engine.keeping.dead_drill import close_dead_run
from drillbook.evidence.files import dumps
from drillbook.model.phases import Phase
from drillbook.model.record import FaultRecord, PhaseRecord, StepRecord, StepStatus, UndoState
from drillbook.model.verdict import Axis, Outcome, Verdict
from drillbook.safety.journal import Entry, EntryState
from drillbook.safety.undo import Undone
from tests.support.records import record

pytestmark = pytest.mark.unit


def undone(entry: str, problem: str | None = None) -> Undone:
    it = Entry(entry, "run", "network_cut", {}, "lab", "undo.yml", "evidence/run", EntryState.CLOSED, "")
    return Undone(it, None, problem)


def closed(folder: Path, of: list[Undone], known: Mapping[str, EntryState] | None = None) -> str | None:
    return close_dead_run(folder, of, known, write_report=lambda _folder: None)


@pytest.fixture
def died(tmp_path: Path) -> Path:
    """The evidence of a drill that was killed in its second step, after its fault."""
    it = record(
        steps=[
            StepRecord(1, "Given", "it is healthy", 3, Phase.BASELINE, StepStatus.PASSED, 0.0, 0.1),
            StepRecord(2, "When", "it breaks", 4, Phase.FAULT, StepStatus.RUNNING, 0.1),
            StepRecord(3, "Then", "it is down", 5, Phase.SYMPTOMS),
        ],
        faults=[FaultRecord("network_cut", {}, "e1", took_effect=True)],
        phases=[PhaseRecord(Phase.BASELINE, 0.0, 0.1), PhaseRecord(Phase.FAULT, 0.1)],
    )
    return kept(tmp_path, it.as_json())


def kept(folder: Path, data: object) -> Path:
    (folder / "content").mkdir(exist_ok=True)
    (folder / "content" / "drill.json").write_text(dumps(data))
    return folder


def read(folder: Path) -> Any:
    return json.loads((folder / "content" / "drill.json").read_text())


def test_a_drill_that_died_is_aborted_and_its_fault_gone(died: Path) -> None:
    before = read(died)
    closed(died, [undone("e1"), undone("of another drill")])
    after = read(died)
    assert after["outcome"] == "ABORTED"
    assert "process died in the phase fault" in after["reason"]
    assert after["axes"]["restored"] == {"holds": True, "reasons": []}
    assert after["faults"][0]["undo"] == "gone"
    assert [step["status"] for step in after["steps"]] == ["passed", "interrupted", "planned"]
    assert "undone by a later run: network_cut" in after["notes"][0]
    assert datetime.fromisoformat(after["ended_at"]).tzinfo is not None
    for name in ("run_id", "title", "phases", "timeline", "checks", "plays", "started_at", "objectives"):
        assert after[name] == before[name]


def test_a_fault_that_is_not_gone_is_not_restored_until_it_is(died: Path) -> None:
    closed(died, [undone("e1", "no host matched")])
    after = read(died)
    assert (after["outcome"], after["reason"]) == (
        "NOT_RESTORED",
        "a fault could not be undone: no host matched: undo it with 'drillbook restore'",
    )
    assert after["axes"]["restored"] == {"holds": False, "reasons": ["no host matched"]}
    assert (after["faults"][0]["undo"], after["faults"][0]["undo_problem"]) == ("failed", "no host matched")

    closed(died, [undone("e1")])
    again = read(died)
    assert again["faults"][0]["undo"] == "gone"
    assert again["outcome"] == "NOT_RESTORED", "what was found stays found; the note tells the rest"
    assert len(again["notes"]) == 2


def test_a_fault_whose_undo_was_never_on_disk_never_happened(died: Path) -> None:
    closed(died, [], known={})
    assert read(died)["faults"][0]["undo"] == "never happened"


def test_a_drill_that_had_ended_keeps_its_outcome(tmp_path: Path) -> None:
    it = record(faults=[FaultRecord("network_cut", {}, "e1", undo=UndoState.GONE, took_effect=True)])
    it.close(Verdict(Outcome.NOT_RECOVERED, "late", Axis(True), Axis(False, ("late",)), Axis(True)), "now", 1.0)
    folder = kept(tmp_path, it.as_json())
    closed(folder, [undone("e1")])
    after = read(folder)
    assert (after["outcome"], after["reason"], after["ended_at"]) == ("NOT_RECOVERED", "late", "now")


@pytest.mark.parametrize("text", ["", '{"run_id": "torn'])
def test_a_record_that_cannot_be_read_is_left_as_it_is_and_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "content" / "drill.json"
    path.parent.mkdir()
    path.write_text(text)
    told = closed(tmp_path, [undone("e1")])
    assert told is not None
    assert told.startswith("the record of the drill that died cannot be read and stays as it is, without a verdict: ")
    assert path.read_text() == text


def test_where_there_is_no_record_nothing_is_told(tmp_path: Path) -> None:
    assert closed(tmp_path, [undone("e1")]) is None
    assert list(tmp_path.iterdir()) == []


def test_a_fault_whose_entry_is_closed_is_gone(died: Path) -> None:
    closed(died, [], known={"e1": EntryState.CLOSED})
    record = json.loads((died / "content/drill.json").read_text())
    assert record["faults"][0]["undo"] == "gone"
    assert record["reason"].endswith("its faults were undone by then")
    assert record["outcome"] == "ABORTED"


def test_the_report_is_written_again_and_may_fail(died: Path) -> None:
    outcomes = []

    def write_report(folder: Path) -> None:
        outcomes.append(read(folder)["outcome"])
        raise OSError("no space left")

    assert close_dead_run(died, [undone("e1")], write_report=write_report) is None
    assert outcomes == ["ABORTED"], "the record is closed before"
