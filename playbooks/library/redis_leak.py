#!/usr/bin/python
"""Take up all connections of a Redis (Valkey) node with clients that say nothing, as an application that leaks does."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_leak
short_description: Take up all connections of a Redis node, and give them back
description:
  - A process of its own session on the node's host holds the connections. It ends when its file is removed, when all of
    its connections were closed from the other side, and after O(longest) seconds in any case.
  - C(growing) lowers the limit to what is connected and O(room) more, and takes whatever is free, again and again.
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

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import redis
from ansible.module_utils.basic import AnsibleModule

NAME = "leaked"
WAIT_S = 20.0

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
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.with_name(file.name + ".grown").unlink(missing_ok=True)
    file.write_text("")
    environment = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        start_new_session=True,
    )
    order = {name: asked[name] for name in ("port", "password", "longest")}
    process.stdin.write(json.dumps({**order, "file": str(file), "name": NAME}).encode() + b"\n")
    process.stdin.close()
    held = int(process.stdout.readline() or 0)
    if not held:
        raise OSError(f"the process that should take its connections took none (id {process.pid})")
    return {"changed": True, "held": held}


def end(asked: dict) -> dict:
    """The process ends by itself, and only then is there a connection for us: we ask until we are let in."""
    file = Path(asked["file"])
    there = file.exists()
    file.unlink(missing_ok=True)
    file.with_name(file.name + ".grown").unlink(missing_ok=True)
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with node(asked) as admin:
                before = int(admin.config_get("maxclients")["maxclients"])
                if before != asked["limit"]:
                    admin.config_set("maxclients", asked["limit"])
                held = sum(each["name"] == NAME for each in admin.client_list())
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
            marker = Path(asked["file"] + ".grown")
            done = {"changed": not marker.exists()}
            marker.touch()
        else:
            done = end(asked)
    except (redis.RedisError, OSError) as error:
        module.fail_json(msg=f"127.0.0.1:{asked['port']}: {error}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
