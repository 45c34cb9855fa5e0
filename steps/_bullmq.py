"""What Redis holds of a BullMQ queue, read directly: its own keys, and keys that nobody reads. Looks only.

`:wait` and `:active` are lists, `:failed`, `:completed` and `:delayed` sorted sets, `<id>` the hash of a job. There is
no `:waiting` in any version.
"""

from __future__ import annotations

import base64
import time
from typing import Any

from drillbook.drill import Drill
from drillbook.redisclient import client

SETS = ("completed", "failed", "delayed", "prioritized", "waiting-children")
LISTS = ("wait", "active", "paused")


def queue_name(drill: Drill) -> str:
    """The one queue of the inventory's group `queue`."""
    host = drill.inventory.names("queue")[0]
    return str(drill.inventory.variable(host, "drillbook_queue"))


def key(drill: Drill, name: str) -> str:
    """A key of the queue by its last part."""
    return f"bull:{queue_name(drill)}:{name}"


def ask(drill: Drill, *command: str | int) -> Any:
    """The answer of the primary to one command that only looks."""
    with client(drill.inventory.endpoints["redis"]) as redis:
        return redis.execute_command(*command)


def members(drill: Drill, name: str) -> list[str]:
    """The ids in a list or a sorted set of the queue, oldest first; none when there is no such key."""
    with client(drill.inventory.endpoints["redis"]) as redis:
        kind: Any = redis.type(key(drill, name))
        if kind == "list":
            found: Any = redis.lrange(key(drill, name), 0, -1)
            return [str(each) for each in reversed(found)]
        found = redis.zrange(key(drill, name), 0, -1) if kind == "zset" else []
        return [str(each) for each in found]


def counts(drill: Drill) -> dict[str, int]:
    """How many jobs are in each state; -1 where the key is not of the type that BullMQ counts."""
    found: dict[str, int] = {}
    with client(drill.inventory.endpoints["redis"]) as redis:
        for name in (*LISTS, *SETS):
            kind: Any = redis.type(key(drill, name))
            fits = kind in ("none", "list" if name in LISTS else "zset")
            count: Any = (
                redis.llen(key(drill, name)) if name in LISTS and fits else fits and redis.zcard(key(drill, name))
            )
            found[name] = int(count) if fits else -1
    return found


def the_type(drill: Drill, name: str) -> str:
    """What kind of key it is for Redis; "none" when there is none."""
    return str(ask(drill, "TYPE", key(drill, name)))


def state_of(drill: Drill, job: str) -> str:
    """In which list or set of BullMQ a job is; "unknown" when it is in none, "gone" when there is no such job."""
    with client(drill.inventory.endpoints["redis"]) as redis:
        for name in (*SETS, *LISTS):
            kind: Any = redis.type(key(drill, name))
            if kind == "zset" and redis.zscore(key(drill, name), job) is not None:
                return name
            # a sorted set that was made a list by hand is one that BullMQ cannot read
            if kind == "list" and name in LISTS and redis.lpos(key(drill, name), job) is not None:
                return name
        return "unknown" if redis.exists(key(drill, job)) else "gone"


def details(drill: Drill, job: str) -> dict[str, Any]:
    """What an engineer wants to know of a job. Not its payload: that may hold what no report should."""
    with client(drill.inventory.endpoints["redis"]) as redis:
        fields: Any = redis.hgetall(key(drill, job))
        lock: Any = redis.get(key(drill, job) + ":lock")
    begun = fields.get("processedOn")
    return {
        "id": job,
        "name": fields.get("name"),
        "active for (s)": round(time.time() - int(begun) / 1000, 1) if begun else None,
        "attempts made": int(fields.get("atm", 0)),
        "times without a worker": int(fields.get("stc", 0)),
        "held by": str(lock).partition(".")[0] if lock else fields.get("pb"),
        "reason": fields.get("failedReason"),
    }


def workers(drill: Drill) -> list[str]:
    """The workers that are connected to the queue, by the names that they give to their connections."""
    queue = queue_name(drill)
    # Node's BullMQ encodes the queue's name, Python's does not
    marks = tuple(f"bull:{name}:w:" for name in (queue, base64.b64encode(queue.encode()).decode()))
    with client(drill.inventory.endpoints["redis"]) as redis:
        connected: Any = redis.client_list()
    names = [str(each.get("name", "")) for each in connected]
    return sorted({name.rpartition(":w:")[2] for name in names if name.startswith(marks)})
