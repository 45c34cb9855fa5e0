#!/usr/bin/python
"""Bring single jobs of a BullMQ queue into a state, by BullMQ's own operations."""

from __future__ import annotations

DOCUMENTATION = """
module: bullmq_job
short_description: Move jobs of a BullMQ queue to failed, back to wait, or away
description:
  - Needs the Python package bullmq where it runs.
  - Without O(state) it only reads the jobs.
  - The jobs are O(ids), or those in O(among) that every further condition fits.
options:
  queue: {description: Name of the queue, type: str, required: true}
  redis:
    description: Where it is. host and port, or sentinels and master; username, password, sentinel_password, ca.
    type: dict
    required: true
  state:
    description:
      - C(failed) moves active jobs to failed, with O(reason) and without another attempt. A lock that somebody still
        holds is overridden; end that worker, or what it does with the job goes on.
      - C(waiting) brings failed jobs back to wait, for one more attempt. Jobs that wait already stay.
      - C(recovered) moves active jobs whose worker is gone back to wait, as a live worker's own sweep does. It waits
        for their locks to run out, for at most O(timeout) seconds, and leaves what a live worker holds. Python's bullmq
        has no Job.moveToWait.
      - C(returned) moves the jobs that BullMQ does not find any more to active, one by one and losing none. There a
        sweep, C(recovered) or C(failed) finds them. These are the ids in the list O(key), which was filled by hand
        (an id of no job is dropped), and those of jobs that are in no list or set at all.
      - C(absent) removes jobs that nobody works on. They are lost.
    type: str
    choices: [failed, waiting, recovered, returned, absent]
  ids: {description: Ids of jobs as BullMQ knows them, type: list, elements: str}
  among: {description: State of the jobs to choose from, type: str, choices: [active, failed], default: active}
  active_for: {description: Only those that are active for at least so many seconds, type: float}
  stalled: {description: Only those that lost their worker at least so many times, type: int}
  failed_since: {description: Only those that failed since then, in seconds of the epoch, type: float}
  unlocked: {description: Only those that no worker holds, type: bool, default: false}
  key: {description: 'Last part of the name of a list that was filled by hand, for C(returned)', type: str}
  reason: {description: 'Why, for C(failed); of failed jobs only those whose reason contains it', type: str}
  timeout: {description: Seconds to wait for C(recovered), type: float, default: 60}
"""
RETURN = """
jobs:
  description: The jobs as they were, each with id, name, state, attempts, stalled, active_for, locked, worker, reason.
  type: list
  returned: success
moved: {description: Ids of the jobs that were brought into the state, type: list, returned: success}
workers: {description: Names of the workers that held one of the jobs that were moved, type: list, returned: success}
"""

import asyncio
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.bullmq_client import ARGUMENTS, RefusedError, run

OPERATOR = "0"  # BullMQ's token for "do not look at the lock"
MAX_STALLED = 1_000_000  # a sweep by hand fails no job, because the operator decides which job is poison
SWEEP_MS = 300
LISTS = ("wait", "active", "paused")
SETS = ("completed", "failed", "delayed", "prioritized", "waiting-children")


async def read(queue: Any, client: Any, job: str) -> dict[str, Any] | None:
    """What Redis has of a job; None when there is no such job.

    Node's BullMQ notes the worker in the job. Python's BullMQ begins the lock with its name.
    """
    fields = await client.hgetall(queue.toKey(job))
    if not fields:
        return None
    lock = await client.get(queue.toKey(job) + ":lock")
    state = await queue.getJobState(job)
    begun = float(fields.get("processedOn", 0)) / 1000
    return {
        "id": job,
        "name": fields.get("name"),
        "state": state,
        "attempts": int(fields.get("atm", 0)),
        "stalled": int(fields.get("stc", 0)),
        "active_for": round(time.time() - begun, 3) if state == "active" and begun else None,
        "finished_at": int(fields["finishedOn"]) / 1000 if "finishedOn" in fields else None,
        "locked": lock is not None,
        "worker": fields.get("pb") or (lock.partition(".")[0] if lock and "." in lock else None),
        "reason": fields.get("failedReason"),
    }


