"""What the harness added is a function of the record: a recovery time never hides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.evidence.render.terminal import overhead_line
from drillbook.model.times.overhead import Part, Stretch, overhead

pytestmark = pytest.mark.unit

Span = tuple[float, float]


def step(started_s: float | None, duration_s: float | None) -> dict[str, Any]:
    return {"started_s": started_s, "duration_s": duration_s}


def play(started_s: float, ended_s: float, *tasks: Span) -> dict[str, Any]:
    return {
        "started_s": started_s,
        "ended_s": ended_s,
        "tasks": [{"started_s": begin_s, "ended_s": end_s} for begin_s, end_s in tasks],
    }


def record(
    *, steps: Sequence[dict[str, Any]] = (), plays: Sequence[dict[str, Any]] = (), recovered: Span | None = None
) -> dict[str, Any]:
    events = zip(("fault_injected", "recovered"), recovered or (), strict=False)
    return {
        "steps": list(steps),
        "plays": list(plays),
        "timeline": [{"event": event, "at_s": at_s} for event, at_s in events],
        "times": {"rto_clock": "fault_injected"},
    }


def test_a_play_adds_what_is_before_its_first_task_and_after_its_last() -> None:
    found = overhead(record(plays=[play(10.0, 12.5, (10.5, 11.0), (10.75, 12.25))]))
    assert (found.play_start_s, found.play_end_s, found.total_s) == (0.5, 0.25, 0.75)


def test_a_play_without_a_task_is_all_start() -> None:
    found = overhead(record(plays=[play(10.0, 12.0)]))
    assert (found.play_start_s, found.play_end_s) == (2.0, 0.0)


def test_what_is_between_steps_is_the_harness() -> None:
    found = overhead(record(steps=[step(0.25, 1.0), step(1.5, 2.0), step(None, None)]))
    assert found.between_steps_s == 0.5
    assert found.stretches == (Stretch(Part.BETWEEN_STEPS, 0.0, 0.25), Stretch(Part.BETWEEN_STEPS, 1.25, 1.5))


def test_a_step_under_way_ends_nothing() -> None:
    assert overhead(record(steps=[step(0.0, 1.0), step(1.5, None)])).between_steps_s == 0.0


def test_an_instant_is_counted_once() -> None:
    """Evidence is written between steps too, and while a playbook starts."""
    found = overhead(record(steps=[step(1.0, 1.0), step(3.0, 1.0)], plays=[play(3.0, 4.0, (3.5, 4.0))]), [(2.5, 3.25)])
    assert (found.between_steps_s, found.play_start_s, found.evidence_s) == (2.0, 0.5, 0.0)
    found = overhead(record(steps=[step(0.0, 5.0)]), [(1.0, 1.5), (1.25, 2.0), (4.0, 4.25)])
    assert found.evidence_s == 1.25


def test_what_lies_in_the_time_to_recover_is_said() -> None:
    plays = [play(1.0, 3.0, (1.75, 3.0)), play(5.0, 7.0, (5.5, 6.75)), play(9.0, 10.0, (9.5, 10.0))]
    found = overhead(record(plays=plays, recovered=(2.0, 6.875)))
    assert found.total_s == 0.75 + 0.5 + 0.25 + 0.5
    assert found.in_recover_s == 0.5 + 0.125


@pytest.mark.parametrize(
    "timeline", [[], [{"event": "fault_injected", "at_s": 1.0}], [{"event": "recovered", "at_s": 2}]]
)
def test_without_a_recovery_nothing_is_said_of_it(timeline: list[Any]) -> None:
    assert overhead({**record(), "timeline": timeline}).in_recover_s is None


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


@given(SPANS, SPANS)
def test_stretches_never_overlap_and_are_all_that_was_written(writes: list[Span], plays: list[Span]) -> None:
    found = overhead(record(plays=[play(*span) for span in plays]), writes)
    for one, other in zip(found.stretches, found.stretches[1:], strict=False):
        assert one.since_s < one.until_s <= other.since_s
    inside = {at for since, until in [*writes, *plays] for at in range(int(since), int(until))}
    assert found.total_s == len(inside)


def test_the_terminal_says_it_in_one_line() -> None:
    found = {"total_s": 1.0, "play_start_s": 0.5, "play_end_s": 0.1, "between_steps_s": 0.3, "evidence_s": 0.1}
    line = overhead_line({**found, "in_recover_s": 0.25}, [True, True, False])
    assert line == (
        "the harness took 1.00 s: plays 0.60 (2 of 3 warm), steps 0.30, evidence 0.10; "
        "0.25 s of it before the system had recovered"
    )
    assert "recovered" not in overhead_line({**found, "in_recover_s": None}, [])
