#!/usr/bin/python
"""Bring a BullMQ queue as a whole into a state, or count it, by BullMQ's own operations."""

from __future__ import annotations

DOCUMENTATION = """
module: bullmq_queue
short_description: Pause, resume, drain, clean or destroy a BullMQ queue, or count its jobs
description:
  - Needs the Python package bullmq where it runs.
  - Without O(state) it only counts.
options:
  queue: {description: Name of the queue, type: str, required: true}
  redis:
    description: Where it is. host and port, or sentinels and master; username, password, sentinel_password, ca.
    type: dict
    required: true
  state:
    description:
      - C(paused) hands out no more jobs, C(running) does. Both hold for all workers.
      - C(idle) waits until no job is active, for at most O(timeout) seconds. Pause first.
      - C(cleaned) removes all failed jobs. They are lost.
      - C(drained) removes all waiting and delayed jobs. They are lost.
      - C(obliterated) removes the queue and all of its jobs, whatever their state, and leaves it running. Lost.
        With none that is unfinished or failed there is nothing to clear, and it does nothing.
        Jobs that are active make it fail; BullMQ then leaves the queue paused, and this module puts that back.
    type: str
    choices: [paused, running, idle, cleaned, drained, obliterated]
  timeout: {description: Seconds to wait for C(idle), type: float, default: 30}
"""
RETURN = """
counts: {description: Jobs by state before anything was changed, type: dict, returned: success}
paused: {description: Whether the queue was paused before, type: bool, returned: success}
removed: {description: Number of jobs that were removed, type: int, returned: success}
"""

import asyncio
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.bullmq_client import ARGUMENTS, RefusedError, run

WAITING = ("waiting", "prioritized", "delayed")
UNFINISHED = (*WAITING, "active", "waiting-children", "failed")


async def destroyed(queue: Any, was_paused: bool) -> None:
    """Obliterate; a refused one must not leave the queue paused, for nobody would know why it stands still."""
    try:
        await queue.obliterate()
    except Exception as error:
        if not was_paused:
            await queue.resume()
        raise RefusedError(str(error)) from error
    await queue.resume()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "state": {"choices": ["paused", "running", "idle", "cleaned", "drained", "obliterated"]},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    state, timeout = module.params["state"], module.params["timeout"]

    async def work(queue: Any, client: Any) -> dict[str, Any]:
        counts = await queue.getJobCounts()
        paused = bool(await queue.isPaused())
        there = {
            "cleaned": counts["failed"],
            "drained": sum(counts[each] for each in WAITING),
            "obliterated": sum(counts[each] for each in UNFINISHED),
        }
        wanted = {"paused": not paused, "running": paused}
        changed = bool(wanted.get(state, there.get(state, 0)))
        if changed and not module.check_mode:
            match state:
                case "paused":
                    await queue.pause()
                case "running":
                    await queue.resume()
                case "cleaned":
                    await queue.clean(0, 0, "failed")
                case "drained":
                    await queue.drain(delayed=True)
                case "obliterated":
                    await destroyed(queue, paused)
        if state == "idle":
            until_s = time.monotonic() + timeout
            while active := await client.llen(queue.toKey("active")):
                if time.monotonic() > until_s:
                    raise RefusedError(f"{active} jobs are still active after {timeout:g} s")
                await asyncio.sleep(0.1)
        return {"changed": changed, "counts": counts, "paused": paused, "removed": there.get(state, 0)}

    run(module, work)


if __name__ == "__main__":
    main()
