#!/usr/bin/python
"""Send one command to a Redis (Valkey) node, as redis-cli would: for what a runbook writes down as a command."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_command
short_description: Send one command to a Redis node
description: Always says changed. Nobody knows what a command does.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  argv: {description: The command and its arguments, type: list, elements: str, required: true}
"""
RETURN = """
answer: {description: What the node answered, as text, type: str, returned: success}
"""

import redis
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "argv": {"type": "list", "elements": "str", "required": True},
        }
    )
    asked = module.params
    try:
        with redis.Redis(asked["host"], asked["port"], password=asked["password"], socket_timeout=60) as node:
            answer = node.execute_command(*asked["argv"])
    except redis.RedisError as error:
        module.fail_json(msg=f"{asked['host']}:{asked['port']}: {asked['argv'][0]}: {error}")
    module.exit_json(changed=True, answer=str(answer))


if __name__ == "__main__":
    main()
