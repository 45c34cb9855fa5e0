"""Workers that run and do nothing, and the jobs that somebody clears while the workers hold them."""

from __future__ import annotations

import time

from steps._bullmq import ask, counts, details, key, members
from steps.queue import FAILED

from drillbook import Drill, fault, parse, then
from drillbook.checks import looked


@fault("every worker hangs")
def workers_hang(drill: Drill) -> None:
    drill.inject("workers_frozen", target="worker")


@then(parse("within {deadline:Duration} jobs are stuck for more than {age:Duration}, and none is completed"))
def jobs_are_stuck(drill: Drill, deadline: float, age: float) -> None:
    """The check asks Redis now. The next recovery ends this state, so the endpoint's own figures would not stay."""

    def seen() -> tuple[float, int]:
        ages = [details(drill, job)["taken up (s ago)"] or 0.0 for job in members(drill, "active")]
        since_ms = (time.time() - age) * 1000
        return max(ages, default=0.0), ask(drill, "ZCOUNT", key(drill, "completed"), f"({since_ms:.0f}", "+inf")

    stuck = looked("the age of the oldest active job, and how many were completed since", seen)
    drill.eventually(
        stuck.satisfies(f"are above {age:g} s, and 0", lambda it: it[0] > age and it[1] == 0), within=deadline
    )


@then(parse("within {deadline:Duration} the dead-letter queue holds at least {count:Integer} job"))
def dead_letters_hold(drill: Drill, deadline: float, count: int) -> None:
    """The check asks Redis now. These jobs are replayed next, so the endpoint's own figure would not stay."""
    drill.observe("jobs in the dead-letter queue before the fault", drill.before(FAILED), "jobs")
    drill.eventually(
        looked("the dead-letter queue", lambda: counts(drill)["failed"], "jobs").at_least(count), within=deadline
    )


@then(parse("within {deadline:Duration} the dead-letter queue is empty"))
def dead_letters_are_gone(drill: Drill, deadline: float) -> None:
    drill.eventually(FAILED.is_(0), within=deadline)
