"""Jobs that are submitted, kept, refused and completed. The drill's own ledger decides, not the queue's counters."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from steps._bullmq import members, states
from steps.health import API, api_starts, latest

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, Check, happened, looked
from drillbook.clients import http_get
from drillbook.errors import CouldNotLookError, DrillbookError

QUEUE = At("queue", "the queue")
DEPTH = QUEUE.json("depth", "the queue's depth", "jobs")
RATE = QUEUE.json("processing_rate", "the processing rate", "jobs/s")
FAILED = QUEUE.json("failed", "the dead-letter queue", "jobs")
ACTIVE = QUEUE.json("active", "the jobs that workers hold", "jobs")
BUFFER = API.json("buffer.size", "the memory buffer", "jobs")
LAST_LINES = 500
"""So many lines of a worker's log name the jobs that it was handed last."""


@given(parse("jobs are submitted at {rate:Number} per second"))
def jobs_are_submitted(drill: Drill, rate: float) -> None:
    drill.submit_work(rate)
    drill.eventually(RATE.at_least(0.9 * rate), within=30)
    drill.baseline_begins()


@then(parse("within {deadline:Duration} new jobs are kept in memory"))
def jobs_are_buffered(drill: Drill, deadline: float) -> None:
    drill.eventually(BUFFER.at_least(1), within=deadline)


