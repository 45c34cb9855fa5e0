"""What a worker does with a job: a little work and one statement in the database.

Payloads steer the work: {"work_ms": n} takes that long; kind "poison" fails every time, kind "crash" kills its worker
every time; {"fail_attempts": n} fails the first n attempts, {"hang_attempts": n} does not end in the first n.

What is done with a job is the queue's code: a file of a release, which a drill can exchange as a deployment does.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from drillbook_lab.app.queue_code.release import load
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.stores import database

WORK_MS = 5
HANG_S = 3600.0
CRASH_AFTER_S = 1.0


class PoisonError(Exception):
    """A job that cannot be done, however often it is tried."""


class Work:
    """The work of the worker of this name."""

    def __init__(self, settings: Settings, name: str, pool: database.Pool) -> None:
        self._name, self._pool = name, pool
        self._handle = load(Path(settings.handler))
        self._statement = database.DO_JOB if settings.deduplicate else database.DO_JOB_CARELESSLY

    async def process(self, job: Any, _token: str) -> dict[str, str]:
        """Do one job, as BullMQ hands it over. Raises what makes its attempt a failed one."""
        data: Mapping[str, Any] = job.data
        payload = data["payload"]
        attempt = job.attemptsMade + 1
        await asyncio.sleep(float(payload.get("work_ms", WORK_MS)) / 1000)
        await _suffer(data, attempt)
        await database.execute(
            self._pool,
            self._statement,
            {
                "id": data["id"],
                "kind": data["kind"],
                "value": Jsonb(self._handle(data["id"], payload)),
                "worker": self._name,
                "attempt": attempt,
            },
        )
        return {"worker": self._name}


async def _suffer(data: Mapping[str, Any], attempt: int) -> None:
    """Let happen what the job was sent for: it kills its worker, hangs or fails."""
    kind, payload = data["kind"], data["payload"]
    if kind == "crash":
        # a while later: what was taken up beside it ends, so that only this one loses worker after worker
        await asyncio.sleep(CRASH_AFTER_S)
        os.kill(os.getpid(), signal.SIGKILL)
    if attempt <= int(payload.get("hang_attempts", 0)):
        await asyncio.sleep(HANG_S)
    if kind == "poison" or attempt <= int(payload.get("fail_attempts", 0)):
        raise PoisonError(f"{kind} job {data['id']} failed at attempt {attempt}")
