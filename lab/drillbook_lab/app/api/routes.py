"""The routes of the API and the parts behind them. No answer waits for a part longer than that part's time-out."""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from circuitbreaker import STATE_OPEN
from prometheus_client import generate_latest
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drillbook_lab.app.api.answers import FAILED, CountAnswers, unauthorized, unavailable
from drillbook_lab.app.api.items import Items
from drillbook_lab.app.api.metrics import METRICS_TYPE, Metrics
from drillbook_lab.app.api.release import Release
from drillbook_lab.app.api.switches import RefuseWrites, Switches
from drillbook_lab.app.health.causes import cause_of, in_short
from drillbook_lab.app.health.monitor import Monitor
from drillbook_lab.app.health.recent import Durations, Recent
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.stores import database
from drillbook_lab.app.stores.natmap import primary
from drillbook_lab.app.webhooks.intake import COMMIT_TIMEOUT_S, Full, Intake
from drillbook_lab.app.webhooks.jobs import Malformed, Webhook
from drillbook_lab.app.webhooks.pending import Pending
from drillbook_lab.app.webhooks.queue import JobQueue, QueueMetrics
from drillbook_lab.base.logs import LEVELS, Log

END_S = 1.5
"""How long the background tasks may take to end. A call of Redis that has begun may take COMMIT_TIMEOUT_S."""
DATABASE_INTERVAL_S = 2.0
"""Each look at the database logs in, and the server starts a process for it. At two looks a second, this was a third of
the cost of an idle lab.
"""


