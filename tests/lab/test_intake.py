"""The line of webhooks: in order, nothing lost, never more than its room; with a queue that fails on command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook_lab.app.api import routes
from drillbook_lab.app.webhooks.intake import FAILURES_TO_OPEN, Full, Intake, Place
from drillbook_lab.app.webhooks.jobs import Webhook
from drillbook_lab.base.logs import Log

pytestmark = pytest.mark.unit


def webhook(number: int) -> Webhook:
    return Webhook(str(number), "k", {})


class FakeQueue:
    """Keeps what it is given, or fails; `ambiguous` writes and then fails, as a time-out does."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.broken = False
        self.ambiguous = False

    async def commit(self, webhooks: Sequence[Webhook]) -> None:
        await asyncio.sleep(0)
        if self.broken and not self.ambiguous:
            raise ConnectionError("away")
        # As BullMQ does with a job id that it knows: nothing.
        self.written += [each.id for each in webhooks if each.id not in self.written]
        if self.ambiguous:
            raise TimeoutError

    async def ping(self) -> None:
        if self.broken:
            raise ConnectionError("away")


def play(script: Callable[[Intake, FakeQueue], Awaitable[None]], limit: int = 1000) -> FakeQueue:
    async def main() -> FakeQueue:
        queue = FakeQueue()
        intake = Intake(queue.commit, queue.ping, limit, Log(echo=False))
        running = asyncio.create_task(intake.run())
        try:
            async with asyncio.timeout(20):
                await script(intake, queue)
        finally:
            running.cancel()
        return queue

    return asyncio.run(main())


async def empty(intake: Intake) -> None:
    while intake.size:
        await asyncio.sleep(0.01)


def test_with_a_good_queue_everything_is_told_redis_in_order() -> None:
    async def script(intake: Intake, _: FakeQueue) -> None:
        places = await asyncio.gather(*(intake.submit(webhook(n)) for n in range(200)))
        assert set(places) == {Place.REDIS}

    assert play(script).written == [str(n) for n in range(200)]


def test_a_bad_queue_means_memory_and_all_arrives_in_order_when_it_is_back() -> None:
    async def script(intake: Intake, queue: FakeQueue) -> None:
        queue.broken = True
        for n in range(120):
            assert await intake.submit(webhook(n)) is Place.MEMORY
        assert intake.size == 120
        queue.broken = False
        await empty(intake)

    assert play(script).written == [str(n) for n in range(120)]


def test_what_was_written_without_an_answer_is_written_once() -> None:
    async def script(intake: Intake, queue: FakeQueue) -> None:
        queue.ambiguous = queue.broken = True
        assert await intake.submit(webhook(1)) is Place.MEMORY
        queue.ambiguous = queue.broken = False
        await empty(intake)

    assert play(script).written == ["1"]


def test_the_room_is_bounded_and_what_was_refused_is_not_written() -> None:
    async def script(intake: Intake, queue: FakeQueue) -> None:
        queue.broken = True
        for n in range(10):
            await intake.submit(webhook(n))
        with pytest.raises(Full):
            await intake.submit(webhook(10))
        queue.broken = False
        await empty(intake)
        assert await intake.submit(webhook(11)) is Place.REDIS

    assert play(script, limit=10).written == [*(str(n) for n in range(10)), "11"]


def test_the_breaker_opens_after_five_failures_and_closes_by_a_trial() -> None:
    async def script(intake: Intake, queue: FakeQueue) -> None:
        queue.broken = True
        await intake.submit(webhook(1))
        while intake.breaker_state != "open":
            await asyncio.sleep(0.01)
        assert intake.breaker.failure_count >= FAILURES_TO_OPEN
        queue.broken = False
        await empty(intake)
        assert intake.breaker_state == "closed"

    play(script)


def test_the_breaker_closes_although_nobody_sends_anything() -> None:
    async def script(intake: Intake, _: FakeQueue) -> None:
        for _n in range(FAILURES_TO_OPEN):
            with pytest.raises(ConnectionError), intake.breaker:
                raise ConnectionError
        assert intake.breaker_state == "open"
        while intake.breaker_state != "closed":
            await asyncio.sleep(0.01)

    play(script)


def test_a_sender_that_gives_up_loses_nobody_elses_place() -> None:
    async def script(intake: Intake, queue: FakeQueue) -> None:
        impatient = asyncio.create_task(intake.submit(webhook(1)))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await intake.submit(webhook(2)) is Place.REDIS
        assert queue.written == ["1", "2"]

    play(script)


def test_what_one_process_held_the_next_one_queues_first_and_in_order() -> None:
    held: list[Webhook] = []

    async def away(intake: Intake, queue: FakeQueue) -> None:
        queue.broken = True
        for n in range(70):
            await intake.submit(webhook(n))
        held.extend(intake.held())

    async def back(intake: Intake, _: FakeQueue) -> None:
        assert intake.held() == []
        intake.take_up(held)
        await intake.submit(webhook(70))
        await empty(intake)

    assert play(away).written == []
    assert play(back).written == [str(n) for n in range(71)]


def test_a_line_that_is_closed_ends_although_its_queue_swallows_that_it_is_cancelled() -> None:
    """As a client of Redis does that is just being refused: to it a cancelled connection is one more that failed."""

    async def main() -> list[str]:
        waiting = asyncio.Event()

        async def commit(_: Sequence[Webhook]) -> None:
            waiting.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise ConnectionError("refused") from None

        intake = Intake(commit, FakeQueue().ping, 1000, Log(echo=False))
        intake.take_up([webhook(1)])
        running = asyncio.create_task(intake.run())
        await waiting.wait()
        unanswered = asyncio.create_task(intake.submit(webhook(2)))
        await asyncio.sleep(0)
        intake.close()
        with pytest.raises(Full):
            await intake.submit(webhook(3))
        held = [each.id for each in intake.held()]
        running.cancel()
        async with asyncio.timeout(20):
            await asyncio.wait({running})
        assert [each.id for each in intake.held()] == held  # nobody was told "memory" after that was written down
        unanswered.cancel()
        return held

    assert asyncio.run(main()) == ["1"]


@pytest.mark.parametrize("swallows", [False, True])
def test_an_api_whose_task_does_not_let_itself_be_cancelled_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, *, swallows: bool
) -> None:
    """Without this supervisor would kill it after its patience, as it once did."""

    class Ended(BaseException):
        pass

    def ended(status: int) -> None:
        assert status == 1
        raise Ended

    monkeypatch.setattr(routes, "END_S", 0.01)
    monkeypatch.setattr("os._exit", ended)

    async def main() -> bool:
        begun, over = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    if not swallows:
                        raise

        task = asyncio.create_task(work())
        await begun.wait()
        api: Any = SimpleNamespace(journal=Log(echo=False))
        try:
            await routes.Api._end(cast(routes.Api, api), [task])
        except Ended:
            return True
        finally:
            over.set()
            await asyncio.wait({task})
        return False

    assert asyncio.run(main()) is swallows
