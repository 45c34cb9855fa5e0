"""The queue as its operators meet it: can it be asked, does it say why not, and what a command did to its jobs."""

from __future__ import annotations

from drillbook import parse, then
from drillbook.checks import At, looked
from drillbook.drill import Drill

QUEUE = At("queue", "the queue")


@then(parse("within {deadline:Duration} whoever asks the queue is told {status:Integer} and the reason"))
def queue_gives_an_error(drill: Drill, deadline: float, status: int) -> None:
    drill.eventually(QUEUE.status().is_(status), within=deadline)
    drill.eventually(QUEUE.json("error", "the reason that the queue gives").contains("Redis"), within=deadline)


@then(parse("within {deadline:Duration} the queue can be asked"))
def queue_answers(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.answers(), within=deadline)


@then(parse("within {deadline:Duration} at least {count:Integer} jobs wait"))
def jobs_wait(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(QUEUE.json("depth", "the queue's depth", "jobs").at_least(count), within=deadline)


@then(parse("within {deadline:Duration} the queue runs again although nobody resumed it"))
def queue_runs_again(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.json("paused", "whether the queue is paused").is_(False), within=deadline)


@then(parse("at least {count:Integer} acknowledged jobs are lost"))
def jobs_are_lost(drill: Drill, count: int) -> None:
    """Those acknowledged before the command was run: what came later may only wait for its turn."""
    until_s = drill.phase_opened_s()
    lost = looked("acknowledged jobs that are lost", lambda: len(drill.load.balance(until_s).lost), "jobs")
    drill.expect(lost.at_least(count))
