#!/usr/bin/python
"""Send one command to the present primary of a Redis (Valkey), as redis-cli would."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_command
short_description: Send one command to a Redis, as a runbook writes it for redis-cli
description:
  - For commands that a runbook states word for word. The task's own changed_when says whether it changed anything.
  - The key names in the command may hold the name of a BullMQ queue; O(queue) appears only in messages.
options:
  queue: {description: Name of the queue that the command is about, type: str, required: true}
  redis:
    description: Where it is. host and port, or sentinels and master; username, password, sentinel_password, ca.
    type: dict
    required: true
  command: {description: The command and its arguments, type: list, elements: str, required: true}
"""
RETURN = """
answer: {description: What Redis answers, type: raw, returned: success}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.bullmq_client import ARGUMENTS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ARGUMENTS, "command": {"type": "list", "elements": "str", "required": True}}
    )

    async def work(_queue: Any, client: Any) -> dict[str, Any]:
        return {"changed": True, "answer": await client.execute_command(*module.params["command"])}

    run(module, work)


if __name__ == "__main__":
    main()
