"""The queue seen from the API: adding with confirmation, counting, pausing, and the dead letters (failed jobs).

Keys are BullMQ's own (`bull:webhooks:*`). Waiting jobs are the list `:wait`. Completed and failed jobs are sorted sets
whose scores are the milliseconds of the finish, so a rate over the last seconds is an exact count and not a sample.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bullmq.job import Job
from bullmq.queue import Queue
from redis.asyncio import Redis

from drillbook_lab.app.health.recent import WINDOW_S
from drillbook_lab.app.webhooks.jobs import JOB_OPTIONS, Webhook, job_id
from drillbook_lab.base.topology import QUEUE_NAME

WAIT_MS = 100
_PREFIX = f"bull:{QUEUE_NAME}:"


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """Counts now, rates over the last `window_s` seconds; `oldest_active_s` is null if no job is active."""

    depth: int
    active: int
    completed: int
    failed: int
    delayed: int
    paused: bool
    processing_rate: float
    error_rate: float
    oldest_active_s: float | None
    window_s: int = WINDOW_S

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class JobQueue:
    """BullMQ's queue over a client of the present primary."""

    def __init__(self, redis: Redis, attempts: int) -> None:
        self._redis = redis
        self._attempts = attempts
        make: Any = Queue
        self._queue: Any = make(QUEUE_NAME, {"connection": redis})
        self.unreplicated = 0

    async def add(self, webhooks: Sequence[Webhook]) -> None:
        """Write all of them, in order, and wait until one replica has them (at most WAIT_MS).

        One pipeline uses one connection, and WAIT counts what its own connection wrote. It is not a transaction,
        because WAIT does not wait inside of MULTI. With no replica (the old primary is still dead) WAIT answers 0. The
        jobs are then as safe as the primary's append-only file makes them, which survives a SIGKILL of the process.
        """
        make_job: Any = Job
        async with self._redis.pipeline(transaction=False) as pipe:
            for webhook in webhooks:
                options = {**JOB_OPTIONS, "attempts": self._attempts, "jobId": job_id(webhook.id)}
                await self._queue.scripts.addJob(make_job(self._queue, webhook.kind, webhook.data, options), pipe)
            pipe.execute_command("WAIT", 1, WAIT_MS)
            results = await pipe.execute()
        for webhook, result in zip(webhooks, results, strict=False):
            if isinstance(result, int) and result < 0:
                raise RuntimeError(f"BullMQ refused {webhook.id} with code {result}")
        if not results[-1]:
            self.unreplicated += len(webhooks)

    async def ping(self) -> None:
        await self._redis.ping()

    async def metrics(self) -> QueueMetrics:
        now_ms = time.time() * 1000
        since = f"({now_ms - WINDOW_S * 1000:.0f}"
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.llen(_PREFIX + "wait")
            pipe.llen(_PREFIX + "paused")
            pipe.zcard(_PREFIX + "prioritized")
            pipe.llen(_PREFIX + "active")
            pipe.zcard(_PREFIX + "completed")
            pipe.zcard(_PREFIX + "failed")
            pipe.zcard(_PREFIX + "delayed")
            pipe.hget(_PREFIX + "meta", "paused")
            pipe.zcount(_PREFIX + "completed", since, "+inf")
            pipe.zcount(_PREFIX + "failed", since, "+inf")
            # Workers push to the left, so the oldest are at the right end.
            pipe.lrange(_PREFIX + "active", -20, -1)
            (
                wait,
                held,
                prioritized,
                active,
                completed,
                failed,
                delayed,
                paused,
                done,
                bad,
                oldest,
            ) = await pipe.execute()
        started = []
        if oldest:
            async with self._redis.pipeline(transaction=False) as pipe:
                for active_id in oldest:
                    pipe.hget(_PREFIX + active_id, "processedOn")
                started = [float(value) for value in await pipe.execute() if value]
        return QueueMetrics(
            depth=wait + held + prioritized,
            active=active,
            completed=completed,
            failed=failed,
            delayed=delayed,
            paused=paused == "1",
            processing_rate=round(done / WINDOW_S, 2),
            error_rate=round(bad / (done + bad), 4) if done + bad else 0.0,
            oldest_active_s=round(max(0.0, now_ms - min(started)) / 1000, 3) if started else None,
        )

    async def dead_letters(self, limit: int = 100) -> dict[str, Any]:
        """The failed jobs, latest first: {"count", "jobs": [{"id", "job_id", "kind", "reason", "attempts", ...}]}."""
        ids: list[Any] = await self._redis.zrevrange(_PREFIX + "failed", 0, limit - 1)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zcard(_PREFIX + "failed")
            for each in ids:
                pipe.hgetall(_PREFIX + each)
            count, *jobs = await pipe.execute()
        return {"count": count, "jobs": [_letter(each, job) for each, job in zip(ids, jobs, strict=True)]}

    async def pause(self) -> bool:
        """Stop handing out jobs, for all workers. Returns whether that changed anything."""
        return await self._set_paused(True)

    async def resume(self) -> bool:
        return await self._set_paused(False)

    async def _set_paused(self, wanted: bool) -> bool:
        if bool(await self._queue.isPaused()) is wanted:
            return False
        await (self._queue.pause() if wanted else self._queue.resume())
        return True


def _letter(job: str, fields: Mapping[str, str]) -> dict[str, Any]:
    data = json.loads(fields.get("data", "{}"))
    return {
        "id": data.get("id"),
        "job_id": job,
        "kind": fields.get("name"),
        "reason": fields.get("failedReason"),
        "attempts": int(fields.get("atm", fields.get("attemptsMade", 0))),
        "failed_at_ms": int(fields["finishedOn"]) if "finishedOn" in fields else None,
    }
