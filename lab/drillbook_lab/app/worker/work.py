"""What a worker does with a job: a little work and one statement in the database.

The payload says what happens. {"work_ms": n} takes that long. {"fail_attempts": n} fails the first n attempts, and
{"hang_attempts": n} does not end in the first n. Kind "poison" fails every time, and kind "crash" kills its worker
every time.

The queue's code says what is done with a job: `worker/handler.py` of the release that is live on the worker's site.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from drillbook_lab.app import releases
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.stores import database
from drillbook_lab.base.logs import Log

WORK_MS = 5
HANG_S = 3600.0
CRASH_AFTER_S = 1.0
HANDLER = "drillbook_lab_handler"


class PoisonError(Exception):
    """A job that cannot be done, however often it is tried."""


class Work:
    """The work of one worker."""

    def __init__(
        self, settings: Settings, name: str, pool: database.Pool, release: releases.Built, journal: Log
    ) -> None:
        self._name, self._pool, self._journal = name, pool, journal
        self._release = release.version
        self._handle = releases.load(release.folder / "worker/handler.py", HANDLER).handle
        self._statement = database.DO_JOB if settings.deduplicate else database.DO_JOB_CARELESSLY

    async def process(self, job: Any, _token: str) -> dict[str, str]:
        """Do one job that BullMQ hands over. An exception makes this attempt a failed one."""
        # Redis knows what it gave away, and not what arrived. The log has one message a job, since it folds repeats.
        self._journal.info("worker", f"was handed {job.id}", worker=self._name)
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
        return {"worker": self._name, "release": self._release}


async def _suffer(data: Mapping[str, Any], attempt: int) -> None:
    """Do to the worker what the job asks for: kill it, hang or fail."""
    kind, payload = data["kind"], data["payload"]
    if kind == "crash":
        # first let the worker's other jobs end, so that only this job loses one worker after another
        await asyncio.sleep(CRASH_AFTER_S)
        os.kill(os.getpid(), signal.SIGKILL)
    if attempt <= int(payload.get("hang_attempts", 0)):
        await asyncio.sleep(HANG_S)
    if kind == "poison" or attempt <= int(payload.get("fail_attempts", 0)):
        raise PoisonError(f"{kind} job {data['id']} failed at attempt {attempt}")
