#!/usr/bin/python
"""Take up all sessions of a PostgreSQL server with idle ones of the application, as an application that leaks does."""

from __future__ import annotations

DOCUMENTATION = """
module: postgres_leak
short_description: Take up all sessions that a PostgreSQL server has for an account, and give them back
description:
  - A process of its own session on this host holds them. It ends when its file is removed, when all of its sessions
    were ended from the other side, and after O(longest) seconds in any case.
  - C(growing) takes whatever is free, again and again. C(grown) lets it take no more; it keeps what it has.
  - C(absent) ends it.
options:
  host: {description: Where the server is reached, type: str, default: 127.0.0.1}
  port: {description: Its port, type: int, default: 5432}
  database: {description: Database of the application, type: str, required: true}
  user: {description: Account of the application, type: str, required: true}
  password: {description: Its password, type: str}
  state: {description: What is true afterwards, type: str, choices: [growing, grown, absent], required: true}
  file: {description: The file that keeps the process alive, type: path, required: true}
  asks: {description: Whether each session asks one question before it falls silent, type: bool, default: true}
  longest: {description: Seconds after which the process ends, type: int, default: 900}
"""
RETURN = """
held: {description: Number of sessions that the process holds, type: int, returned: for growing}
"""

import os
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.leak_holder import WAIT_S, grow, stop_growing, take_away

SERVER = ("host", "port", "user", "password")

HOLDER = """
import json, os, select, sys, time
import psycopg
order = json.loads(sys.stdin.readline())
held, file, until = [], order["file"], time.monotonic() + order["longest"]
def gone(one):
    return bool(select.select([one.fileno()], [], [], 0)[0])  # nobody asks: all that comes is the end
def grow():
    while True:
        try:
            one = psycopg.connect(**order["server"], autocommit=True, application_name=order["name"], connect_timeout=5)
            if order["asks"]:
                one.execute("select 1")
        except psycopg.OperationalError:
            return
        held.append(one)
grow()
print(len(held), flush=True)
os.close(1)
while held and os.path.exists(file) and time.monotonic() < until:
    if os.path.exists(file + ".grown"):
        held = [one for one in held if not gone(one)]
    else:
        grow()
    time.sleep(0.05)  # how soon it takes what becomes free, and sees that its file is gone
"""


def holders(file: Path) -> list[int]:
    """The ids of the processes that hold sessions for this file, by their last argument."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:2] == [b"-c"] and os.fsencode(file) in words:
            found.append(int(each.parent.name))
    return found


def end(asked: dict) -> dict:
    """End the leak. The process ends by itself when its file is gone."""
    file = Path(asked["file"])
    there = file.exists() or bool(holders(file))
    take_away(file)
    until = time.monotonic() + WAIT_S
    while holders(file):
        if time.monotonic() > until:
            raise OSError(f"the process that holds the sessions does not end: {holders(file)}")
        time.sleep(0.05)  # a poll with a deadline
    return {"changed": there}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 5432},
            "database": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "state": {"choices": ["growing", "grown", "absent"], "required": True},
            "file": {"type": "path", "required": True},
            "asks": {"type": "bool", "default": True},
            "longest": {"type": "int", "default": 900},
        }
    )
    asked = module.params
    try:
        if asked["state"] == "growing":
            server = {name: asked[name] for name in SERVER if asked[name] is not None}
            order = {"server": {**server, "dbname": asked["database"]}, "asks": asked["asks"]}
            done = grow(Path(asked["file"]), HOLDER, {**order, "longest": asked["longest"]})
        elif asked["state"] == "grown":
            done = stop_growing(Path(asked["file"]))
        else:
            done = end(asked)
    except OSError as error:
        module.fail_json(msg=f"{asked['host']}:{asked['port']}: {error}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
