"""The record as plain JSON: whatever stands in it, JSON can hold it, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.model.phases import Phase
from drillbook.model.record import SCHEMA, StepRecord, to_plain
from drillbook.model.verdict import Axis, Outcome, Verdict
from tests.support.records import record
from tests.support.unit import quickly

pytestmark = pytest.mark.unit


class Level(IntEnum):
    HIGH = 3


class Pair(Enum):
    ONE = (1, Path("a"))


class Word(StrEnum):
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Inner:
    path: PurePosixPath
    seconds: float


@dataclass
class Outer:
    inner: Inner
    many: tuple[Inner, ...] = ()
    named: Mapping[Any, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (7, 7),
        ("text", "text"),
        (1.23456, 1.235),
        (float("nan"), "nan"),
        (-math.inf, "-inf"),
        (Path("a/b"), "a/b"),
        (Word.YES, "yes"),
        (Level.HIGH, 3),
        (Pair.ONE, [1, "a"]),
        ((1, [2, (3,)]), [1, [2, [3]]]),
        ({"b", "c", "a"}, ["a", "b", "c"]),
        (frozenset({3, 20}), [20, 3]),
        ({1: Path("x"), Word.YES: 2}, {"1": "x", "yes": 2}),
        (b"raw", "b'raw'"),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22 00:00:00+00:00"),
        (
            Outer(Inner(PurePosixPath("a"), 0.0004), (Inner(PurePosixPath("b"), 2),)),
            {"inner": {"path": "a", "seconds": 0.0}, "many": [{"path": "b", "seconds": 2}], "named": {}},
        ),
    ],
)
def test_to_plain(value: object, plain: object) -> None:
    assert to_plain(value) == plain
    assert type(to_plain(value)) is type(plain)


def test_a_class_is_no_record_of_its_own() -> None:
    assert to_plain(Inner) == str(Inner)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([Word.YES, Level.HIGH, Pair.ONE, Path("a/b"), b"x"])
    | st.datetimes()
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.sampled_from(Word), inner, max_size=3)
        | st.frozensets(st.text() | st.floats(), max_size=3)
        | st.builds(
            Outer, st.builds(Inner, st.just(PurePosixPath("p")), st.floats()), named=inner.map(lambda x: {"x": x})
        )
    ),
    max_leaves=8,
)


@quickly
@given(values)
def test_whatever_it_is_json_can_hold_it_and_twice_is_once(value: object) -> None:
    plain = to_plain(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert to_plain(plain) == plain


def test_a_record_names_its_schema_and_holds_plain_values() -> None:
    steps = [StepRecord(1, "Given", "the system is healthy", 7, Phase.BASELINE, started_s=0.00049)]
    plain = record(steps=steps).as_json()
    assert plain["schema"] == SCHEMA
    assert plain["outcome"] is None
    assert plain["steps"][0] | {"phase": "baseline", "status": "planned", "started_s": 0.0} == plain["steps"][0]
    assert json.loads(json.dumps(plain)) == plain


def test_closing_writes_the_verdict() -> None:
    it = record()
    verdict = Verdict(Outcome.NOT_RECOVERED, "late", Axis(True), Axis(False, ("late",)), Axis(None))
    it.close(verdict, "2026-11-22T12:01:00.000Z", 60.0)
    plain = it.as_json()
    assert (plain["outcome"], plain["reason"], plain["duration_s"]) == ("NOT_RECOVERED", "late", 60.0)
    assert plain["ended_at"] == "2026-11-22T12:01:00.000Z"
    assert plain["axes"] == {
        "valid": {"holds": True, "reasons": []},
        "recovered": {"holds": False, "reasons": ["late"]},
        "restored": {"holds": None, "reasons": []},
    }
