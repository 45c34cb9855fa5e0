"""When nobody looked."""

from __future__ import annotations

import pytest

from drillbook.model.times.gaps import Gap, gaps_in, longest
from tests.support.unit import no_answer, sample

pytestmark = pytest.mark.unit

LIMIT_S = 1.5


def test_looks_that_are_close_leave_no_gap() -> None:
    assert gaps_in([sample(at=at) for at in range(5)], LIMIT_S, 0.0, 5.0) == []
    assert gaps_in([], LIMIT_S) == []


def test_a_gap_lies_between_two_answers() -> None:
    assert gaps_in([sample(at=0.0, took=0.5), sample(at=5.0, took=0.25)], LIMIT_S) == [Gap(0.5, 5.25)]
    assert str(Gap(0.5, 9.5)) == "nobody looked for 9.0 s"


def test_a_gap_may_be_at_the_begin_and_at_the_end_of_a_span() -> None:
    found = gaps_in([sample(at=4.0, took=0.0)], LIMIT_S, 1.0, 9.0)
    assert found == [Gap(1.0, 4.0), Gap(4.0, 9.0)]
    assert longest(found) == Gap(4.0, 9.0)
    assert gaps_in([], LIMIT_S, 1.0, 9.0) == [Gap(1.0, 9.0)]
    assert longest([]) is None


def test_an_answer_that_came_late_shows_its_own_moment() -> None:
    assert gaps_in([sample(at=0.0, took=0.0), sample(at=0.1, took=9.0)], LIMIT_S) == [Gap(0.0, 9.1)]


def test_silence_shows_all_of_the_waiting() -> None:
    waited = sample(at=0.1, took=9.0, ok=False, error="no answer in time")
    assert gaps_in([no_answer(at=0.0), waited, no_answer(at=9.2)], LIMIT_S) == []


def test_looks_that_overlap_cover_each_other() -> None:
    looks = [sample(at=0.0, took=4.0), *(sample(at=at / 2, took=0.1) for at in range(1, 9))]
    assert gaps_in(looks, LIMIT_S, 0.0, 4.0) == []
