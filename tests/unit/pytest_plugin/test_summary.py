"""What other programs read of a session: whole or not at all, and never that of an earlier one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.evidence.render.numbers import numbers_of
from drillbook.model.record import TimesRecord
from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin import summary
from drillbook.pytest_plugin.outcomes import DrillOutcome, junit_properties
from tests.support.records import record, work

pytestmark = pytest.mark.unit

TIMES = TimesRecord(detect_s=1.50049, recover_s=23.5, rto_s=60.0, rto_met=True, bounds=["recover"])
NUMBERS = numbers_of(record(times=TIMES, work=work(40, lost=2, accepted_lost=2)))
PASSED = DrillOutcome("x::S", "x::S", "", Outcome.PASSED, "recovered", "evidence/one", numbers=NUMBERS)
CONTROLS = [
    replace(PASSED, nodeid=f"x::S[{name}]", control=name, outcome=Outcome.HELD, numbers={})
    for name in ("no-fault", "no-recovery", "recovery-twice")
]


def session(tmp_path: Path, named: str | None = "out/summary.json", worker: bool = False, **asked: bool) -> Any:
    option = SimpleNamespace(**{"help": False, "version": False, "collectonly": False, "plan": False} | asked)
    made = SimpleNamespace(
        getoption=lambda _name: named, option=option, invocation_params=SimpleNamespace(dir=tmp_path)
    )
    if worker:
        made.workerinput = {}
    return made


def test_the_numbers_of_a_drill() -> None:
    assert NUMBERS["detect_s"] == 1.5
    assert (NUMBERS["recover_s"], NUMBERS["recover_bounded"]) == (23.5, True)
    assert "detect_bounded" not in NUMBERS
    assert (NUMBERS["lost"], NUMBERS["accepted_lost"], NUMBERS["alert_s"]) == (2, 2, None)
    # the names are the same without work
    assert numbers_of(record(times=TIMES, work=None)).keys() == NUMBERS.keys()


def test_what_is_in_it(tmp_path: Path) -> None:
    bad = DrillOutcome("x::T", "x::T", "", Outcome.NOT_RESTORED, "it is still cut", None)
    config = session(tmp_path)
    summary.begin(config)
    assert summary.write(config, [PASSED, *CONTROLS, bad], {"x::U": "left out"}, 12) is None
    said = json.loads((tmp_path / "out/summary.json").read_text())
    assert (said["schema"], said["exit_status"], said["worst"]) == (summary.SCHEMA, 12, "NOT_RESTORED")
    assert said["drills"][0] == {
        "id": "x::S",
        "scenario": "x::S",
        "control": None,
        "outcome": "PASSED",
        "good": True,
        "reason": "recovered",
        "evidence": "evidence/one",
        "numbers": dict(NUMBERS),
    }
    assert [each["control"] for each in said["drills"]] == [None, "no-fault", "no-recovery", "recovery-twice", None]
    assert said["not_run"] == [{"id": "x::U", "why": "left out"}]
    assert said["proofs"] == [{"scenario": "x::S", "proven": True, "against": None}]


def test_a_session_without_a_drill_says_so(tmp_path: Path) -> None:
    said = summary.summary([], {}, 5)
    assert (said["exit_status"], said["worst"], said["drills"]) == (5, None, [])


def test_an_earlier_one_is_gone_when_a_session_begins(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    old = tmp_path / "out/summary.json"
    old.write_text("{}")
    summary.begin(session(tmp_path))
    assert list(old.parent.iterdir()) == []


@pytest.mark.parametrize("asked", ["help", "version", "collectonly", "plan"])
def test_a_session_that_runs_nothing_writes_nothing_and_takes_nothing_away(tmp_path: Path, asked: str) -> None:
    (tmp_path / "kept.json").write_text("old")
    config = session(tmp_path, "kept.json", **{asked: True})
    summary.begin(config)
    assert summary.write(config, [PASSED], {}, 0) is None
    assert (tmp_path / "kept.json").read_text() == "old"


@pytest.mark.parametrize(("named", "worker"), [(None, False), ("", False), ("x.json", True)])
def test_who_is_not_asked_writes_nothing(tmp_path: Path, named: str | None, worker: bool) -> None:
    config = session(tmp_path, named, worker)
    summary.begin(config)
    assert summary.write(config, [PASSED], {}, 0) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["folder", "file/summary.json"])
def test_a_place_where_nothing_can_be_written_is_told_before_the_drills(tmp_path: Path, named: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(pytest.UsageError, match=r"--summary: .* cannot be written .*: name a file"):
        summary.begin(session(tmp_path, named))


def test_one_that_cannot_be_written_at_the_end_is_told(tmp_path: Path) -> None:
    config = session(tmp_path, "gone/summary.json")
    assert str(summary.write(config, [PASSED], {}, 0)).startswith("--summary: ")


def test_junit_has_the_outcome_and_the_numbers_by_name() -> None:
    found = dict(junit_properties(PASSED))
    assert found["x::S"] == "PASSED: recovered (evidence/one)"
    assert found["x::S#outcome"] == "PASSED"
    assert (found["x::S#recover_s"], found["x::S#recover_bounded"], found["x::S#lost"]) == ("23.5", "true", "2")
    # what was not measured is not there: an empty text is no number
    assert "x::S#alert_s" not in found
    assert "x::S#rto_s" in found
