"""A look that hangs hides nothing, and samples stand in the order in which they were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from drillbook.model.times.sample import Sample
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing.patience import Patience
from drillbook.target.probing.probes import take
from drillbook.target.probing.sampler import Sampler, Spare

pytestmark = pytest.mark.unit

TIMEOUT_S = 0.5
DEADLINE_S = 30.0


class Line:
    """A line whose looks do what a test says; `overlaps` as for HTTP."""

    overlaps: ClassVar[bool] = True

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        self._look = look
        self.closed = False
        self.busy = False

    async def look(self) -> tuple[bool, int | None, object]:
        assert not self.busy, "two looks by one line"
        self.busy = True
        try:
            return True, None, await self._look()
        finally:
            self.busy = False

    async def close(self) -> None:
        self.closed = True


class OneAtATime(Line):
    overlaps: ClassVar[bool] = False


def sampled(
    look: Callable[[int], Awaitable[object]],
    enough: Callable[[list[Sample]], bool],
    *,
    kind: type[Line] = Line,
    timeout_s: float = TIMEOUT_S,
    per_s: float = 100.0,
    most: int = 11,
    spare: Spare | None = None,
) -> tuple[list[Sample], list[Line]]:
    """Samples until there are enough, and the lines that took them. A look is told its number, from 0."""
    lines: list[Line] = []
    kept: list[Sample] = []
    asked = iter(range(10**9))

    def line() -> Line:
        lines.append(kind(lambda: look(next(asked))))
        return lines[-1]

    async def until_enough() -> None:
        done = asyncio.Event()

        def keep(sample: Sample) -> None:
            kept.append(sample)
            if enough(kept):
                done.set()

        endpoint = Endpoint(
            "it", EndpointKind.TCP, "tcp://127.0.0.1:1", timeout_s=timeout_s, samples_per_s=per_s, looks_at_once=most
        )
        sampler = Sampler(endpoint, line, lambda each: take(each, Patience(timeout_s)), keep, spare)
        task = asyncio.create_task(sampler.run(0.0))
        async with asyncio.timeout(DEADLINE_S):
            await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(until_enough())
    return kept, lines


async def for_ever() -> object:
    return await asyncio.Event().wait()


async def at_once() -> object:
    return "here"


def test_a_look_that_hangs_does_not_keep_the_next_one_from_being_made() -> None:
    kept, lines = sampled(lambda number: for_ever() if number == 0 else at_once(), lambda kept: len(kept) >= 2)
    first, second = kept[:2]
    assert (first.ok, first.error, second.ok) == (False, "no answer in time", True)
    assert first.sent_s < second.sent_s < second.done_s < first.done_s
    assert len(lines) >= 2
    assert all(line.closed for line in lines)


def test_one_whose_lines_are_dear_is_asked_one_look_after_the_other() -> None:
    kept, lines = sampled(
        lambda number: for_ever() if number == 0 else at_once(), lambda kept: len(kept) >= 2, kind=OneAtATime
    )
    first, second = kept[:2]
    assert (first.ok, second.ok) == (False, True)
    assert first.done_s <= second.sent_s
    assert len(lines) == 1


def test_unless_more_are_asked_for_it_is_one_look_after_the_other() -> None:
    kept, lines = sampled(lambda number: for_ever() if number == 0 else at_once(), lambda kept: len(kept) >= 2, most=1)
    assert Endpoint("it", EndpointKind.TCP, "tcp://127.0.0.1:1").looks_at_once == 1
    assert kept[0].done_s <= kept[1].sent_s
    assert len(lines) == 1


def test_where_all_further_looks_are_under_way_it_is_one_after_the_other() -> None:
    spare = Spare(0)
    kept, lines = sampled(
        lambda number: for_ever() if number == 0 else at_once(), lambda kept: len(kept) >= 2, spare=spare
    )
    assert kept[0].done_s <= kept[1].sent_s
    assert len(lines) == 1


def test_further_looks_are_given_back() -> None:
    spare = Spare(3)
    sampled(lambda number: for_ever() if number % 2 else at_once(), lambda kept: len(kept) >= 6, spare=spare)
    assert spare.left == 3


def test_samples_stand_in_the_order_of_asking() -> None:
    """Looks 3 and 7 hang; what was asked after them and came back before waits for its turn."""
    kept, _ = sampled(lambda number: for_ever() if number in {3, 7} else at_once(), lambda kept: len(kept) >= 12)
    assert [sample.ok for sample in kept[:12]] == [number not in {3, 7} for number in range(12)]
    sent = [sample.sent_s for sample in kept]
    assert sent == sorted(sent)


def test_looks_that_answer_are_made_by_one_line() -> None:
    _, lines = sampled(lambda _number: at_once(), lambda kept: len(kept) >= 20, per_s=20.0)
    assert len(lines) == 1


@pytest.mark.parametrize("most", [2, 11])
def test_so_many_looks_are_under_way_at_most(most: int) -> None:
    under_way, peak = 0, 0

    async def look() -> object:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        try:
            return await for_ever()
        finally:
            under_way -= 1

    sampled(lambda _number: look(), lambda kept: len(kept) > most, timeout_s=0.1, most=most)
    assert 2 <= peak <= most


def test_a_line_that_cannot_be_made_is_an_error_at_once() -> None:
    def refuse() -> Line:
        raise ValueError("no such place")

    endpoint = Endpoint("it", EndpointKind.TCP, "tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="no such place"):
        Sampler(endpoint, refuse, lambda each: take(each, Patience(1.0)), lambda _sample: None)
