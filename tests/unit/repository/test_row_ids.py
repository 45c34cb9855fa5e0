"""By its id a row of an outline is run, reported and counted: each has one, and no two are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.model.control import STANDARD
from drillbook.repository.feature_file import Row
from drillbook.repository.preflight import row_ids
from tests.support.unit import quickly

pytestmark = pytest.mark.unit


def ids(*rows: tuple[str, ...]) -> list[str]:
    return row_ids([Row(1, dict(enumerate(row)), frozenset()) for row in rows])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "given_ids"),
    [
        ([("eu", "2"), ("us", "3")], ["eu-2", "us-3"]),
        ([("",), ("",)], ["empty", "empty_2"]),
        ([("",), ("empty",)], ["empty", "empty_2"]),
        ([("a-b", "c"), ("a", "b-c")], ["a-b-c", "a-b-c_2"]),
        ([("x",), ("x",), ("x_2",)], ["x", "x_3", "x_2"]),
        ([("x_2",), ("x",), ("x",)], ["x_2", "x", "x_3"]),
        ([("a",), ("a-no-fault",)], ["a", "a-no-fault_2"]),
        ([("a",), ("a-without:x.yml:1",)], ["a", "a-without:x.yml:1_2"]),
        ([("a\nb",), ("a b",)], ["a b", "a b_2"]),
    ],
)
def test_each_row_has_an_id_of_its_own(rows: list[tuple[str, ...]], given_ids: list[str]) -> None:
    assert ids(*rows) == given_ids


@quickly
@given(st.lists(st.sampled_from(["", "a", "a_2", "a_2_2", "a_3", "empty", "no-fault", "a-no-fault"]), max_size=9))
def test_no_row_is_another_or_the_control_of_one(values: list[str]) -> None:
    found = ids(*((value,) for value in values))
    controls = [f"{each}-{kind}" for each in found for kind in STANDARD]
    assert len({*found, *controls}) == len(found) + len(controls)
    assert all(found)
