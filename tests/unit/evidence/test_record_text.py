"""The record's text, made of what was kept from the last one, is that of the whole record."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.evidence.files import dumps
from drillbook.evidence.record_text import Writing
from drillbook.evidence.redaction import Redactor
from drillbook.model.phases import Phase
from drillbook.model.record import (
    CheckRecord,
    EventRecord,
    ObservationRecord,
    PhaseRecord,
    Purpose,
    Record,
    StepRecord,
    StepStatus,
)
from tests.support import records

pytestmark = pytest.mark.unit


def record(steps: int = 3) -> Record:
    return records.record(
        title="A title\nof two lines, with \u2028 and \\n",
        steps=[StepRecord(number, "Given", f"it is {number}", number, Phase.BASELINE) for number in range(steps)],
    )


def whole(redactor: Redactor, it: Record) -> str:
    return dumps(redactor.data(it.as_json()))


def changes() -> list[Callable[[Record], object]]:
    play = replace(records.play(Purpose.FAULT), variables={"a": [1]})
    return [
        lambda it: None,
        lambda it: setattr(it.steps[0], "status", StepStatus.RUNNING) if it.steps else None,
        lambda it: setattr(it.steps[-1], "error", "wrong:\n  swordfish") if it.steps else None,
        lambda it: setattr(it.steps[0], "duration_s", 0.12345) if it.steps else None,
        lambda it: it.steps.append(StepRecord(9, "Then", "it is so", 9, Phase.CRITERIA)),
        lambda it: it.checks.append(CheckRecord(1, Phase.BASELINE, "it", "api", "up", "down", False)),
        lambda it: setattr(it.checks[0], "met", True) if it.checks else None,
        lambda it: it.timeline.append(EventRecord("recovered", "now", 1.0, 0.1, "it")),
        lambda it: it.timeline.clear(),
        lambda it: it.plays.append(play),
        lambda it: it.notes.append("marlinspike was said"),
        lambda it: it.observations.append(ObservationRecord(Phase.CRITERIA, 1, "it", {"seen": [1]}, "", 1.0)),
        lambda it: it.observations[0].value.setdefault("seen", []).append("marlinspike") if it.observations else None,
        lambda it: it.observations[0].value.update(seen=[True]) if it.observations else None,
        lambda it: it.observations.append(ObservationRecord(Phase.CRITERIA, 1, "it", OrderedDict(a=1), "", 1.0)),
        lambda it: it.plays.reverse(),
        lambda it: it.phases.append(PhaseRecord(Phase.FAULT, 1.0)),
    ]


@given(st.lists(st.integers(0, len(changes()) - 1), max_size=12), st.integers(0, 12), st.integers(0, 2))
def test_it_is_the_text_of_the_whole_at_every_instant(order: list[int], secret_at: int, steps: int) -> None:
    redactor, it, do = Redactor(), record(steps), changes()
    redactor.add("first", "swordfish")
    writing = Writing(redactor)
    for number, each in enumerate(order):
        if number == secret_at:
            redactor.add("second", "marlinspike")
        do[each](it)
        assert writing.text(it) == whole(redactor, it)


def test_a_secret_that_comes_later_is_not_left_in_a_row_that_was_kept() -> None:
    redactor, it = Redactor(), record()
    it.steps[1].error = "the password is marlinspike"
    writing = Writing(redactor)
    assert "marlinspike" in writing.text(it)
    redactor.add("later", "marlinspike")
    assert "marlinspike" not in writing.text(it)
    assert writing.text(it) == whole(redactor, it)


@pytest.mark.parametrize("name", ["objectives", "prerequisites", "schema"])
def test_a_secret_that_is_a_name_of_the_schema_is_no_exception(name: str) -> None:
    redactor, it = Redactor(), record()
    redactor.add("odd", name)
    text = Writing(redactor).text(it)
    assert text == whole(redactor, it)
    found: dict[str, Any] = json.loads(text)
    assert name not in found