class Api:
    """The parts of the API and its routes."""

    def __init__(self, settings: Settings, pending: Pending, started_at: float) -> None:
        self.settings, self.pending = settings, pending
        self.started_at = started_at
        self.journal = Log()
        self.release = Release(Path(settings.site))
        self.switches = Switches(Path(settings.site) / "shared")
        self.metrics = Metrics()
        self.redis = primary(settings, timeout_s=COMMIT_TIMEOUT_S)
        self.watched = primary(settings, timeout_s=COMMIT_TIMEOUT_S)
        self.queue = JobQueue(self.redis, settings.attempts)
        self.pool = database.pool(settings.database_url, "api", 4)
        self.intake = Intake(self.queue.add, self.queue.ping, settings.buffer_limit, self.journal)
        self.counted: QueueMetrics | None = None
        self.monitors = {
            "redis": Monitor("redis", self._look_at_redis, self.journal),
            "database": Monitor(
                "database", lambda: database.look(settings.database_url), self.journal, DATABASE_INTERVAL_S
            ),
        }
        self.items = Items(
            self.redis,
            self.pool,
            usable=lambda: self.monitors["redis"].state.up and self.intake.breaker.state != STATE_OPEN,
            may=self._may,
            counter=self.metrics.cache,
            journal=self.journal,
        )
        self.answers = Recent()
        self.durations = Durations()
        # raises if the release's code cannot be imported, so that the API does not start
        self.product = self.release.routes(self.pool, self.switches, self._may, self.journal)
        self._process = psutil.Process()

    async def _look_at_redis(self) -> None:
        # A write and not a PING: a replica, or a server with a full disk or too few replicas, answers PING but takes no
        # job.
        await self.watched.set("health:api", "1", px=10_000)

    async def _count(self) -> None:
        """Count the queue each second for /metrics, which must not wait for Redis."""
        while True:
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    self.counted = await self.queue.metrics()
            except (RedisError, OSError, TimeoutError):
                self.counted = None
            await asyncio.sleep(1)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.pool.open(wait=False)
        tasks = [
            asyncio.create_task(work)
            for work in (
                self.pending.take_up(self.intake),
                self.intake.run(),
                self._count(),
                *(monitor.run() for monitor in self.monitors.values()),
            )
        ]
        self.journal.info("api", "started", version=self.release.version, commit=self.release.commit)
        yield
        self.intake.close()
        self.pending.keep(self.intake)  # before any wait: a process that was told to end may soon be killed
        await self._end(tasks)
        await self.pool.close(timeout=0.5)

    async def _end(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Cancel the tasks and wait at most END_S for them, whatever Redis does. What they hold is on disk already."""
        for task in tasks:
            task.cancel()
        _, running = await asyncio.wait(tasks, timeout=END_S)
        if running:
            self.journal.error("api", "did not end in time", tasks=len(running))
            os._exit(1)  # otherwise the event loop would wait for them until somebody kills the process

    # -- webhooks ------------------------------------------------------------------------------------------------

    async def post_webhook(self, request: Request) -> Response:
        count = self.metrics.webhooks
        if not self._may(request):
            count.labels("unauthorized").inc()
            return unauthorized()
        try:
            webhook = Webhook.from_json(await request.json())
        except ValueError as error:
            count.labels("malformed").inc()
            reason = str(error) if isinstance(error, Malformed) else "the body is not JSON"
            return JSONResponse({"error": reason}, 400)
        try:
            place = await self.intake.submit(webhook)
        except Full:
            count.labels("refused").inc()
            self.journal.error("queue", "the memory buffer is full", limit=self.intake.limit)
            return unavailable(f"Redis is away and the buffer of {self.intake.limit} jobs is full")
        count.labels(place).inc()
        return JSONResponse({"id": webhook.id, "queued": str(place)}, 202)

    # -- health --------------------------------------------------------------------------------------------------

    async def live(self, _: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(self, _: Request) -> Response:
        database_up = self.monitors["database"].state.up
        room = self.monitors["redis"].state.up or not self.intake.full
        is_ready = database_up and room
        reasons = [*([] if database_up else ["database down"]), *([] if room else ["redis down and buffer full"])]
        return JSONResponse({"ready": is_ready, "reasons": reasons}, 200 if is_ready else 503)

    async def details(self, _: Request) -> Response:
        redis_up, database_up = (self.monitors[name].state.up for name in ("redis", "database"))
        closed = self.intake.breaker_state == "closed"
        if redis_up and database_up and closed and not self.intake.size:
            status = "maintenance" if self.switches.maintenance else "ok"
        else:
            status = "degraded" if database_up and not self.intake.full else "down"
        return JSONResponse(
            {
                "status": status,
                "components": {name: monitor.state.as_json() for name, monitor in self.monitors.items()},
                "circuit_breaker": {
                    "state": self.intake.breaker_state,
                    "failures": self.intake.breaker.failure_count,
                },
                "buffer": {"size": self.intake.size, "limit": self.intake.limit},
                "requests": {
                    "per_second": round(self.answers.count() / self.answers.window_s, 1),
                    "error_rate": self.answers.share([FAILED]),
                    "p95_ms": self.durations.p95_ms(),
                },
                "memory": {"rss_bytes": self._process.memory_info().rss},
                "maintenance": self.switches.maintenance,
                "version": self.release.version,
                "commit": self.release.commit,
            }
        )

    async def show_metrics(self, _: Request) -> Response:
        self.metrics.sample(
            intake=self.intake,
            unreplicated=self.queue.unreplicated,
            up={name: monitor.state.up for name, monitor in self.monitors.items()},
            counted=self.counted,
        )
        return Response(generate_latest(self.metrics.registry), media_type=METRICS_TYPE)

    # -- queue ---------------------------------------------------------------------------------------------------

    async def queue_metrics(self, request: Request) -> Response:
        async def read() -> dict[str, Any]:
            return (await self.queue.metrics()).as_json()

        return await self._ask_queue(request, read)

    async def dead_letters(self, request: Request) -> Response:
        return await self._ask_queue(request, self.queue.dead_letters)

    async def pause(self, request: Request) -> Response:
        async def stop() -> dict[str, Any]:
            return {"changed": await self.queue.pause(), "paused": True}

        return await self._ask_queue(request, stop)

    async def resume(self, request: Request) -> Response:
        async def start() -> dict[str, Any]:
            return {"changed": await self.queue.resume(), "paused": False}

        return await self._ask_queue(request, start)

    async def _ask_queue(self, request: Request, call: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
        if not self._may(request):
            return unauthorized()
        breaker = self.intake.breaker
        if breaker.state == STATE_OPEN:
            return unavailable("Redis is away (the circuit breaker is open)")
        try:
            with breaker:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    return JSONResponse(await call())
        except (RedisError, OSError, TimeoutError) as error:
            self.journal.error("queue", "the queue cannot be read", error=in_short(error), kind=str(cause_of(error)))
            return unavailable(f"Redis is away: {in_short(error)}")

    # -- the rest ------------------------------------------------------------------------------------------------

    async def logs(self, request: Request) -> Response:
        level, service = request.query_params.get("level"), request.query_params.get("service")
        if level is not None and level not in LEVELS:
            return JSONResponse({"error": f"level must be one of {', '.join(LEVELS)}"}, 400)
        return JSONResponse({"logs": self.journal.last(level, service)})

    async def version(self, _: Request) -> Response:
        known = {"version": self.release.version, "commit": self.release.commit, "started_at": self.started_at}
        return JSONResponse(known)

    async def maintenance(self, request: Request) -> Response:
        if not self._may(request):
            return unauthorized()
        wanted = request.path_params["what"]
        if wanted not in ("enable", "disable"):
            return JSONResponse({"error": "say /maintenance/enable or /maintenance/disable"}, 404)
        changed = self.switches.maintain(wanted == "enable")
        return JSONResponse({"changed": changed, "maintenance": self.switches.maintenance})

    def _may(self, request: Request) -> bool:
        return self.settings.may(request.headers.get("x-api-key"))

    def application(self) -> Starlette:
        routes = [
            ("POST", "/webhooks", self.post_webhook),
            ("GET", "/health/live", self.live),
            ("GET", "/health/ready", self.ready),
            ("GET", "/health/details", self.details),
            ("GET", "/queue/metrics", self.queue_metrics),
            ("GET", "/queue/dlq", self.dead_letters),
            ("POST", "/queue/pause", self.pause),
            ("POST", "/queue/resume", self.resume),
            ("GET", "/version", self.version),
            ("GET", "/metrics", self.show_metrics),
            ("GET", "/items", self.items.several),
            ("GET", "/items/{id}", self.items.one),
            ("GET", "/cache/metrics", self.items.cache_metrics),
            ("GET", "/cache/wrong", self.items.wrong),
            ("POST", "/cache/warm", self.items.warm),
            ("DELETE", "/cache/items/{id}", self.items.forget),
            ("POST", "/maintenance/{what}", self.maintenance),
            ("GET", "/logs", self.logs),
            *self.product,
        ]
        return Starlette(
            routes=[Route(path, handler, methods=[method]) for method, path, handler in routes],
            middleware=[
                Middleware(CountAnswers, self.answers, self.durations, self.release.version),
                Middleware(RefuseWrites, self.switches),
            ],
            lifespan=self.lifespan,
        )
