"""The routes of items and of their cache.

GET /items/{id} and GET /items?ids=a,b also answer while Redis is away. GET /cache/wrong, POST /cache/warm and DELETE
/cache/items/{id} are for operators. They need X-API-Key, and answer 503 while Redis is away. GET /cache/metrics tells
how the look-ups of the last seconds went, and asks no server.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drillbook_lab.app.api.answers import unauthorized, unavailable
from drillbook_lab.app.health.causes import in_short
from drillbook_lab.app.stores import database
from drillbook_lab.app.stores.cache import Cache, Item, Source
from drillbook_lab.base.logs import Log

MOST_AT_ONCE = 100


class Items:
    """Items, read through the cache."""

    def __init__(
        self,
        redis: Redis,
        pool: database.Pool,
        *,
        usable: Callable[[], bool],
        may: Callable[[Request], bool],
        counter: Counter,
        journal: Log,
    ) -> None:
        self._pool, self._may, self._counter, self._journal = pool, may, counter, journal
        self._cache = Cache(redis, usable, self._load)

    async def _load(self, ids: Sequence[str]) -> Mapping[str, Item]:
        rows = await database.execute(self._pool, database.GET_ITEMS, {"ids": list(ids)})
        return {row["id"]: {**row, "updated_at": row["updated_at"].isoformat()} for row in rows}

    async def one(self, request: Request) -> Response:
        item_id = request.path_params["id"]

        async def answer() -> Response:
            found = (await self._cache.look_up([item_id]))[item_id]
            self._counter.labels(found.source).inc()
            headers = {"X-Cache": str(found.source)}
            if found.item is None:
                return JSONResponse({"error": "no such item"}, 404, headers)
            return JSONResponse(found.item, headers=headers)

        return await self._from_database(answer)

    async def several(self, request: Request) -> Response:
        ids = [each for each in request.query_params.get("ids", "").split(",") if each]
        if not 0 < len(ids) <= MOST_AT_ONCE:
            return JSONResponse({"error": f"name 1 to {MOST_AT_ONCE} items: ?ids=a,b"}, 400)

        async def answer() -> Response:
            found = await self._cache.look_up(ids)
            for each in found.values():
                self._counter.labels(each.source).inc()
            sources = [each.source for each in found.values()]
            return JSONResponse(
                {
                    "items": {each: one.item for each, one in found.items()},
                    "sources": {str(source): sources.count(source) for source in Source},
                }
            )

        return await self._from_database(answer)

    async def _from_database(self, answer: Callable[[], Awaitable[Response]]) -> Response:
        try:
            return await answer()
        except (*database.AWAY, OSError) as error:
            self._journal.error("database", "items cannot be read", error=in_short(error))
            return unavailable(f"the database does not answer: {in_short(error)}")

    async def cache_metrics(self, _: Request) -> Response:
        return JSONResponse(self._cache.as_json())

    async def wrong(self, request: Request) -> Response:
        return await self._ask_cache(request, self._cache.wrong)

    async def forget(self, request: Request) -> Response:
        async def answer() -> dict[str, Any]:
            return {"changed": await self._cache.forget(request.path_params["id"])}

        return await self._ask_cache(request, answer)

    async def warm(self, request: Request) -> Response:
        async def answer() -> dict[str, Any]:
            rows = await database.execute(self._pool, database.POPULAR_ITEMS, {})
            return {"added": await self._cache.warm([row["id"] for row in rows])}

        return await self._ask_cache(request, answer)

    async def _ask_cache(self, request: Request, call: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
        if not self._may(request):
            return unauthorized()
        try:
            return JSONResponse(await call())
        except database.AWAY as error:
            return unavailable(f"the database does not answer: {in_short(error)}")
        except (RedisError, OSError, TimeoutError) as error:
            return unavailable(f"Redis is away: {in_short(error)}")
