#!/usr/bin/python
"""Switch an account (ACL user) of a Redis (Valkey) node on or off."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_account
short_description: Switch an ACL account of a Redis node on or off
description:
  - Switching it off also closes the account's open connections, which would stay authenticated otherwise.
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

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "user": {"type": "str", "required": True},
            "enabled": {"type": "bool", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    closed = 0
    with node(module) as redis:
        account = redis.acl_getuser(asked["user"])
        if account is None:
            module.fail_json(msg=f"{asked['host']}:{asked['port']} has no account {asked['user']!r}")
        changed = ("on" in account["flags"]) is not asked["enabled"]
        if changed and not module.check_mode:
            redis.execute_command("ACL", "SETUSER", asked["user"], "on" if asked["enabled"] else "off")
            if not asked["enabled"]:
                closed = int(redis.execute_command("CLIENT", "KILL", "USER", asked["user"]))
    module.exit_json(changed=changed, closed=closed)


if __name__ == "__main__":
    main()