async def chosen(queue: Any, client: Any, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The jobs that the task asks for."""
    ids = asked["ids"]
    if ids is None and asked["among"] == "active":
        ids = await client.lrange(queue.toKey("active"), 0, -1)
    elif ids is None:
        ids = await client.zrange(queue.toKey("failed"), 0, -1)
    jobs = [job for job in [await read(queue, client, each) for each in ids] if job is not None]
    wanted = asked["reason"] if asked["among"] == "failed" and asked["ids"] is None else None
    return [
        job
        for job in jobs
        if (asked["active_for"] is None or (job["active_for"] or 0) >= asked["active_for"])
        and (asked["stalled"] is None or job["stalled"] >= asked["stalled"])
        and (asked["failed_since"] is None or (job["finished_at"] or 0) >= asked["failed_since"])
        and not (asked["unlocked"] and job["locked"])
        and (wanted is None or wanted in (job["reason"] or ""))
    ]


async def fail(queue: Any, jobs: list[dict[str, Any]], reason: str) -> None:
    from bullmq.custom_errors import UnrecoverableError
    from bullmq.job import Job

    for each in jobs:
        job = await Job.fromId(queue, each["id"])
        if job is not None:
            # an unrecoverable job is not tried again, even when it has attempts left
            await job.moveToFailed(UnrecoverableError(reason), OPERATOR)


async def retry(queue: Any, jobs: list[dict[str, Any]]) -> None:
    from bullmq.job import Job

    for each in jobs:
        job = await Job.fromId(queue, each["id"])
        if job is not None:
            await job.retry("failed")


async def sweep(queue: Any, client: Any, jobs: list[dict[str, Any]], timeout: float) -> list[str]:
    """Move jobs without a worker back to wait, in two passes. The first marks what is active, the second moves jobs
    without a lock.

    BullMQ keeps a pause between the passes. Returns the jobs that were moved. A job whose lock is renewed has a live
    worker, so it stays.
    """
    locks = {job["id"]: queue.toKey(job["id"]) + ":lock" for job in jobs}
    holders = {job: await client.get(lock) for job, lock in locks.items()}
    left_ms = {job: await client.pttl(lock) for job, lock in locks.items()}
    open_, moved = set(locks), []
    until_s = time.monotonic() + timeout
    while True:
        await queue.backend.moveStalledJobsToWait(MAX_STALLED, SWEEP_MS)
        active = set(await client.lrange(queue.toKey("active"), 0, -1))
        for job in sorted(open_):
            holder, ms = await client.get(locks[job]), await client.pttl(locks[job])
            if job not in active or (holder is not None and holder != holders[job]):
                moved.append(job)
                open_.discard(job)
            elif ms > left_ms[job] > 0:
                open_.discard(job)
            left_ms[job] = ms
        if not open_:
            return moved
        if time.monotonic() > until_s:
            raise RefusedError(f"{len(open_)} jobs are still active after {timeout:g} s: {', '.join(sorted(open_))}")
        await asyncio.sleep(0.1)


async def strays(queue: Any, client: Any) -> list[str]:
    """The jobs whose data is there, and whose id is in no list or set of BullMQ's.

    This reads the lists one after the other, so a job may move meanwhile. BullMQ is asked for such a job once more, and
    looks at one moment.
    """
    known: set[str] = set()
    for name in LISTS:
        known.update(await client.lrange(queue.toKey(name), 0, -1))
    for name in SETS:
        known.update(await client.zrange(queue.toKey(name), 0, -1))
    start = queue.toKey("")
    found = []
    async for key in client.scan_iter(match=f"{start}*", count=1000, _type="HASH"):
        job = key.removeprefix(start)
        if job != "meta" and ":" not in job and job not in known and await queue.getJobState(job) == "unknown":
            found.append(job)
    return sorted(found)


async def bring_back(queue: Any, client: Any, name: str | None, *, dry: bool) -> list[str]:
    """Move the jobs that BullMQ does not find to active. Returns their ids."""
    found = await empty(queue, client, name, dry=dry) if name else []
    if dry and found:
        return found  # while they lie there, nobody can ask BullMQ for the state of a job
    for job in await strays(queue, client):
        if not dry:
            await client.lpush(queue.toKey("active"), job)
        if job not in found:
            found.append(job)
    return found


async def empty(queue: Any, client: Any, name: str, *, dry: bool) -> list[str]:
    """Move all ids from a list that somebody filled by hand to active. Returns the ids. A key of another type is left
    alone.
    """
    source, active = queue.toKey(name), queue.toKey("active")
    if await client.type(source) != "list":
        return []
    if dry:
        return [str(each) for each in await client.lrange(source, 0, -1)]
    found: list[str] = []
    while (job := await client.lindex(source, -1)) is not None:
        if await client.exists(queue.toKey(job)):
            await client.lmove(source, active, "RIGHT", "LEFT")
        else:
            await client.rpop(source)
        found.append(str(job))
    return found


async def remove(queue: Any, jobs: list[dict[str, Any]]) -> None:
    from bullmq.job import Job

    for each in jobs:
        if each["locked"]:
            raise RefusedError(
                f"job {each['id']} is held by a worker: end that worker, or move the job to failed, first"
            )
        job = await Job.fromId(queue, each["id"])
        if job is not None:
            await job.remove()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "state": {"choices": ["failed", "waiting", "recovered", "returned", "absent"]},
            "key": {"type": "str"},
            "ids": {"type": "list", "elements": "str"},
            "among": {"choices": ["active", "failed"], "default": "active"},
            "active_for": {"type": "float"},
            "stalled": {"type": "int"},
            "failed_since": {"type": "float"},
            "unlocked": {"type": "bool", "default": False},
            "reason": {"type": "str"},
            "timeout": {"type": "float", "default": 60},
        },
        required_if=[("state", "failed", ["reason"])],
        supports_check_mode=True,
    )
    asked = module.params
    state = asked["state"]
    from_state = {"failed": "active", "recovered": "active", "waiting": "failed"}.get(state)

    async def work(queue: Any, client: Any) -> dict[str, Any]:
        if state == "returned":
            found = await bring_back(queue, client, asked["key"], dry=module.check_mode)
            return {"changed": bool(found), "jobs": [], "moved": found, "workers": []}
        jobs = await chosen(queue, client, asked)
        moving = [job for job in jobs if from_state is None or job["state"] == from_state] if state else []
        moved = [job["id"] for job in moving]
        if moving and not module.check_mode:
            match state:
                case "failed":
                    await fail(queue, moving, asked["reason"])
                case "waiting":
                    await retry(queue, moving)
                case "recovered":
                    moved = await sweep(queue, client, moving, asked["timeout"])
                case "absent":
                    await remove(queue, moving)
        workers = sorted({job["worker"] for job in moving if job["worker"] and job["locked"]})
        return {"changed": bool(moved), "jobs": jobs, "moved": moved, "workers": workers}

    run(module, work)


if __name__ == "__main__":
    main()
