"""Workers that are there and do nothing, and the jobs that are cleared from under them."""

from __future__ import annotations

from steps._bullmq import counts

from drillbook import fault, parse, then
from drillbook.checks import At, looked
from drillbook.drill import Drill

FAILED = At("queue", "the queue").json("failed", "the dead-letter queue", "jobs")


@fault("every worker hangs")
def workers_hang(drill: Drill) -> None:
    drill.inject("workers_frozen", target="worker")


@then(parse("within {deadline:Duration} the dead-letter queue holds at least {count:Integer} job"))
def dead_letters_hold(drill: Drill, deadline: float, count: int) -> None:
    """At this moment: they are replayed next, so that the endpoint's own figure would not stay."""
    drill.observe("jobs in the dead-letter queue before the fault", drill.before(FAILED), "jobs")
    drill.eventually(
        looked("the dead-letter queue", lambda: counts(drill)["failed"], "jobs").at_least(count), within=deadline
    )


@then(parse("within {deadline:Duration} the dead-letter queue is empty"))
def dead_letters_are_gone(drill: Drill, deadline: float) -> None:
    drill.eventually(FAILED.is_(0), within=deadline)
