"""A look is cut off when its own time is over, whichever looks came before it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drillbook.target.probing.patience import Patience

pytestmark = pytest.mark.unit


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is what a test says, so that it waits for nothing."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    @property
    def timers(self) -> list[float]:
        return sorted(handle.when() for handle in self._scheduled if not handle.cancelled())  # type: ignore[attr-defined]  # private


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def look(patience: Patience, until: asyncio.Event) -> str:
    async with patience:
        await until.wait()
    return "an answer"


def test_a_look_that_is_late_is_cut_off_and_the_next_one_has_its_whole_time() -> None:
    async def work(clock: Clock) -> None:
        patience = Patience(1.0)
        for begun_s in (0.0, 5.0):
            clock.now_s = begun_s
            late = asyncio.ensure_future(look(patience, asyncio.Event()))
            await turns()
            clock.now_s = begun_s + 0.9
            await turns()
            assert not late.done()
            clock.now_s = begun_s + 1.02
            with pytest.raises(TimeoutError):
                await late

    clock = Clock()
    clock.run_until_complete(work(clock))
    clock.close()


def test_one_timer_serves_many_looks_and_is_exact_for_the_last() -> None:
    async def work(clock: Clock) -> None:
        patience, answered = Patience(1.0), asyncio.Event()
        answered.set()
        for number in range(10):
            clock.now_s = number * 0.05
            assert await look(patience, answered) == "an answer"
            assert clock.timers == [1.0]
        clock.now_s = 0.5
        last = asyncio.ensure_future(look(patience, asyncio.Event()))
        await turns()
        clock.now_s = 1.1  # the timer of the first look rings: it is set anew for the last
        await turns()
        assert not last.done()
        assert clock.timers == [1.5]
        clock.now_s = 1.51
        with pytest.raises(TimeoutError):
            await last

    clock = Clock()
    clock.run_until_complete(work(clock))
    clock.close()


def test_a_timer_that_rings_between_two_looks_ends_nothing() -> None:
    async def work(clock: Clock) -> None:
        patience, answered = Patience(1.0), asyncio.Event()
        answered.set()
        await look(patience, answered)
        clock.now_s = 1.1
        await turns()
        assert clock.timers == []
        assert await look(patience, answered) == "an answer"
        assert clock.timers == [2.1]

    clock = Clock()
    clock.run_until_complete(work(clock))
    clock.close()


def test_who_is_cancelled_by_somebody_else_is_cancelled() -> None:
    async def work() -> None:
        task = asyncio.ensure_future(look(Patience(60.0), asyncio.Event()))
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())


def test_a_cancellation_that_comes_with_the_time_out_stays_one() -> None:
    async def work(clock: Clock) -> None:
        task = asyncio.ensure_future(look(Patience(1.0), asyncio.Event()))
        await turns()
        clock.now_s = 1.1
        clock.call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    clock = Clock()
    clock.run_until_complete(work(clock))
    clock.close()


def test_an_error_of_the_look_is_that_of_the_look() -> None:
    async def work() -> None:
        async with Patience(60.0):
            raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(work())


@pytest.mark.parametrize("answers", [True, False])
def test_a_look_gets_back_the_time_in_which_the_loop_stood_still(answers: bool) -> None:
    """A collection of garbage lasted beyond the look's end: the answer lay there, and nobody had read it."""

    async def look() -> str:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        stood_still = threading.Event()
        if answers:
            threading.Timer(0.05, lambda: loop.call_soon_threadsafe(answer.set_result, "here")).start()
        loop.call_soon(stood_still.wait, 0.2)
        async with Patience(0.1):
            return str(await answer)

    if answers:
        assert asyncio.run(look()) == "here"
    else:
        with pytest.raises(TimeoutError):
            asyncio.run(look())
