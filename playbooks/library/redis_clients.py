#!/usr/bin/python
"""Count the connections of a Redis (Valkey) node; when it runs out of them, close idle ones or allow for more."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_clients
short_description: Count the connections of a Redis node, close idle ones, raise their limit
description:
  - Redis keeps no connection for its administrator. At its limit this module is refused too, and says so in RV(refused)
    without failing, so that a playbook can make room first.
  - With O(idle_for) it closes connections that have said nothing for so long. It leaves replicas, subscribers, and
    clients that wait for an answer. It closes none while less than O(above) of the limit is taken.
  - With O(at_least) it raises the running node's limit to that, and never lowers it. It does not write
    the configuration file, so the next start has the limit that stands there.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  idle_for: {description: Seconds of silence after which a connection is closed. Without it none is, type: int}
  above: {description: Part of the limit (0 to 1) that has to be taken before any is closed, type: float, default: 0.8}
  at_least: {description: The least maxclients afterwards. Without it the limit stays, type: int}
"""
RETURN = """
refused: {description: Whether the node has no connection left for this module, type: bool, returned: success}
connected: {description: Connections before any was closed, type: int, returned: when not refused}
limit: {description: The node's maxclients now, type: int, returned: when not refused}
names: {description: Number of connections by the name that their clients gave, type: dict, returned: when not refused}
closed: {description: Number of connections that were closed, type: int, returned: when not refused}
"""

from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node
from redis.exceptions import RedisError

FULL = "max number of clients"
NOT_IDLE = set("SMOPbxu")  # replica, primary, monitor, subscriber, blocked, in a transaction, unblocked


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "idle_for": {"type": "int"},
            "above": {"type": "float", "default": 0.8},
            "at_least": {"type": "int"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    # Redis refuses at once when it is at its limit, so another try would only wait
    with node(module, retry=None) as redis:
        try:
            own = redis.client_id()
        except RedisError as error:
            if FULL in str(error):
                module.exit_json(changed=False, refused=True)
            raise
        clients = [each for each in redis.client_list() if int(each["id"]) != own]
        limit = int(redis.config_get("maxclients")["maxclients"])
        closed = 0
        if asked["idle_for"] is not None and len(clients) > asked["above"] * limit:
            for each in clients:
                if int(each["idle"]) >= asked["idle_for"] and not NOT_IDLE & set(each["flags"]):
                    if not module.check_mode:
                        redis.client_kill_filter(_id=each["id"])
                    closed += 1
        raised = asked["at_least"] is not None and asked["at_least"] > limit
        if raised:
            limit = asked["at_least"]
            if not module.check_mode:
                redis.config_set("maxclients", limit)
    names = Counter(each["name"] or each["user"] for each in clients)
    module.exit_json(
        changed=closed > 0 or raised,
        refused=False,
        connected=len(clients),
        limit=limit,
        names=dict(names),
        closed=closed,
    )


if __name__ == "__main__":
    main()
