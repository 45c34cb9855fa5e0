"""The lab's Sentinel client: who is asked, in which order, and what is said when nobody knows a primary."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import ConnectionError as RedisConnectionError

from drillbook_lab.app.stores.natmap import LinkedSentinel

pytestmark = pytest.mark.unit

UP = {"lab": {"port": 1, "is_master": True, "is_sdown": False, "is_odown": False, "num-other-sentinels": 2}}
DOWN = {"lab": {**UP["lab"], "is_sdown": True}}


class Answering:
    """A sentinel that answers when it is let; an answer that is an error is raised."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.let = asyncio.Event()
        self.asked = 0

    async def sentinel_masters(self) -> Any:
        self.asked += 1
        await self.let.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def client(*sentinels: Answering) -> LinkedSentinel:
    linked = LinkedSentinel([2, 3, 4][: len(sentinels)], {1: 11}, {})
    linked.sentinels = list[Any](sentinels)
    for each in sentinels:
        each.let.set()
    return linked


def test_two_that_are_answered_at_once_do_not_lose_a_sentinel() -> None:
    """Each put the one that answered first by an exchange of two places: done twice, one of the three was gone."""

    async def discover() -> None:
        first, second, third = Answering(RedisConnectionError("gone")), Answering(UP), Answering(UP)
        linked = client(first, second, third)
        second.let.clear()
        both = [asyncio.create_task(linked.discover_master("lab")) for _ in range(2)]
        while second.asked < 2:
            await asyncio.sleep(0)
        second.let.set()
        assert await asyncio.gather(*both) == [("127.0.0.1", 11)] * 2
        assert list[Any](linked.sentinels) == [second, first, third]

    asyncio.run(discover())


def test_one_that_waits_asks_each_even_when_another_changes_the_order() -> None:
    async def discover() -> None:
        slow, bad, good = Answering(RedisConnectionError("slow")), Answering(DOWN), Answering(UP)
        linked = client(slow, bad, good)
        slow.let.clear()
        waiting = asyncio.create_task(linked.discover_master("lab"))
        while not slow.asked:
            await asyncio.sleep(0)
        linked.sentinels.sort(key=lambda each: id(each) != id(good))
        slow.let.set()
        assert await waiting == ("127.0.0.1", 11)

    asyncio.run(discover())


def test_without_a_primary_the_reason_of_each_sentinel_is_told() -> None:
    async def discover() -> None:
        linked = client(Answering(RedisConnectionError("refused")), Answering(DOWN), Answering(DOWN))
        with pytest.raises(MasterNotFoundError) as told:
            await linked.discover_master("lab")
        assert str(told.value) == "no primary for 'lab': refused; Sentinel knows no 'lab' primary that is up"
        assert isinstance(told.value.__cause__, RedisConnectionError)

    asyncio.run(discover())
