"""`python -m drillbook_lab.app.worker SETTINGS NAME`: a worker of the queue.

What BullMQ's defaults would make of an outage, and what is set instead (measured: 15 to 25 s until a worker resumes
after a failover with the defaults):
- runRetryDelay 15000 -> 300 ms: how long the worker rests after each lost connection;
- lockDuration/stalledInterval 30000 -> 3000/2000 ms: a job of a killed worker is taken up again after about 4 s;
- drainDelay 5 -> 2 s, and 3 s for any answer: a cut connection is noticed while it idles;
- maxStalledCount 1 -> 5: a drill kills more than once, and a job that was taken up twice is not a bad job.

How many jobs it works on at once is a setting, and costs: after each job every free place of each worker asks for the
next one (measured with 6 places each at 10 jobs a second: Redis is asked for a job 124 times a second).
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from bullmq.worker import Worker

from drillbook_lab.app.health.causes import in_short
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.stores import database
from drillbook_lab.app.stores.natmap import primary
from drillbook_lab.app.worker.work import Work
from drillbook_lab.base.logs import Log
from drillbook_lab.base.topology import QUEUE_NAME

ANSWER_S = 3.0
CLOSE_S = 2.0

OPTIONS = {
    "lockDuration": 3000,
    "stalledInterval": 2000,
    "maxStalledCount": 5,
    "drainDelay": 2,
    "runRetryDelay": 300,
}


async def run(settings: Settings, name: str) -> None:
    """Work until SIGTERM, then finish what is begun."""
    journal = Log()
    pool = database.pool(settings.database_url, name, 4)
    await pool.open(wait=False)
    worker = _worker(settings, name, Work(settings, name, pool), journal)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    journal.info("worker", "started", worker=name, handler=str(Path(settings.handler).resolve().parent.name))
    working = asyncio.create_task(_keep_running(worker, journal, name))
    await stop.wait()
    await _finish(worker, journal, name)
    working.cancel()
    await pool.close(timeout=0.5)


def _worker(settings: Settings, name: str, work: Work, journal: Log) -> Any:
    """BullMQ's worker, not yet running; what goes wrong is in the log."""
    make: Any = Worker
    options = {
        **OPTIONS,
        "connection": primary(settings, timeout_s=ANSWER_S),
        "concurrency": settings.concurrency,
        "name": name,
        "autorun": False,
    }
    worker: Any = make(QUEUE_NAME, work.process, options)
    # BullMQ for Python does not note in a job who works on it (Node's does, as `pb`); a job's lock begins with this id
    worker.id = f"{name}.{worker.id}"

    def on_error(error: BaseException, *_: object) -> None:
        journal.error("worker", "the queue does not answer", worker=name, error=in_short(error))

    def on_failed(job: Any, error: BaseException, *_: object) -> None:
        journal.error("worker", "a job failed", worker=name, job=job.id, error=in_short(error))

    worker.on("error", on_error)
    worker.on("failed", on_failed)
    return worker


async def _finish(worker: Any, journal: Log, name: str) -> None:
    """End what is begun; where it does not end in time, end the process."""
    # no time-out that cancels: BullMQ's `close` catches that, and goes on waiting
    closing = asyncio.create_task(worker.close())
    if not (await asyncio.wait({closing}, timeout=CLOSE_S))[0]:
        journal.error("worker", "did not finish in time", worker=name)
        # BullMQ cannot end what it has begun: a job that hangs would hold this process until somebody kills it
        os._exit(1)
    closing.result()


async def _keep_running(worker: Any, journal: Log, name: str) -> None:
    """BullMQ's `run` sets the client's name first and gives up when Redis is away just then; we do not."""
    while not worker.closing:
        try:
            await worker.run()
        except Exception as error:  # noqa: BLE001 - a worker that cannot start yet must try again, whatever the reason
            journal.error("worker", "cannot start yet", worker=name, error=in_short(error))
        await asyncio.sleep(OPTIONS["runRetryDelay"] / 1000)


if __name__ == "__main__":
    uvloop.run(run(Settings.read(Path(sys.argv[1])), sys.argv[2]))
