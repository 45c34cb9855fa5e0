"""Commands of runbooks as they are written, the harm that they do, and what they say of it themselves."""

from __future__ import annotations

from steps._bullmq import counts, key, members, state_of, states, the_type
from steps.jobs import ODD_JOB

from drillbook import fault, parse, then
from drillbook.checks import At, looked
from drillbook.drill import Drill

QUEUE = At("queue", "the queue")


@fault('the active jobs are moved to "waiting" as the runbook writes it, and the workers are started')
def active_jobs_are_moved(drill: Drill) -> None:
    drill.inject("active_moved_by_hand")


@fault('that job is moved to "failed" as the runbook writes it')
def job_is_pushed_to_failed(drill: Drill) -> None:
    drill.inject("failed_pushed_by_hand", id=ODD_JOB)


@then(parse('for {length:Duration} jobs lie in "{name}", where no worker looks, and are not completed'))
def jobs_are_stranded(drill: Drill, length: float, name: str) -> None:
    def stranded() -> int:
        return sum(state == "unknown" for state in states(drill, members(drill, name)).values())

    drill.throughout(looked(f"jobs in {name!r} and in no state", stranded, "jobs").at_least(1), for_=length, within=60)


@then(parse('the jobs in "{name}" are written down'))
def stranded_jobs_are_diagnosed(drill: Drill, name: str) -> None:
    drill.observe(f"jobs in {name!r}, which BullMQ does not read", len(members(drill, name)), "jobs")
    drill.observe(f"type of {key(drill, name)}", the_type(drill, name))
    drill.observe("jobs by state", counts(drill))
    drill.bound(At("redis", "Redis").answers())


@then(parse('within {deadline:Duration} no job lies in "{name}"'))
def nothing_is_stranded(drill: Drill, deadline: float, name: str) -> None:
    drill.eventually(looked(f"jobs in {name!r}", lambda: len(members(drill, name)), "jobs").is_(0), within=deadline)


@then(parse("within {deadline:Duration} that job is in no state that BullMQ knows"))
def job_is_nowhere(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("that job", lambda: state_of(drill, ODD_JOB)).is_("unknown"), within=deadline)


@then(parse("the queue cannot be counted for {length:Duration}"))
def queue_stays_uncounted(drill: Drill, length: float) -> None:
    drill.throughout(QUEUE.silent(), for_=length, within=60)


@then(parse("within {deadline:Duration} the queue can be counted"))
def queue_is_counted(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.answers(), within=deadline)


@then(parse('within {deadline:Duration} the length of "{name}" is 0 while {count:Integer} jobs wait'))
def count_is_wrong(drill: Drill, deadline: float, name: str, count: int) -> None:
    def seen() -> tuple[int, int]:
        return len(members(drill, name)), counts(drill)["wait"]

    both = looked(f"the length of {name!r} and the jobs that wait", seen)
    drill.eventually(
        both.satisfies(f"are 0 and at least {count}", lambda it: it[0] == 0 and it[1] >= count), within=deadline
    )


@then(parse("within {deadline:Duration} the queue is not paused any more, although nobody resumed it"))
def pause_is_forgotten(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.json("paused", "whether the queue is paused").is_(False), within=deadline)
