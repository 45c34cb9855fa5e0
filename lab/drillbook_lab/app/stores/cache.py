"""Look-ups through a cache in Redis. Without Redis they ask the database: they are slower, but not wrong or refused.

A cached item may still be wrong: a bad release wrote it, or the database changed behind the cache. So an operator can
compare the cache with the database, remove single items, and fill it again.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from drillbook_lab.app.health.recent import Recent

KEY = "cache:item:"
TTL_S = 300
_AT_ONCE = 500

Item = Mapping[str, Any]
Load = Callable[[Sequence[str]], Awaitable[Mapping[str, Item]]]


class Source(StrEnum):
    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"


@dataclass(frozen=True, slots=True)
class Found:
    """An item (None when there is none) and where it came from."""

    item: Item | None
    source: Source


class Cache:
    """Items by way of Redis.

    `usable` says whether Redis is known to be up, so that nobody waits for a time-out while it is not. `load` reads
    items from the database.
    """

    def __init__(self, redis: Redis, usable: Callable[[], bool], load: Load) -> None:
        self._redis, self._usable, self._load = redis, usable, load
        self.recent = Recent()

    async def look_up(self, ids: Sequence[str]) -> dict[str, Found]:
        """Return each item, from the cache if it is there. Raises what the database raises."""
        found = await self._look_up(ids)
        for each in found.values():
            self.recent.add(each.source)
        return found

    async def _look_up(self, ids: Sequence[str]) -> dict[str, Found]:
        if not self._usable():
            return await self._bypass(ids)
        try:
            cached = await self._redis.mget([KEY + each for each in ids])
        except (RedisError, OSError):
            return await self._bypass(ids)
        held = {each: text for each, text in zip(ids, cached, strict=True) if text is not None}
        missing = [each for each in ids if each not in held]
        loaded = await self._load(missing) if missing else {}
        source = Source.MISS if await self._keep(loaded) else Source.BYPASS
        return {
            each: Found(json.loads(held[each]), Source.HIT) if each in held else Found(loaded.get(each), source)
            for each in ids
        }

    async def _bypass(self, ids: Sequence[str]) -> dict[str, Found]:
        loaded = await self._load(ids)
        return {each: Found(loaded.get(each), Source.BYPASS) for each in ids}

    async def _keep(self, items: Mapping[str, Item]) -> bool:
        """Put items into the cache; returns whether Redis took them."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for each, item in items.items():
                    pipe.set(KEY + each, json.dumps(item), ex=TTL_S)
                await pipe.execute()
        except (RedisError, OSError):
            return False
        return True

    def as_json(self) -> dict[str, Any]:
        """The look-ups of the last seconds: the hit rate, and how many there were of each source."""
        return {
            "hit_rate": self.recent.share([Source.HIT]),
            **{str(source): self.recent.count(source) for source in Source},
            "window_s": self.recent.window_s,
        }

    async def wrong(self) -> dict[str, Any]:
        """Which cached items differ from the database: {"checked": 20, "wrong": [ids]}. Changes nothing."""
        checked, wrong = 0, []
        async for ids, cached in self._entries():
            checked += len(cached)
            right = await self._load(list(cached))
            wrong += [each for each in ids if each in cached and cached[each] != right.get(each)]
        return {"checked": checked, "wrong": sorted(wrong)}

    async def _entries(self) -> AsyncIterator[tuple[list[str], dict[str, Item]]]:
        """Yield the cache in portions, by SCAN, so that Redis serves others in between."""
        cursor = 0
        keys: Any
        while True:
            cursor, keys = await self._redis.scan(cursor, match=KEY + "*", count=_AT_ONCE)
            if keys:
                texts = await self._redis.mget(keys)
                ids = [key.removeprefix(KEY) for key in keys]
                yield ids, {each: json.loads(text) for each, text in zip(ids, texts, strict=True) if text is not None}
            if not cursor:
                return

    async def forget(self, item_id: str) -> bool:
        """Remove one item from the cache; returns whether it was there."""
        return bool(await self._redis.unlink(KEY + item_id))

    async def warm(self, ids: Sequence[str]) -> int:
        """Put those of these items into the cache that it lacks; returns how many it lacked."""
        cached = await self._redis.mget([KEY + each for each in ids])
        items = await self._load([each for each, text in zip(ids, cached, strict=True) if text is None])
        if not await self._keep(items):
            raise RedisError("Redis did not take the items")
        return len(items)
