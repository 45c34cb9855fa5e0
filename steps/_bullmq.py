"""What Redis holds of a BullMQ queue, read directly: its own keys, and keys that nobody reads. Looks only.

`:wait` and `:active` are lists, `:failed`, `:completed` and `:delayed` sorted sets, `<id>` the hash of a job. There is
no `:waiting` in any version.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook import Drill, clients
from drillbook.clients import redis_client
from drillbook.errors import CouldNotLookError

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
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        return redis.execute_command(*command)


def answer(drill: Drill, *command: str | int) -> Any:
    """As `ask`, or the error with which Redis refuses the command."""
    try:
        return ask(drill, *command)
    except clients.RedisResponseError as error:
        return str(error)


def members(drill: Drill, name: str) -> list[str]:
    """The ids in a list or a sorted set of the queue, oldest first; none when there is no such key."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        kind: Any = redis.type(key(drill, name))
        if kind == "list":
            found: Any = redis.lrange(key(drill, name), 0, -1)
            return [str(each) for each in reversed(found)]
        found = redis.zrange(key(drill, name), 0, -1) if kind == "zset" else []
        return [str(each) for each in found]


def counts(drill: Drill) -> dict[str, int]:
    """How many jobs are in each state; -1 where the key is not of the type that BullMQ counts."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        kinds = _kinds(drill, redis)
        pipe = redis.pipeline(transaction=False)
        for name, kind in kinds.items():
            if kind == "list":
                pipe.llen(key(drill, name))
            elif kind == "zset":
                pipe.zcard(key(drill, name))
        found = iter(pipe.execute())
    wanted = {**dict.fromkeys(LISTS, "list"), **dict.fromkeys(SETS, "zset")}
    sizes = {name: int(next(found)) if kind in ("list", "zset") else 0 for name, kind in kinds.items()}
    return {name: size if kinds[name] in ("none", wanted[name]) else -1 for name, size in sizes.items()}


def _kinds(drill: Drill, redis: Any) -> dict[str, str]:
    """The type of each key of the queue that holds ids of jobs."""
    pipe = redis.pipeline(transaction=False)
    for name in (*LISTS, *SETS):
        pipe.type(key(drill, name))
    return dict(zip((*LISTS, *SETS), map(str, pipe.execute()), strict=True))


def the_type(drill: Drill, name: str) -> str:
    """What kind of key it is for Redis; "none" when there is none."""
    return str(ask(drill, "TYPE", key(drill, name)))


def states(drill: Drill, jobs: Sequence[str]) -> dict[str, str]:
    """In which list or set of BullMQ each job is; "unknown" when in none, "gone" when there is no such job.

    One connection and three questions: a window of looks is broken by a look that takes long.
    """
    if not jobs:
        return {}
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        kinds = _kinds(drill, redis)
        pipe = redis.pipeline(transaction=False)
        for job in jobs:
            pipe.exists(key(drill, job))
        # a sorted set that was made a list by hand is one that BullMQ cannot read
        readable = [name for name, kind in kinds.items() if kind == ("list" if name in LISTS else "zset")]
        for name in readable:
            if name in LISTS:
                pipe.lrange(key(drill, name), 0, -1)
            else:
                pipe.zmscore(key(drill, name), list(jobs))
        answers = pipe.execute()
    found = {job: "unknown" if there else "gone" for job, there in zip(jobs, answers, strict=False)}
    for name, answer in zip(readable, answers[len(jobs) :], strict=True):
        inside = set(answer) if name in LISTS else {job for job, score in zip(jobs, answer, strict=True) if score}
        found |= dict.fromkeys(found.keys() & inside, name)
    return found


def state_of(drill: Drill, job: str) -> str:
    """The state of one job."""
    return states(drill, [job])[job]


def details(drill: Drill, job: str) -> dict[str, Any]:
    """What an engineer wants to know of a job. Not its payload: that may hold what no report should."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        fields: Any = redis.hgetall(key(drill, job))
        lock: Any = redis.get(key(drill, job) + ":lock")
    begun = fields.get("processedOn")
    return {
        "id": job,
        "name": fields.get("name"),
        "taken up (s ago)": round(time.time() - int(begun) / 1000, 1) if begun else None,
        "attempts made": int(fields.get("atm", 0)),
        "times without a worker": int(fields.get("stc", 0)),
        "held by": str(lock).partition(".")[0] if lock else fields.get("pb"),
        "reason": fields.get("failedReason"),
    }


def begun_s(drill: Drill, jobs: Sequence[str]) -> dict[str, float]:
    """When each of these jobs was last taken up, in seconds since 1970; without those that were not."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        pipe = redis.pipeline(transaction=False)
        for job in jobs:
            pipe.hget(key(drill, job), "processedOn")
        found = pipe.execute()
    return {job: int(begun) / 1000 for job, begun in zip(jobs, found, strict=True) if begun}


def workers(drill: Drill) -> list[str]:
    """The workers that are connected to the queue, by the names that they give to their connections."""
    queue = queue_name(drill)
    # Node's BullMQ encodes the queue's name, Python's does not
    marks = tuple(f"bull:{name}:w:" for name in (queue, base64.b64encode(queue.encode()).decode()))
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        connected: Any = redis.client_list()
    names = [str(each.get("name", "")) for each in connected]
    return sorted({name.rpartition(":w:")[2] for name in names if name.startswith(marks)})


def connections(drill: Drill) -> int:
    """How many clients are connected to the primary."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        found: Any = redis.info("clients")
    return int(found["connected_clients"])


def status_command(known: Mapping[str, Any], service: str) -> tuple[str, ...]:
    """How the manager of a host, with these variables of the role `service`, is asked for one of its services."""
    manager = str(known["drillbook_service_manager"])
    asked: tuple[Any, ...]
    match manager:
        case "supervisor":
            asked = (known["drillbook_supervisor_ctl"], "-c", known["drillbook_supervisor_conf"], "status", service)
        case "systemd":
            asked = ("systemctl", "show", "--property=ActiveState,SubState,MainPID", service)
        case "pm2":
            # without its own home it would start a daemon of the user's, which has no such program
            home = ("env", f"PM2_HOME={known['drillbook_pm2_home']}") if "drillbook_pm2_home" in known else ()
            asked = (*home, known.get("drillbook_pm2", "pm2"), "pid", service)
        case "compose":
            file = known.get("drillbook_compose_file", "compose.yml")
            asked = ("docker", "compose", "--file", file, "ps", "--all", service)
        case _:
            raise CouldNotLookError(f"no way to ask {manager!r} for the service {service}")
    return tuple(map(str, asked))


def processes(drill: Drill, group: str = "worker") -> dict[str, str]:
    """What the manager of its host says of each worker; where it says nothing, why."""
    found: dict[str, str] = {}
    for name, host in zip(drill.inventory.names(group), drill.hosts(group), strict=True):
        known = drill.inventory.hostvars[name]
        command = status_command(known, str(known.get("drillbook_service", name)))
        said = host.run(" ".join(["%s"] * len(command)), *command)
        words = str(said.stdout).split() or str(said.stderr).split()
        found[name] = " ".join(words) or f"nothing, with status {said.rc}"
    return found