@then(parse("within {deadline:Duration} the memory buffer holds {count:Integer} jobs"))
def buffer_holds(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(BUFFER.at_least(count), within=deadline)


@then(parse("the memory buffer never holds more than {count:Integer} jobs"))
def buffer_is_bounded(drill: Drill, count: int) -> None:
    drill.always(BUFFER.at_most(count))


@then(parse("within {deadline:Duration} the memory buffer is empty"))
def buffer_is_empty(drill: Drill, deadline: float) -> None:
    drill.eventually(BUFFER.is_(0), within=deadline)


@then(parse("within {deadline:Duration} new jobs are refused with {status:Integer} and a time to retry"))
def jobs_are_refused(drill: Drill, deadline: float, status: int) -> None:
    drill.eventually(
        happened("a job refused with a time to retry", lambda: drill.load.refused(status, drill.fault_at_s())),
        within=deadline,
    )


@then(
    parse(
        "within {deadline:Duration} every job that was acknowledged before the fault is completed, "
        "although the API cannot reach Redis"
    )
)
def earlier_jobs_go_on(drill: Drill, deadline: float) -> None:
    """Workers had taken some of these jobs. They reach Redis as before."""
    drill.observe("jobs that workers held before the fault", drill.before(ACTIVE), "jobs")

    def seen() -> object:
        return drill.load.balance(drill.fault_at_s())

    work = while_redis_is_down(drill, "the work from before the fault", seen, "sound", lambda account: account.sound)
    drill.eventually(work, within=deadline)


@then(parse("within {deadline:Duration} every job that a worker had taken is done, although Redis refuses the worker"))
def taken_jobs_are_done(drill: Drill, deadline: float) -> None:
    """Redis still lists them as active, because no worker can tell it that they are done.

    Redis may also list a job that it handed out as it began to refuse: its answer reached no worker. So a job counts
    as taken when the log of a worker names it.
    """
    listed = taken = 0

    def seen() -> tuple[int, int]:
        nonlocal listed, taken
        jobs, said = members(drill, "active"), said_by_workers(drill)
        received = [job.removeprefix("wh-") for job in jobs if re.search(rf"(?<![\w-]){re.escape(job)}(?![\w-])", said)]
        listed, taken = len(jobs), len(received)
        done = drill.load.completed()
        return taken, sum(job in done for job in received)

    subject, wanted = "the jobs that workers had taken, and those of them that are done", "at least 1, and as many"
    jobs = while_redis_is_down(drill, subject, seen, wanted, lambda it: 1 <= it[0] == it[1])
    drill.eventually(jobs, within=deadline)
    drill.observe("jobs that Redis has handed out, and that no worker has received", listed - taken, "jobs")


def said_by_workers(drill: Drill) -> str:
    """The last lines of the log of each worker. Raises CouldNotLookError for a log that cannot be read."""
    said = []
    for name, host in zip(drill.inventory.names("worker"), drill.hosts("worker"), strict=True):
        read = host.run("tail -n %s %s", str(LAST_LINES), str(drill.inventory.variable(name, "drillbook_log_file")))
        if read.rc:
            raise CouldNotLookError(f"the log of {name}: {read.stderr.strip()}")
        said.append(str(read.stdout))
    return "\n".join(said)


@then(parse("within {deadline:Duration} the API, started anew, holds what the old one had acknowledged"))
def new_api_holds(drill: Drill, deadline: float, api_started: Mapping[str, object]) -> None:
    """The API has to hold every acknowledged job that is neither in Redis nor done. It may hold more, because jobs come
    in while this is asked.
    """

    def seen() -> tuple[bool, int, int]:
        anew = all(start != api_started[host] for host, start in api_starts(drill).items())
        known = states(drill, [f"wh-{job}" for job in drill.load.balance().lost])
        nowhere = sum(state == "gone" for state in known.values())
        return anew, nowhere, http_get(drill.inventory.endpoints["api"]).json()["buffer"]["size"]

    held = looked("whether the API was started anew, the jobs that are nowhere else, and those that it holds", seen)
    drill.eventually(
        held.satisfies("are true, at least 1, and as many", lambda it: it[0] is True and 1 <= it[1] <= it[2]),
        within=deadline,
    )


@then(parse("within {deadline:Duration} every acknowledged job is completed exactly once"))
def every_job_is_completed(drill: Drill, deadline: float) -> None:
    asked_s = time.monotonic()
    balance = looked("the balance of the work", lambda: drill.load.balance(asked_s))
    drill.eventually(
        balance.satisfies("is sound: none lost, none twice", lambda account: account.sound), within=deadline
    )


def while_redis_is_down(
    drill: Drill, subject: str, look: Callable[[], object], wanted: str, met: Callable[[Any], bool]
) -> Check:
    """A check that counts what is seen only while the API says that Redis is down."""

    def seen() -> object:
        status = latest(drill, API.json("components.redis.status"))
        return look() if status == "down" else f"Redis is {status} for the API"

    return looked(subject, seen).satisfies(
        f"is {wanted} while Redis is down for the API", lambda it: not isinstance(it, str) and met(it)
    )


@then(parse("no job is refused or left unanswered for {length:Duration}"))
def no_job_fails(drill: Drill, length: float) -> None:
    failing = looked("jobs that failed in the last second", lambda: drill.load.failures(last_s=1.0))
    drill.throughout(failing.is_(0), for_=length)


@then(parse("within {deadline:Duration} jobs are processed as fast as they are submitted, within {tolerance:Percent}"))
def rate_is_normal(drill: Drill, deadline: float, tolerance: float) -> None:
    drill.eventually(RATE.at_least((1 - tolerance) * submitted_per_s(drill)), within=deadline)


def submitted_per_s(drill: Drill) -> float:
    """The present rate of the work. Raises DrillbookError when it is 0, since work that stands still is as fast as
    that.
    """
    if not drill.load.rate:
        raise DrillbookError(
            "no work is submitted any more, and nothing can be as fast: say 'Given jobs are submitted at N per second'"
        )
    return drill.load.rate


@then(
    parse(
        "within {deadline:Duration} the queue is as deep as before, within {tolerance:Percent} or {jobs:Integer} jobs"
    )
)
def depth_is_normal(drill: Drill, deadline: float, tolerance: float, jobs: int) -> None:
    before = drill.before(DEPTH)
    drill.eventually(DEPTH.at_most(before + max(jobs, tolerance * before)), within=deadline)


@then(parse("within {deadline:Duration} the queue cannot be counted"))
def queue_cannot_be_counted(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.silent(), within=deadline)


@fault(parse("the queue is paused, and {count:Integer} jobs come in"))
def queue_is_paused(drill: Drill, count: int) -> None:
    drill.inject("queue_paused")
    drill.submit_work(40, count=count)


@then(parse("within {deadline:Duration} {count:Integer} jobs wait"))
def so_many_jobs_wait(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(DEPTH.is_(count), within=deadline)


@then(parse("within {deadline:Duration} {count:Integer} jobs are failed"))
def so_many_jobs_are_failed(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(FAILED.is_(count), within=deadline)


@then(parse("none of them is done for {length:Duration}"))
def nothing_is_done(drill: Drill, length: float) -> None:
    """At least one job has to be acknowledged. Without any, none could be done."""

    def seen() -> tuple[int, int]:
        account = drill.load.balance()
        return account.acknowledged, account.completed

    done = looked("jobs of this drill that were acknowledged, and those that are done", seen)
    none_is_done = done.satisfies("are at least 1, and 0", lambda it: it[0] >= 1 and it[1] == 0)
    drill.throughout(none_is_done, for_=length, within=30)


@then(parse("within {deadline:Duration} {count:Integer} new jobs are completed, and only what was accepted is lost"))
def only_the_accepted_is_lost(drill: Drill, deadline: float, count: int) -> None:
    wanted = len(drill.load.attempts) + count
    drill.submit_work(20, count=count)
    balance = looked("the balance of the work", drill.load.balance)
    drill.eventually(
        balance.satisfies(
            f"is sound with {wanted} jobs, but for {drill.accepted_lost}",
            lambda account: account.attempted == wanted and account.sound_but_for(drill.accepted_lost),
        ),
        within=deadline,
    )
