"""Moments, the times between them, and windows in a series of samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.model.times.timeline import Event, Moment, Span, Times, times
from drillbook.model.times.windows import Found, Judged, Window, last_recovery
from tests.support.unit import quickly

pytestmark = pytest.mark.unit

TOOK_S = 0.25


def at(seconds: float, unsure: float = 0.0) -> Moment:
    return Moment(seconds, unsure)


def test_a_time_to_a_moment_that_is_a_bound_is_one() -> None:
    took = times({**INCIDENT, Event.RECOVERED: Moment(14.0, 9.0, bounded=True)}).recover
    assert took is not None
    assert took == Span(11.0, 9.1, True)
    assert took.least_s == pytest.approx(1.9)
    assert Span(11.0, 9.1).least_s == 11.0


def test_a_clock_that_perhaps_started_long_before_makes_a_bound_too() -> None:
    late = {**INCIDENT, Event.SYMPTOM_OBSERVED: Moment(9.0, 5.5, bounded=True)}
    assert times(late).act == Span(6.5, 5.5, True)
    assert times(late, Event.SYMPTOM_OBSERVED).recover == Span(10.5, 6.0, True)


def history(marks: str, step_s: float = 1.0) -> list[Judged]:
    """One sample a second: `+` met, `-` not, a blank is a second in which nobody looked."""
    return [
        Judged(number * step_s, number * step_s + TOOK_S, mark == "+")
        for number, mark in enumerate(marks)
        if mark != " "
    ]


def found(marks: str, length_s: float, max_gap_s: float = 1.5) -> Found | None:
    return first_in(history(marks), length_s, max_gap_s)


def first_in(samples: Sequence[Judged], length_s: float, max_gap_s: float) -> Found | None:
    window = Window(length_s, max_gap_s)
    return next((it for each in samples if (it := window.feed(each)) is not None), None)


INCIDENT = {
    Event.FAULT_INJECTED: at(3.0, 0.1),
    Event.SYMPTOM_OBSERVED: at(3.5, 0.25),
    Event.ALERTED: at(5.0),
    Event.RECOVERY_STARTED: at(10.0),
    Event.RECOVERED: at(14.0, 0.5),
}


def test_the_times_of_an_incident_carry_both_uncertainties() -> None:
    assert times(INCIDENT) == Times(Span(0.5, 0.35), Span(2.0, 0.1), Span(6.5, 0.25), Span(11.0, 0.6))


def test_the_clock_of_the_rto_may_start_with_another_event() -> None:
    assert times(INCIDENT, Event.ALERTED).recover == Span(9.0, 0.5)


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        (Event.FAULT_INJECTED, {"detect", "alert", "recover"}),
        (Event.SYMPTOM_OBSERVED, {"detect", "act"}),
        (Event.ALERTED, {"alert"}),
        (Event.RECOVERY_STARTED, {"act"}),
        (Event.RECOVERED, {"recover"}),
    ],
)
def test_a_time_without_one_of_its_moments_is_none(missing: Event, gone: set[str]) -> None:
    seen = times({event: moment for event, moment in INCIDENT.items() if event is not missing})
    assert {name for name in Times.__slots__ if getattr(seen, name) is None} == gone


def test_the_first_met_sample_is_the_moment() -> None:
    assert found("--+-", 0) == Found(2.25, 1.25, 2.25)


def test_without_a_sample_before_it_the_moment_is_as_unsure_as_its_own_question() -> None:
    assert found("+", 0) == Found(0.25, 0.25, 0.25)


def test_a_first_sample_that_is_met_is_unsure_back_to_the_one_before_it_that_nobody_fed() -> None:
    window = Window(0.0, 1.5, asked_before_s=1.0)
    assert window.feed(Judged(3.0, 3.25, True)) == Found(3.25, 2.25, 3.25)
    window = Window(0.0, 1.5, asked_before_s=1.0)
    window.feed(Judged(3.0, 3.25, False))
    assert window.feed(Judged(4.0, 4.25, True)) == Found(4.25, 1.25, 4.25)


def test_never_met() -> None:
    assert found("----", 0) is None


def test_a_window_begins_with_its_first_met_sample() -> None:
    assert found("-++++", 3) == Found(1.25, 1.25, 4.25)


@pytest.mark.parametrize("marks", ["-+++", "++-++", "++-++-++", "   "])
def test_a_window_that_is_too_short_is_none(marks: str) -> None:
    assert found(marks, 3) is None


def test_breaks_are_counted() -> None:
    assert found("+-++-++++", 3) == Found(5.25, 1.25, 8.25, breaks=2)
    assert found("--+--", 0) == Found(2.25, 1.25, 2.25, breaks=0)


def test_a_second_in_which_nobody_looked_breaks_a_window() -> None:
    assert found("++ +++", 3) is None
    assert found("++ ++++", 3) == Found(3.25, 2.25, 6.25, breaks=1)


def test_a_gap_that_is_allowed_does_not() -> None:
    assert found("++ +++", 3, max_gap_s=2) == Found(0.25, 0.25, 3.25)


def test_a_gap_before_a_window_breaks_nothing_but_makes_it_unsure() -> None:
    assert found("-   +", 0) == Found(4.25, 4.25, 4.25, breaks=0)


def reference(samples: Sequence[Judged], length_s: float, max_gap_s: float) -> tuple[float, float] | None:
    """Every pair of samples, in the order of their ends: (begin, end) of the first that spans the length unbroken.

    Of several begins for one end, the earliest of its own unbroken run counts.
    """
    for last, end in enumerate(samples):
        for first in range(last + 1):
            run = samples[first : last + 1]
            unbroken = all(each.met for each in run) and all(
                after.done_s - before.done_s <= max_gap_s for before, after in pairwise(run)
            )
            if unbroken and end.done_s - run[0].done_s >= length_s:
                return run[0].done_s, end.done_s
    return None


steps = st.tuples(st.integers(0, 12), st.integers(0, 8), st.booleans())
"""Of a sample: quarters of a second since the one before ended, quarters that it took, whether it met the check."""


def series(parts: Sequence[tuple[int, int, bool]]) -> list[Judged]:
    samples, now = [], 0.0
    for wait, took, met in parts:
        sent = now + wait / 4
        now = sent + took / 4
        samples.append(Judged(sent, now, met))
    return samples


@quickly
@given(st.lists(steps, max_size=14), st.integers(0, 20), st.integers(0, 8))
def test_windows_are_those_that_a_naive_search_finds(parts: list[tuple[int, int, bool]], length: int, gap: int) -> None:
    samples = series(parts)
    it = first_in(samples, length / 4, gap / 4)
    expected = reference(samples, length / 4, gap / 4)
    assert (it and (it.at_s, it.end_s)) == expected
    if it is not None:
        begin = next(n for n, each in enumerate(samples) if each.done_s == it.at_s and each.met)
        assert 0 <= it.uncertainty_s <= it.at_s
        assert begin == 0 or it.uncertainty_s >= it.at_s - samples[begin].sent_s


@pytest.mark.parametrize(
    ("marks", "begin", "breaks", "met"),
    [
        ("", None, 0, False),
        ("---", None, 0, False),
        ("+++", 0, 0, True),
        ("-++", 1, 0, True),
        ("++-", 0, 1, False),
        ("+-+", 2, 1, True),
        ("+-+-++", 4, 2, True),
        ("+-+--", 2, 2, False),
    ],
)
def test_last_recovery(marks: str, begin: int | None, breaks: int, met: bool) -> None:
    samples = history(marks)
    assert last_recovery(samples) == (None if begin is None else samples[begin], breaks, met)


@quickly
@given(st.text("+-", max_size=30))
def test_last_recovery_agrees_with_the_text(marks: str) -> None:
    samples = history(marks)
    begin, breaks, met = last_recovery(samples)
    assert met == marks.endswith("+")
    assert breaks == marks.count("+-")
    runs = [number for number, mark in enumerate(marks) if mark == "+" and not marks[:number].endswith("+")]
    assert begin == (samples[runs[-1]] if runs else None)
