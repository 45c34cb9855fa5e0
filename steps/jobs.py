"""Single jobs that are stuck, that are poisonous, or that failed with a reason, and how an engineer looks at them."""

from __future__ import annotations

from collections.abc import Sequence

from steps._bullmq import connections, counts, details, members, processes, state_of, states, workers
from steps.health import API
from steps.queue import FAILED, QUEUE
from steps.redis import REDIS

from drillbook import Drill, fault, parse, then
from drillbook.checks import Reading, looked, number

OLDEST = QUEUE.json("oldest_active_s", "the oldest active job", "s")
FAILURES = QUEUE.json("error_rate", "the failure rate")


# A fault sends these webhooks, and its undo takes them away. The API makes the job "wh-ID" from each.
ODD = "odd-one"
ODD_JOB = f"wh-{ODD}"


def webhook(kind: str, name: str = ODD, **payload: object) -> dict[str, object]:
    return {"id": name, "kind": kind, "payload": payload}


def failing(count: int, **payload: object) -> list[dict[str, object]]:
    """Webhooks that fail every time."""
    return [webhook("poison", f"failing-{number}", **payload) for number in range(1, count + 1)]


@fault("a job comes in that never ends")
def job_never_ends(drill: Drill) -> None:
    drill.inject("webhook_sent", webhooks=[webhook("odd", hang_attempts=1000)])


@fault("a job comes in that does not end the first time")
def job_hangs_once(drill: Drill) -> None:
    drill.inject("webhook_sent", webhooks=[webhook("odd", hang_attempts=1)])


@fault("a job comes in that kills every worker which takes it")
def job_kills_workers(drill: Drill) -> None:
    drill.inject("webhook_sent", webhooks=[webhook("crash")])


@fault("a job comes in that fails every time")
def job_fails(drill: Drill) -> None:
    drill.inject("webhook_sent", webhooks=[webhook("poison")])


@fault(parse("a job comes in that never ends, and {count:Integer} that fail every time"))
def one_hangs_and_some_fail(drill: Drill, count: int) -> None:
    drill.inject("webhook_sent", webhooks=[webhook("odd", hang_attempts=1000), *failing(count)])


@fault(parse("a job comes in that never ends, and {count:Integer} that fail every time, after {length:Duration} each"))
def one_hangs_and_some_fail_late(drill: Drill, count: int, length: float) -> None:
    """The jobs take this long, so that none has failed for good before the next fault."""
    some = failing(count, work_ms=round(length * 1000))
    drill.inject("webhook_sent", webhooks=[webhook("odd", hang_attempts=1000), *some])


@then(parse("within {deadline:Duration} the {count:Integer} that fail are in no state that BullMQ knows"))
def failed_jobs_are_nowhere(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(failed_states(drill, count).is_(["unknown"] * count), within=deadline)


@then(parse("within {deadline:Duration} the {count:Integer} that fail are failed"))
def failed_jobs_are_failed(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(failed_states(drill, count).is_(["failed"] * count), within=deadline)


def failed_states(drill: Drill, count: int) -> Reading:
    jobs = [f"wh-{each['id']}" for each in failing(count)]
    return looked("the jobs that fail every time", lambda: list(states(drill, jobs).values()))


@then(parse("within {deadline:Duration} a job is active for more than {age:Duration}"))
def job_is_stuck(drill: Drill, deadline: float, age: float) -> None:
    drill.eventually(OLDEST.satisfies(f"is older than {age:g} s", lambda seen: number(seen) > age), within=deadline)


@then(parse("within {deadline:Duration} no job is active for more than {age:Duration}"))
def no_job_is_stuck(drill: Drill, deadline: float, age: float) -> None:
    young = OLDEST.satisfies(f"is not older than {age:g} s", lambda seen: seen is None or number(seen) <= age)
    drill.eventually(young, within=deadline)


@then(parse("within {deadline:Duration} that job has lost its worker {times:Integer} times"))
def job_lost_its_workers(drill: Drill, deadline: float, times: int) -> None:
    lost = looked("workers lost by the job", lambda: details(drill, ODD_JOB)["times without a worker"])
    drill.eventually(lost.at_least(times), within=deadline)


@then(parse("within {deadline:Duration} that job has failed {times:Integer} times"))
def job_failed_again(drill: Drill, deadline: float, times: int) -> None:
    failed = looked("attempts of that job", lambda: details(drill, ODD_JOB)["attempts made"])
    drill.eventually(failed.at_least(times), within=deadline)


@then(parse('within {deadline:Duration} that job is failed, with "{reason}" as its reason'))
def job_is_failed(drill: Drill, deadline: float, reason: str) -> None:
    def seen() -> str:
        return f"{state_of(drill, ODD_JOB)}: {details(drill, ODD_JOB)['reason']}"

    drill.eventually(
        looked("that job", seen).satisfies(f"is failed with {reason!r}", lambda it: it.startswith(f"failed: {reason}")),
        within=deadline,
    )


@then(parse("within {deadline:Duration} that job is completed"))
def job_is_completed(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("that job", lambda: state_of(drill, ODD_JOB)).is_("completed"), within=deadline)


@then(parse("within {deadline:Duration} more than {share:Percent} of the jobs fail"))
def jobs_fail(drill: Drill, deadline: float, share: float) -> None:
    drill.eventually(FAILURES.satisfies(f"is above {share:.0%}", lambda rate: number(rate) > share), within=deadline)


@then(parse("within {deadline:Duration} at most {share:Percent} of the jobs fail"))
def jobs_do_not_fail(drill: Drill, deadline: float, share: float) -> None:
    drill.eventually(FAILURES.at_most(share), within=deadline)


@then(parse("within {deadline:Duration} the dead-letter queue holds no more jobs than before"))
def dead_letters_are_as_before(drill: Drill, deadline: float) -> None:
    drill.eventually(FAILED.at_most(drill.before(FAILED)), within=deadline)


@then(parse("within {deadline:Duration} the dead-letter queue holds {count:Integer} more job than before"))
def dead_letters_are_more(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(FAILED.is_(drill.before(FAILED) + count), within=deadline)


@then("the queue's counts, its oldest active jobs and its workers are written down")
def queue_is_diagnosed(drill: Drill) -> None:
    drill.bound(REDIS.answers())
    drill.observe("jobs by state", counts(drill))
    drill.observe("workers connected to the queue", workers(drill))
    drill.observe("processes of the workers", processes(drill))
    drill.observe("connections to Redis", connections(drill))
    jobs_are_diagnosed(drill, "active", members(drill, "active")[:3])


def jobs_are_diagnosed(drill: Drill, state: str, jobs: Sequence[str]) -> None:
    """Write down each of them, or that there is none. Otherwise a reader could not know that somebody looked."""
    if not jobs:
        drill.observe(f"{state} jobs", "none")
    for job in jobs:
        drill.observe(f"{state} job {job}", details(drill, job))


@then(parse("the processes of {groups:Names} are written down"))
def processes_are_diagnosed(drill: Drill, groups: tuple[str, ...]) -> None:
    drill.bound(API.answers())
    for group in groups:
        drill.observe(f"processes of {group}", processes(drill, group))


@then("the latest failed jobs are written down")
def failures_are_diagnosed(drill: Drill) -> None:
    drill.bound(REDIS.answers())
    jobs_are_diagnosed(drill, "failed", members(drill, "failed")[-3:])
