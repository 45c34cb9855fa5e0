"""Records are read whole or not at all, and what is wrong with one is said in a sentence that names the place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps
from drillbook.evidence.reader import NoRecordError, RecordError, read_record
from drillbook.model.control import ControlKind
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import (
    Purpose,
    Record,
    RepeatRecord,
    StepStatus,
    SwitchState,
    UndoState,
    to_plain,
)
from drillbook.model.times.overhead import Part
from drillbook.model.times.timeline import Event
from drillbook.model.verdict import Axis, Outcome
from tests.support import ROOT, records

pytestmark = pytest.mark.unit

RECORDS = ROOT / "tests/data/records"
"""Records that drills wrote before there was this reader."""
EXAMPLE = ROOT / "tests/data/drill_example"
OLD = ("passed", "control", "killed")


def text_of(folder: Path) -> str:
    return (folder / "content/drill.json").read_text(encoding="utf-8")


def kept(folder: Path, document: object) -> Path:
    (folder / "content").mkdir()
    (folder / "content/drill.json").write_text(dumps(document), encoding="utf-8")
    return folder


def known_then(now: Any, then: Any) -> Any:
    """What is written now without the fields that an older record does not have, which hold nothing."""
    if isinstance(now, dict) and isinstance(then, dict):
        assert not any(value for name, value in now.items() if name not in then)
        return {name: known_then(now[name], value) for name, value in then.items()}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [known_then(*pair) for pair in zip(now, then, strict=True)]
    return now


# ---- records of drills that ran ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OLD)
def test_an_old_record_is_read_with_every_field(name: str) -> None:
    plain, record = json.loads(text_of(RECORDS / name)), read_record(RECORDS / name)
    names = {each.name for each in fields(Record)}
    assert set(plain) - {"schema"} <= names
    for field in names & set(plain):
        assert known_then(to_plain(getattr(record, field)), plain[field]) == plain[field], field
    assert not any(getattr(record, field) for field in names - set(plain)), "what was not known then holds nothing"


@pytest.mark.parametrize("name", OLD)
def test_an_old_record_that_is_written_again_is_the_same_text(name: str) -> None:
    again = known_then(read_record(RECORDS / name).as_json(), json.loads(text_of(RECORDS / name)))
    assert dumps(again) == text_of(RECORDS / name)


def test_a_passed_drill_is_read_into_types() -> None:
    record = read_record(RECORDS / "passed/content/drill.json")
    assert record.outcome is Outcome.PASSED
    assert record.axes["restored"] == Axis(True)
    assert record.objectives == Objectives(600.0, Event.FAULT_INJECTED, record.objectives.severity)
    assert [each.phase for each in record.phases][-1] is Phase.RESTORE
    assert {each.status for each in record.steps} == {StepStatus.PASSED}
    assert {each.undo for each in record.faults} == {UndoState.GONE}
    assert {each.switch for each in record.faults} <= {None, SwitchState.DISARMED}
    assert Purpose.RECOVERY in {each.purpose for each in record.plays}
    assert record.overhead is not None
    assert Part.PLAY_START in {each.part for each in record.overhead.stretches}
    assert record.control is None


def test_a_control_is_read_into_types() -> None:
    record = read_record(RECORDS / "control")
    assert record.control is not None
    assert (record.control.kind, record.outcome) == (ControlKind.NO_FAULT, Outcome.HELD)
    assert StepStatus.WITHHELD in {each.status for each in record.steps}


def test_an_unfinished_record_has_no_verdict() -> None:
    record = read_record(RECORDS / "killed")
    assert (record.outcome, record.reason, record.axes, record.ended_at, record.overhead) == (
        None,
        None,
        {},
        None,
        None,
    )
    assert record.phases[-1].ended_s is None
    assert StepStatus.RUNNING in {each.status for each in record.steps}


def test_the_end_of_a_drill_that_was_its_control_is_read(tmp_path: Path) -> None:
    ended = RepeatRecord(Outcome.HELD, "nothing changed")
    assert read_record(kept(tmp_path, records.record(repeat=ended).as_json())).repeat == ended


def test_fields_that_came_later_get_their_defaults() -> None:
    plain, record = json.loads(text_of(EXAMPLE)), read_record(EXAMPLE)
    assert "description" not in plain["scenario"]
    assert "accepted_lost" not in plain["objectives"]
    assert (record.scenario.description, record.objectives.accepted_lost) == ("", None)
    assert dumps(known_then(record.as_json(), plain)) == text_of(EXAMPLE)


def test_a_record_of_the_first_version_is_read(tmp_path: Path) -> None:
    plain = json.loads(text_of(RECORDS / "passed"))
    for name in ("control", "repeat", "people", "prerequisites", "observations", "overhead"):
        del plain[name]
    for rows, names in (("faults", ("step", "switch")), ("plays", ("warm", "warnings")), ("checks", ("role",))):
        for row in plain[rows]:
            for name in names:
                del row[name]
    record = read_record(kept(tmp_path, plain))
    assert (record.people, record.observations, record.control, record.faults[0].switch) == ([], [], None, None)


# ---- what is written and is no plain number ---------------------------------------------------------------------


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    plain = records.record().as_json()
    plain["process"] = "[REDACTED:pin]"  # a secret that is a number, too
    plain["objectives"]["rto_s"] = 60
    plain["duration_s"] = "inf"
    kept(tmp_path, plain)
    assert dumps(read_record(tmp_path).as_json()) == text_of(tmp_path)


# ---- what is damaged --------------------------------------------------------------------------------------------

Damage = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda it: it.pop("run_id"), "the record has no 'run_id'"),
        (lambda it: it["feature"].pop("path"), "feature has no 'path'"),
        (lambda it: it.update(colour="red"), "the record has a field 'colour' that is not known"),
        (lambda it: it["steps"][1].update(colour="red"), "steps[1] has a field 'colour' that is not known"),
        (lambda it: it["steps"][1].update(status="done"), "steps[1].status is 'done', and none of planned, running,"),
        (lambda it: it["steps"][0].update(line=True), "steps[0].line is True, and not a number"),
        (lambda it: it["steps"][0].update(started_s="soon"), "steps[0].started_s is 'soon', and not a number"),
        (lambda it: it["checks"][0].update(met=None), "checks[0].met is None, and not true or false"),
        (lambda it: it["times"].update(rto_clock=3), "times.rto_clock is 3, and not a text"),
        (lambda it: it.update(plays={}), "plays is {}, and not a list"),
        (lambda it: it.update(harness=[]), "harness is [], and not an object"),
        (lambda it: it.update(times=None), "times is None, and not an object"),
        (lambda it: it["axes"]["valid"].update(reasons=[1]), "axes.valid.reasons[0] is 1, and not a text"),
        (lambda it: it.update(outcome="FINE"), "outcome is 'FINE', and none of PASSED,"),
    ],
)
def test_damage_is_named_with_its_place_and_what_to_do(tmp_path: Path, damage: Damage, says: str) -> None:
    plain = json.loads(text_of(RECORDS / "passed"))
    whole = copy.deepcopy(plain)
    damage(plain)
    assert plain != whole
    folder = kept(tmp_path, plain)
    with pytest.raises(RecordError) as raised:
        read_record(folder)
    assert str(raised.value).startswith(f"{folder}/content/drill.json: {says}")
    assert str(raised.value) == f"{folder}/content/drill.json: {raised.value.why}"
    assert raised.value.why.endswith("take the folder away")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ('{"schema": "drillbook', "is not JSON"),
        ("[]", "schema 'list' is unknown; this version of Drillbook reads 'drillbook/drill/1'"),
        ("{}", "schema None is unknown"),
        ('{"schema": "drillbook/drill/2"}', "schema 'drillbook/drill/2' is unknown"),
    ],
)
def test_what_is_no_record_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "drill.json"
    path.write_text(text)
    with pytest.raises(RecordError) as raised:
        read_record(path)
    assert str(raised.value).startswith(f"{path}: {says}")
    assert not isinstance(raised.value, NoRecordError)


def test_a_record_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(NoRecordError, match=r"name an evidence folder that holds content/drill\.json"):
        read_record(tmp_path)
    (tmp_path / "content").mkdir()
    (tmp_path / "content/drill.json").mkdir()
    with pytest.raises(DrillbookError, match="cannot be read") as raised:
        read_record(tmp_path)
    assert not isinstance(raised.value, NoRecordError)
