#!/usr/bin/python
"""Pause or resume a BullMQ queue, wait until nothing is active, or count it, by BullMQ's own operations."""

from __future__ import annotations

DOCUMENTATION = """
module: bullmq_queue
short_description: Pause, resume or count a BullMQ queue
description:
  - Needs the Python package bullmq where it runs. It loses no job.
  - Without O(state) it only counts.
options:
  queue: {description: Name of the queue, type: str, required: true}
  redis:
    description: Where it is. host and port, or sentinels and master; username, password, sentinel_password, ca.
    type: dict
    required: true
  state:
    description:
      - With C(paused) the queue hands out no more jobs, with C(running) it does. Both hold for all workers.
      - C(idle) waits until no job is active, for at most O(timeout) seconds. Pause first.
    type: str
    choices: [paused, running, idle]
  timeout: {description: Seconds to wait for C(idle), type: float, default: 30}
"""
RETURN = """
counts: {description: Jobs by state before anything was changed, type: dict, returned: success}
paused: {description: Whether the queue was paused before, type: bool, returned: success}
"""

import asyncio
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.bullmq_client import ARGUMENTS, RefusedError, run


async def idle(queue: Any, client: Any, timeout: float) -> None:
    until_s = time.monotonic() + timeout
    while active := await client.llen(queue.toKey("active")):
        if time.monotonic() > until_s:
            raise RefusedError(f"{active} jobs are still active after {timeout:g} s: is their worker alive?")
        await asyncio.sleep(0.1)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "state": {"choices": ["paused", "running", "idle"]},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    state = module.params["state"]

    async def work(queue: Any, client: Any) -> dict[str, Any]:
        counts = await queue.getJobCounts()
        paused = bool(await queue.isPaused())
        changed = state in ("paused", "running") and paused is not (state == "paused")
        if changed and not module.check_mode:
            await (queue.pause() if state == "paused" else queue.resume())
        if state == "idle":
            await idle(queue, client, module.params["timeout"])
        return {"changed": changed, "counts": counts, "paused": paused}

    run(module, work)


if __name__ == "__main__":
    main()
