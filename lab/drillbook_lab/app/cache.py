"""Look-ups through a cache in Redis that fall back to the database: Redis away means slower, never wrong or refused."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

KEY = "cache:item:"
TTL_S = 300


class Source(StrEnum):
    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"


@dataclass(frozen=True, slots=True)
class Found:
    """An item (None when there is none) and where it came from."""

    item: dict[str, Any] | None
    source: Source


async def look_up(redis: Redis | None, item_id: str, load: Callable[[str], Awaitable[dict[str, Any] | None]]) -> Found:
    """Read through the cache. `redis` is None when it is known to be down: nobody waits for a time-out then."""
    if redis is None:
        return Found(await load(item_id), Source.BYPASS)
    try:
        cached = await redis.get(KEY + item_id)
    except (RedisError, OSError):
        return Found(await load(item_id), Source.BYPASS)
    if cached is not None:
        return Found(json.loads(cached), Source.HIT)
    item = await load(item_id)
    if item is not None:
        try:
            await redis.set(KEY + item_id, json.dumps(item), ex=TTL_S)
        except (RedisError, OSError):
            return Found(item, Source.BYPASS)
    return Found(item, Source.MISS)
