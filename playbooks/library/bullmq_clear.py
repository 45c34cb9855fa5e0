#!/usr/bin/python
"""Destroy jobs of a BullMQ queue, by BullMQ's own operations. Jobs that were acknowledged and not done are lost."""

from __future__ import annotations

DOCUMENTATION = """
module: bullmq_clear
short_description: Destroy the failed, the waiting or all jobs of a BullMQ queue
description:
  - Needs the Python package bullmq where it runs. The jobs are lost.
options:
  queue: {description: Name of the queue, type: str, required: true}
  redis:
    description: Where it is. host and port, or sentinels and master; username, password, sentinel_password, ca.
    type: dict
    required: true
  what:
    description:
      - C(failed) removes all failed jobs, C(waiting) all that wait or are delayed.
      - C(all) removes the queue with all of its jobs, whatever their state, and leaves it running. It does nothing when
        no job is unfinished or failed. It fails when a job is active. BullMQ then leaves the queue paused, and this
        module resumes it.
    type: str
    required: true
    choices: [failed, waiting, all]
"""
RETURN = """
counts: {description: Jobs by state before, type: dict, returned: success}
removed: {description: Number of jobs that were unfinished or failed and are gone, type: int, returned: success}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.bullmq_client import ARGUMENTS, RefusedError, run

WAITING = ("waiting", "prioritized", "delayed")
MEANT = {"failed": ("failed",), "waiting": WAITING, "all": (*WAITING, "active", "waiting-children", "failed")}


async def destroyed(queue: Any) -> None:
    """Destroy the queue's jobs. When BullMQ refuses, the queue must not stay paused, since nobody would know why."""
    was_paused = bool(await queue.isPaused())
    try:
        await queue.obliterate()
    except Exception as error:
        if not was_paused:
            await queue.resume()
        raise RefusedError(str(error)) from error
    await queue.resume()


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ARGUMENTS, "what": {"choices": ["failed", "waiting", "all"], "required": True}},
        supports_check_mode=True,
    )
    what = module.params["what"]

    async def work(queue: Any, _client: Any) -> dict[str, Any]:
        counts = await queue.getJobCounts()
        removed = sum(counts[each] for each in MEANT[what])
        if removed and not module.check_mode:
            match what:
                case "failed":
                    await queue.clean(0, 0, "failed")
                case "waiting":
                    await queue.drain(delayed=True)
                case "all":
                    await destroyed(queue)
        return {"changed": removed > 0, "counts": counts, "removed": removed}

    run(module, work)


if __name__ == "__main__":
    main()
