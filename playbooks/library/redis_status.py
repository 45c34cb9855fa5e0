#!/usr/bin/python
"""Read what a Redis (Valkey) node says about itself. The module changes nothing."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_status
short_description: Read the role, the replication and the enabled accounts of a Redis node, or what a Sentinel watches
description: It only looks. It fails when the node does not answer.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  sentinel: {description: Whether the node is a Sentinel, type: bool, default: false}
  nodes:
    description: >-
      The nodes of one primary and its replicas, host:port by their names. The module then asks a Sentinel which of them
      leads.
    type: dict
    default: {}
"""
RETURN = """
primaries: {description: What a Sentinel watches and does not call down, type: list, returned: for a Sentinel}
watched: {description: Addresses of the primaries that a Sentinel watches, type: list, returned: for a Sentinel}
leader: {description: "Which node leads or led last, empty if it watches none", type: str, returned: for a Sentinel}
epoch: {description: The failover that made it the leader; the highest is the last, type: int, returned: for a Sentinel}
settled: {description: Whether that node is up for it and no failover under way, type: bool, returned: for a Sentinel}
role: {description: master or slave, type: str, returned: success}
replication_up: {description: Whether a replica's link to its primary is up, type: bool, returned: success}
replicas: {description: Number of replicas that are online, type: int, returned: success}
enabled_users: {description: Accounts that are switched on, type: list, returned: success}
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node

# flags that Sentinel gives to a primary that it does not trust at the moment
UNSETTLED = {"s_down", "o_down", "failover_in_progress", "disconnected"}


def addresses(address: str) -> set[tuple[str, int]]:
    """All addresses of host:port. They are the host as it is written, and what its name resolves to."""
    host, _, port = address.rpartition(":")
    found = {(host, int(port))}
    with suppress(OSError):  # this machine may not know the name
        found |= {(str(info[4][0]), int(port)) for info in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
    return found


def leader(watched: Mapping[str, Mapping[str, Any]], nodes: Mapping[str, str]) -> dict[str, Any]:
    """Which of the nodes leads, according to a Sentinel."""
    for state in watched.values():
        here = addresses(f"{state['ip']}:{state['port']}")
        for name, address in nodes.items():
            if here & addresses(address):
                settled = not UNSETTLED & set(str(state["flags"]).split(","))
                return {"leader": name, "epoch": int(state["config-epoch"]), "settled": settled}
    return {"leader": "", "epoch": -1, "settled": False}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "sentinel": {"type": "bool", "default": False},
            "nodes": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    with node(module) as redis:
        if module.params["sentinel"]:
            watched = redis.sentinel_masters()
            up = sorted(name for name, state in watched.items() if not (state["is_sdown"] or state["is_odown"]))
            where = sorted(f"{state['ip']}:{state['port']}" for state in watched.values())
            module.exit_json(changed=False, primaries=up, watched=where, **leader(watched, module.params["nodes"]))
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
