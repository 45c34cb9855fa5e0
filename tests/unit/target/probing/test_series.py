"""A series: samples in their order, found by time, waited for with a deadline."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.target.probing.series import Series
from tests.support.unit import DEADLINE_S, quickly, sample

pytestmark = pytest.mark.unit


def series(*sent: float) -> Series:
    it = Series("api")
    for at in sent:
        it.append(sample(at=at))
    return it


def test_latency_is_from_the_question_to_the_answer() -> None:
    assert sample(at=5.0, took=0.25).latency_ms == pytest.approx(250)


def test_what_was_appended_is_there_in_its_order() -> None:
    it = series(1, 2, 3)
    assert len(it) == 3
    assert it[1].sent_s == 2
    before = it.all()
    it.append(sample(at=4))
    assert [each.sent_s for each in before] == [1, 2, 3]


@quickly
@given(st.lists(st.integers(0, 20)), st.integers(-1, 21))
def test_the_first_since(sent: list[int], since: int) -> None:
    sent.sort()
    assert series(*sent).first_index_since(since) == sum(at < since for at in sent)


def test_waiting_ends_with_the_next_sample() -> None:
    it = series(1)
    writer = threading.Thread(target=it.append, args=(sample(at=2),))
    writer.start()
    assert it.wait_beyond(1, time.monotonic() + DEADLINE_S)
    writer.join()
    assert it.wait_beyond(1, time.monotonic() - 1), "it is there already, whatever the time"


def test_waiting_ends_at_its_deadline() -> None:
    assert not series(1).wait_beyond(1, time.monotonic() + 0.01)
    assert not series(1).wait_beyond(1, time.monotonic() - 1)


def test_waiting_ends_when_it_is_told_to() -> None:
    assert not series(1).wait_beyond(1, time.monotonic() + DEADLINE_S, stop=lambda: True)


def test_several_series_may_share_a_condition() -> None:
    shared = threading.Condition()
    one, other = Series("one", shared), Series("other", shared)
    one.append(sample())
    assert (len(one), len(other)) == (1, 0)
