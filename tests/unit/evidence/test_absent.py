"""No value of a record is missing without a reason."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from drillbook.evidence.absent import why_absent
from drillbook.evidence.reader import read_record
from drillbook.evidence.record_text import Writing
from drillbook.evidence.redaction import Redactor
from drillbook.model.objectives import Objectives
from drillbook.model.record import ClockRecord, Record, TimesRecord
from drillbook.model.times.timeline import Event
from tests.support import ROOT
from tests.support.records import CONTROL, record

pytestmark = pytest.mark.unit

RECORDS = sorted((ROOT / "tests/data").glob("**/drill.json"))
PARTS = ("scenario", "objectives", "times", "control", "clock")


def nulls(it: Record) -> set[str]:
    """The places of the record, and of those parts of it, that hold nothing."""

    def of(part: Any, before: str) -> set[str]:
        return {f"{before}{each.name}" for each in fields(part) if getattr(part, each.name) is None}

    found = of(it, "")
    for name in PARTS:
        part = getattr(it, name)
        if is_dataclass(part):
            found |= of(part, f"{name}.")
    # a reason is absent where the values are there
    return found - {"clock.reason"}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parents[1].name)
def test_each_null_has_its_reason(path: Path) -> None:
    it = read_record(path)
    said = why_absent(it)
    assert nulls(it) <= set(said)
    empty = {name for name in set(said) - nulls(it) if getattr(it, name)}
    assert not empty, "of what is there nobody says that it is not"
    assert json.loads(Writing(Redactor()).text(it))["absent"] == said


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"control": CONTROL},
        {"clock": ClockRecord(reason="the kernel does not tell it here: Operation not permitted")},
        {"clock": ClockRecord(True, 0.1, 0.1), "people": ["Ada"], "git": {"commit": "x"}},
        {"objectives": Objectives(None, Event.FAULT_INJECTED, None), "ended_at": "2026-11-22T12:00:00Z"},
        {"times": TimesRecord(detect_s=1.0, detect_uncertainty_s=0.1, recover_s=2.0, recover_uncertainty_s=0.1)},
    ],
)
def test_also_of_a_record_that_is_under_way(more: dict[str, Any]) -> None:
    it = record(**more)
    assert nulls(it) <= set(why_absent(it))
    assert ("people" in why_absent(it)) is not bool(it.people)


def test_the_reason_says_how_far_it_came() -> None:
    assert why_absent(record())["times.recover_s"] == "the drill is under way, or was killed before its end"
    ended = record(ended_at="2026-11-22T12:00:00Z")
    assert why_absent(ended)["times.alert_s"] == "no alert was waited for, or none came"
    told = record(clock=ClockRecord(reason="no such call"))
    assert why_absent(told)["clock.synchronised"] == "no such call"
