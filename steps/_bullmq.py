"""What Redis holds of a BullMQ queue. These functions read it directly, and change nothing.

They read BullMQ's own keys, and keys that nobody else reads. `:wait` and `:active` are lists. `:failed`, `:completed`
and `:delayed` are sorted sets. `<id>` is the hash of a job. No version of BullMQ has a key `:waiting`.
"""

from __future__ import annotations

import base64
import json
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
    """As `ask`. When Redis refuses the command, the answer is the text of its error."""
    try:
        return ask(drill, *command)
    except clients.RedisResponseError as error:
        return str(error)


def members(drill: Drill, name: str) -> list[str]:
    """The ids in a list or a sorted set of the queue, oldest first. A key that does not exist has none."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        kind: Any = redis.type(key(drill, name))
        if kind == "list":
            found: Any = redis.lrange(key(drill, name), 0, -1)
            return [str(each) for each in reversed(found)]
        found = redis.zrange(key(drill, name), 0, -1) if kind == "zset" else []
        return [str(each) for each in found]


def counts(drill: Drill) -> dict[str, int]:
    """How many jobs are in each state. It is -1 where the key is not of the type that BullMQ counts."""
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
    """The type of the key, as Redis names it; "none" when there is no such key."""
    return str(ask(drill, "TYPE", key(drill, name)))


def states(drill: Drill, jobs: Sequence[str]) -> dict[str, str]:
    """The list or set of BullMQ in which each job is: "unknown" when it is in none, "gone" when there is no such job.

    This takes one connection and three questions, since a look that takes long breaks a window of looks.
    """
    if not jobs:
        return {}
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        kinds = _kinds(drill, redis)
        pipe = redis.pipeline(transaction=False)
        for job in jobs:
            pipe.exists(key(drill, job))
        # BullMQ cannot read a sorted set that somebody has made a list by hand
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
    """What an engineer wants to know of a job. The payload is left out, since no report may show it."""
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
    """When a worker last took up each of these jobs, in seconds since 1970. Jobs that no worker has taken up are left
    out.
    """
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


def done_by(drill: Drill, last_s: float) -> list[str]:
    """The releases that did the jobs of the last seconds, by what workers have left with each job."""
    since_ms = (time.time() - last_s) * 1000
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        done: Any = redis.zrange(key(drill, "completed"), f"({since_ms:.0f}", "+inf", byscore=True)
        pipe = redis.pipeline(transaction=False)
        for job in done:
            pipe.hget(key(drill, str(job)), "returnvalue")
        results = [json.loads(each) for each in pipe.execute() if each]
    return sorted({str((each or {}).get("release", "none that says so")) for each in results})


def connections(drill: Drill) -> int:
    """How many clients are connected to the primary."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        found: Any = redis.info("clients")
    return int(found["connected_clients"])


def status_command(known: Mapping[str, Any], service: str) -> tuple[str, ...]:
    """The command that asks the manager of a host for one of its services.

    `known` has the host's variables for the role `service`. Raises CouldNotLookError for a manager that nobody knows.
    """
    manager = str(known["drillbook_service_manager"])
    asked: tuple[Any, ...]
    match manager:
        case "supervisor":
            asked = (known["drillbook_supervisor_ctl"], "-c", known["drillbook_supervisor_conf"], "status", service)
        case "systemd":
            asked = ("systemctl", "show", "--property=ActiveState,SubState,MainPID", service)
        case "pm2":
            # without PM2_HOME, pm2 would start a daemon for this user, which does not have the program
            home = ("env", f"PM2_HOME={known['drillbook_pm2_home']}") if "drillbook_pm2_home" in known else ()
            asked = (*home, known.get("drillbook_pm2", "pm2"), "pid", service)
        case "compose":
            file = known.get("drillbook_compose_file", "compose.yml")
            asked = ("docker", "compose", "--file", file, "ps", "--all", service)
        case _:
            raise CouldNotLookError(f"no way to ask {manager!r} for the service {service}")
    return tuple(map(str, asked))


def processes(drill: Drill, group: str = "worker") -> dict[str, str]:
    """What the manager of its host says of each worker. Where it prints no state, the text is its error or its exit
    status.
    """
    found: dict[str, str] = {}
    for name, host in zip(drill.inventory.names(group), drill.hosts(group), strict=True):
        known = drill.inventory.hostvars[name]
        command = status_command(known, str(known.get("drillbook_service", name)))
        said = host.run(" ".join(["%s"] * len(command)), *command)
        words = str(said.stdout).split() or str(said.stderr).split()
        found[name] = " ".join(words) or f"nothing, with status {said.rc}"
    return found
