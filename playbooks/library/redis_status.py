#!/usr/bin/python
"""Read what a Redis (Valkey) node says of itself. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_status
short_description: Read the role, the replication and the enabled accounts of a Redis node, or what a Sentinel watches
description: Looks only. Fails when the node does not answer.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  sentinel: {description: Whether the node is a Sentinel, type: bool, default: false}
"""
RETURN = """
primaries: {description: What a Sentinel watches and does not call down, type: list, returned: for a Sentinel}
role: {description: master or slave, type: str, returned: success}
replication_up: {description: Whether a replica's link to its primary is up, type: bool, returned: success}
replicas: {description: Number of replicas that are online, type: int, returned: success}
enabled_users: {description: Accounts that are switched on, type: list, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ARGUMENTS, "sentinel": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    with node(module) as redis:
        if module.params["sentinel"]:
            watched = redis.sentinel_masters()
            up = sorted(name for name, state in watched.items() if not (state["is_sdown"] or state["is_odown"]))
            module.exit_json(changed=False, primaries=up)
        info = redis.info("replication")
        users = [line.split()[1] for line in redis.acl_list() if " on " in line]
    online = [key for key, value in info.items() if key.startswith("slave") and isinstance(value, dict)]
    module.exit_json(
        changed=False,
        role=info["role"],
        replication_up=info.get("master_link_status") == "up",
        replicas=sum(info[key].get("state") == "online" for key in online),
        enabled_users=sorted(users),
    )


if __name__ == "__main__":
    main()
