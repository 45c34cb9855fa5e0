#!/usr/bin/python
"""Switch an account (ACL user) of a Redis (Valkey) node on or off."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_account
short_description: Switch an ACL account of a Redis node on or off
description:
  - Off also closes the account's open connections; they would stay authenticated otherwise.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  user: {description: The account, type: str, required: true}
  enabled: {description: Whether the account is on afterwards, type: bool, required: true}
"""
RETURN = """
closed: {description: Number of connections that were closed, type: int, returned: success}
"""

import redis
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "user": {"type": "str", "required": True},
            "enabled": {"type": "bool", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    closed = 0
    try:
        with redis.Redis(
            asked["host"], asked["port"], password=asked["password"], socket_timeout=5, decode_responses=True
        ) as node:
            account = node.acl_getuser(asked["user"])
            if account is None:
                module.fail_json(msg=f"{asked['host']}:{asked['port']} has no account {asked['user']!r}")
            changed = ("on" in account["flags"]) is not asked["enabled"]
            if changed and not module.check_mode:
                node.execute_command("ACL", "SETUSER", asked["user"], "on" if asked["enabled"] else "off")
                if not asked["enabled"]:
                    closed = int(node.execute_command("CLIENT", "KILL", "USER", asked["user"]))
    except redis.RedisError as error:
        module.fail_json(msg=f"{asked['host']}:{asked['port']}: {error}")
    module.exit_json(changed=changed, closed=closed)


if __name__ == "__main__":
    main()
