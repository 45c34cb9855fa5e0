"""A wait tells what it waits for when it begins, and with each thing it sees, how long it still may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drillbook.checks import At, looked
from drillbook.engine.looking import Demanding
from drillbook.engine.stability import look_again
from drillbook.engine.under_way import UnderWay
from tests.unit.engine.drills import AGO_S, under_way

pytestmark = pytest.mark.unit

UP = At("api", "the API").json("status", "the status").is_("up")
EMPTY = looked("the queue", lambda: 0).is_(0)


@pytest.fixture
def drill(tmp_path: Path) -> UnderWay:
    return under_way(tmp_path, "-+" * 16)


@pytest.fixture
def told(drill: UnderWay) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    drill.log.tell = lambda event, **more: details.append(more) if event == "detail" else None
    return details


def test_a_deadline(drill: UnderWay, told: list[dict[str, Any]]) -> None:
    Demanding(drill).eventually(UP, within=60)
    assert [each["text"].partition(":")[0] for each in told] == [UP.name] * 3
    # before the first look, then what was seen
    assert told[0]["text"] == UP.name
    assert "(required: " in told[1]["text"]
    assert [each["left_s"] for each in told] == [pytest.approx(60 - AGO_S, abs=1.0)] * 3


def test_a_window_may_begin_at_the_last_moment(drill: UnderWay, told: list[dict[str, Any]]) -> None:
    Demanding(drill).throughout(EMPTY, for_=0.01, within=60)
    assert told[0]["left_s"] == pytest.approx(60 - AGO_S, abs=1.0)


def test_what_is_over_has_nothing_left(drill: UnderWay, told: list[dict[str, Any]]) -> None:
    Demanding(drill).eventually(UP, within=10)
    assert {each["left_s"] for each in told} == {0.0}


def test_the_look_at_the_baseline(drill: UnderWay, told: list[dict[str, Any]]) -> None:
    look_again(drill.log, drill.prober, EMPTY, 1, since_s=drill.opened_s, within_s=90)
    assert (told[0]["text"], told[0]["left_s"]) == (EMPTY.name, pytest.approx(90, abs=1.0))
