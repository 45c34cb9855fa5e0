"""A record says which drills its session collected, and which of them were not to run and why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.model.record import LeftOutRecord, PopulationRecord
from drillbook.pytest_plugin.collecting.collection import unasked_key
from drillbook.pytest_plugin.drilling import KEEP_IDS, _population
from drillbook.pytest_plugin.roll_call import LEFT_OUT, RollCall

pytestmark = pytest.mark.unit


def config(**options: Any) -> pytest.Config:
    return cast(pytest.Config, SimpleNamespace(stash=pytest.Stash(), option=SimpleNamespace(**options)))


def collected(of: pytest.Config, names: list[str], to_be_run: list[str]) -> RollCall:
    roll = RollCall(of, [])
    roll._collected = dict.fromkeys(names, LEFT_OUT)
    session = SimpleNamespace(items=[SimpleNamespace(nodeid=each) for each in to_be_run])
    roll.pytest_collection_finish(cast(pytest.Session, session))
    return roll


def test_what_was_left_out_is_named_with_the_option_that_did_it() -> None:
    of = config(keyword="cut", markexpr="", deselect=["x"])
    of.stash[unasked_key] = ["c"]
    collected(of, ["a", "b", "c"], ["a"])
    assert _population(of) == PopulationRecord(
        3, 1, 2, [LeftOutRecord("b", "left out by -k, --deselect"), LeftOutRecord("c", "not asked for")]
    )


def test_without_an_option_it_was_a_hook() -> None:
    of = config()
    collected(of, ["a", "b"], ["a"])
    assert _population(of) == PopulationRecord(2, 1, 1, [LeftOutRecord("b", "left out by a hook or a plugin")])


def test_what_is_handed_over_later_changes_nothing_of_it_and_a_secret_in_a_title_is_not_told() -> None:
    of = config(keyword="x")
    roll = collected(of, ["a", "b::swordfish"], ["a"])
    roll.expect(["a"])
    roll.renamed("b::swordfish", "b::[REDACTED]")
    assert _population(of) == PopulationRecord(2, 1, 1, [LeftOutRecord("b::[REDACTED]", "left out by -k")])


def test_of_many_the_first_are_named_and_all_are_counted() -> None:
    of = config()
    collected(of, [str(number) for number in range(500)], [])
    found = _population(of)
    assert found is not None
    assert (found.collected, found.selected, found.deselected_count, len(found.deselected)) == (500, 0, 500, KEEP_IDS)


def test_a_session_that_collected_nothing_tells_nothing() -> None:
    assert _population(config()) is None
