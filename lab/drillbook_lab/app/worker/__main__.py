"""`python -m drillbook_lab.app.worker SETTINGS NAME PORT`: a worker of the queue, with the release on its own site.

With BullMQ's defaults, a worker resumes 15 to 25 s after a failover (measured). So these options are set instead:
- runRetryDelay 15000 -> 300 ms: how long the worker rests after each lost connection;
- lockDuration/stalledInterval 30000 -> 3000/2000 ms: a killed worker's job is taken up again after about 4 s;
- drainDelay 5 -> 2 s, and 3 s for any answer: an idle worker notices a cut connection;
- maxStalledCount 1 -> 5: a drill kills workers more than once, and a job that was taken up twice is not a bad job.

A setting says how many jobs a worker does at once. Each of these places costs: after each job, every free place of each
worker asks for the next job. Measured with 6 places each at 10 jobs a second: Redis is asked for a job 124 times a
second.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from bullmq.worker import Worker

from drillbook_lab.app import releases
from drillbook_lab.app.health.causes import in_short
from drillbook_lab.app.settings import Settings
from drillbook_lab.app.stores import database
from drillbook_lab.app.stores.natmap import primary
from drillbook_lab.app.worker import version
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


async def run(settings: Settings, name: str, port: int) -> None:
    """Work until SIGTERM, then finish the jobs that have begun."""
    journal = Log()
    release = releases.live(Path(settings.site) / name)
    pool = database.pool(settings.database_url, name, 4)
    await pool.open(wait=False)
    worker = _worker(settings, name, Work(settings, name, pool, release, journal), journal)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    journal.info("worker", "started", worker=name, release=release.version, commit=release.commit)
    telling = await version.tell(port, {"version": release.version, "commit": release.commit})
    working = asyncio.create_task(_keep_running(worker, journal, name))
    await stop.wait()
    telling.close()
    await _finish(worker, journal, name)
    working.cancel()
    await pool.close(timeout=0.5)


def _worker(settings: Settings, name: str, work: Work, journal: Log) -> Any:
    """Make BullMQ's worker, which does not run yet. It logs what goes wrong."""
    make: Any = Worker
    options = {
        **OPTIONS,
        "connection": primary(settings, timeout_s=ANSWER_S),
        "concurrency": settings.concurrency,
        "name": name,
        "autorun": False,
    }
    worker: Any = make(QUEUE_NAME, work.process, options)
    # BullMQ for Python does not write into a job which worker has it (BullMQ for Node does, as `pb`). A job's lock
    # begins with this id, so the id names the worker.
    worker.id = f"{name}.{worker.id}"

    def on_error(error: BaseException, *_: object) -> None:
        journal.error("worker", "the queue does not answer", worker=name, error=in_short(error))

    def on_failed(job: Any, error: BaseException, *_: object) -> None:
        journal.error("worker", "a job failed", worker=name, job=job.id, error=in_short(error))

    worker.on("error", on_error)
    worker.on("failed", on_failed)
    return worker


async def _finish(worker: Any, journal: Log, name: str) -> None:
    """Finish the jobs that have begun. If they do not end in time, end the process."""
    # no time-out that cancels: BullMQ's `close` catches a cancellation, and goes on waiting
    closing = asyncio.create_task(worker.close())
    if not (await asyncio.wait({closing}, timeout=CLOSE_S))[0]:
        journal.error("worker", "did not finish in time", worker=name)
        # BullMQ cannot end a job: one that hangs would keep this process alive until somebody kills it
        os._exit(1)
    closing.result()


async def _keep_running(worker: Any, journal: Log, name: str) -> None:
    """Run the worker, and run it again whenever it ends early.

    BullMQ's `run` first sets the client's name, and gives up if Redis is away just then.
    """
    while not worker.closing:
        try:
            await worker.run()
        except Exception as error:  # noqa: BLE001 - a worker that cannot start yet must try again, whatever the reason
            journal.error("worker", "cannot start yet", worker=name, error=in_short(error))
        await asyncio.sleep(OPTIONS["runRetryDelay"] / 1000)


if __name__ == "__main__":
    uvloop.run(run(Settings.read(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
