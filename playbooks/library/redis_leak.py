#!/usr/bin/python
"""Take up all connections of a Redis (Valkey) node with clients that say nothing, as an application that leaks does."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_leak
short_description: Take up all connections of a Redis node, and give them back
description:
  - A process of its own session on the node's host holds the connections. It ends when its file is removed, when all of
    its connections were closed from the other side, and after O(longest) seconds in any case.
  - C(growing) lowers the limit to O(room) more than are connected, and takes whatever is free, again and again.
  - C(grown) lets it take no more; it keeps what it has.
  - C(absent) ends it, and sets the limit to O(limit).
options:
  port: {description: Port of the node on this host, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  state: {description: What is true afterwards, type: str, choices: [growing, grown, absent], required: true}
  file: {description: The file that keeps the process alive, type: path, required: true}
  limit: {description: maxclients of the node in good times, type: int, required: true}
  room: {description: How many connections it takes beyond those that are there, type: int, default: 40}
  longest: {description: Seconds after which the process ends, type: int, default: 900}
"""
RETURN = """
held: {description: Number of connections that the process holds, type: int, returned: success}
limit: {description: maxclients of the node now, type: int, returned: for absent}
"""

import time
from pathlib import Path

import redis
from ansible.module_utils import leak_holder
from ansible.module_utils.basic import AnsibleModule

HOLDER = """
import json, os, sys, time
import redis
order = json.loads(sys.stdin.readline())
held, file, until = [], order["file"], time.monotonic() + order["longest"]
def gone(connection):
    try:
        return connection.can_read(timeout=0) and not connection.read_response()
    except (redis.ConnectionError, redis.TimeoutError, OSError):
        return True
def grow():
    while True:
        one = redis.Connection(port=order["port"], password=order["password"], client_name=order["name"], retry=None,
                               socket_timeout=5)
        try:
            one.connect()
        except (redis.RedisError, OSError):
            return
        held.append(one)
grow()
print(len(held), flush=True)
os.close(1)
while held and os.path.exists(file) and time.monotonic() < until:
    if os.path.exists(file + ".grown"):
        held = [one for one in held if not gone(one)]
        time.sleep(0.1)  # how often it looks whether its file is gone
    else:
        grow()
        time.sleep(0.01)  # how soon it takes what becomes free
"""


def node(asked: dict) -> redis.Redis:
    return redis.Redis(port=asked["port"], password=asked["password"], socket_timeout=5, retry=None)


def grow(asked: dict) -> dict:
    file = Path(asked["file"])
    if file.exists():
        return {"changed": False}
    with node(asked) as admin:
        admin.config_set("maxclients", admin.info("clients")["connected_clients"] + asked["room"])
    order = {name: asked[name] for name in ("port", "password", "longest")}
    return leak_holder.grow(file, HOLDER, order)


def end(asked: dict) -> dict:
    """End the leak. The process ends by itself. Only then Redis lets this module in. So it asks again and again."""
    file = Path(asked["file"])
    there = file.exists()
    leak_holder.take_away(file)
    until = time.monotonic() + leak_holder.WAIT_S
    while True:
        try:
            with node(asked) as admin:
                before = int(admin.config_get("maxclients")["maxclients"])
                if before != asked["limit"]:
                    admin.config_set("maxclients", asked["limit"])
                held = sum(each["name"] == leak_holder.NAME for each in admin.client_list())
                now = int(admin.config_get("maxclients")["maxclients"])
            if not held:
                return {"changed": there or before != now, "held": held, "limit": now}
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
        if time.monotonic() > until:
            return {"changed": there, "held": held, "limit": now}
        time.sleep(0.1)  # a poll with a deadline


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "state": {"choices": ["growing", "grown", "absent"], "required": True},
            "file": {"type": "path", "required": True},
            "limit": {"type": "int", "required": True},
            "room": {"type": "int", "default": 40},
            "longest": {"type": "int", "default": 900},
        }
    )
    asked = module.params
    try:
        if asked["state"] == "growing":
            done = grow(asked)
        elif asked["state"] == "grown":
            done = leak_holder.stop_growing(Path(asked["file"]))
        else:
            done = end(asked)
    except (redis.RedisError, OSError) as error:
        module.fail_json(msg=f"127.0.0.1:{asked['port']}: {error}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
