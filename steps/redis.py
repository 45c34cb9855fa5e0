"""Redis: which node leads, which nodes follow, how fast it answers, and who may use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from steps.health import API
from steps.queue import QUEUE

from drillbook import Drill, clients, fault, given, parse, then
from drillbook.checks import At, Reading, looked
from drillbook.clients import redis_client
from drillbook.errors import CouldNotLookError

REDIS = At("redis", "Redis")
PRIMARY = REDIS.json("node", "the primary")


@fault("Redis refuses the application")
def redis_refuses(drill: Drill) -> None:
    drill.inject("access_revoked")


@fault(parse("Redis refuses the application, and {count:Integer} jobs come in within {length:Duration}"))
def redis_refuses_in_a_rush(drill: Drill, count: int, length: float) -> None:
    drill.inject("access_revoked")
    drill.submit_work(count / length, count=count)


@fault("the Redis primary is killed")
def primary_is_killed(drill: Drill) -> None:
    drill.inject("redis_primary_killed")


@fault("every Redis node is killed")
def redis_is_killed(drill: Drill) -> None:
    drill.inject("service_killed", target="redis_nodes")


@then(parse("within {deadline:Duration} Redis takes no writes"))
def redis_takes_no_writes(drill: Drill, deadline: float) -> None:
    drill.eventually(REDIS.silent(), within=deadline)


@then(parse("Redis takes no writes for {length:Duration}"))
def redis_stays_down(drill: Drill, length: float) -> None:
    drill.throughout(REDIS.silent(), for_=length)


@then(parse("within {deadline:Duration} another node is the primary"))
def another_node_leads(drill: Drill, deadline: float) -> None:
    drill.eventually(PRIMARY.is_not(drill.last_before(PRIMARY)), within=deadline)


@then(parse("within {deadline:Duration} Redis takes writes"))
def redis_takes_writes(drill: Drill, deadline: float) -> None:
    def write() -> object:
        # when no node takes the write, the error is the answer
        try:
            with redis_client(drill.inventory.endpoints["redis"]) as redis:
                return redis.set("drillbook:probe", "1", px=1000)
        except clients.RedisError as error:
            return str(error)

    drill.eventually(looked("the answer to a write", write).is_(True), within=deadline)


@then(parse("within {deadline:Duration} the old primary follows the new one"))
def old_primary_follows(drill: Drill, deadline: float) -> None:
    """The node that led before the fault is in the list of followers of the node that leads now."""
    old = reached(drill, str(drill.last_before(PRIMARY)))
    drill.eventually(looked("the nodes that follow the primary", lambda: followers(drill)).contains(old), deadline)


@then(parse("within {deadline:Duration} every other Redis node follows the primary"))
def all_others_follow(drill: Drill, deadline: float) -> None:
    others = max(1, len(drill.inventory.names("redis_nodes")) - 1)
    following = looked("the nodes that follow the primary", lambda: followers(drill))
    drill.eventually(following.satisfies(f"are {others}", lambda nodes: len(nodes) == others), within=deadline)


def followers(drill: Drill) -> list[str]:
    """The replicas that the present primary counts as online, by the addresses at which they are reached."""
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        role, _, listed = redis.execute_command("ROLE")[:3]
    return sorted({reached(drill, f"{host}:{port}") for host, port, _ in listed}) if role == "master" else []


def reached(drill: Drill, address: str) -> str:
    """The address at which this machine reaches a node that Redis or Sentinel names by `address`."""
    return str(drill.inventory.endpoints["redis"].nat.get(address, address))


@then(parse("Redis answers the API within {limit:Integer} ms for {length:Duration}"))
def redis_is_fast(drill: Drill, limit: int, length: float) -> None:
    drill.throughout(
        API.json("components.redis.latency_ms", "Redis' latency as the API sees it", "ms").at_most(limit), for_=length
    )


# ---------------------------------------------------------------- wrong settings


@fault(parse('a deployment starts the API with "{value}" as its "{setting}"'))
def wrong_setting_is_deployed(drill: Drill, value: str, setting: str) -> None:
    drill.inject("wrong_setting", target="api", setting=setting, value=value)


@then(parse('"{setting}" in the environment of the API is not what the vault has'))
def setting_is_wrong(drill: Drill, setting: str) -> None:
    state = looked(f"{setting} in the environment of the API", lambda: setting_state(drill, setting))
    drill.expect(state.is_("set, and not what the vault has"))


@then(parse('"{setting}" in the environment of the API is what the vault has'))
def setting_is_right(drill: Drill, setting: str) -> None:
    state = looked(f"{setting} in the environment of the API", lambda: setting_state(drill, setting))
    drill.expect(state.is_("as the vault has it"))


@then("every setting of the API is set")
def settings_are_set(drill: Drill) -> None:
    """Every setting that the vault has is there, and no setting in the file is empty."""

    def lacking() -> object:
        found = {host: settings(drill, host) for host in drill.inventory.names("api")}
        drill.observe("the settings of the API", {host: sorted(held) for host, held in found.items()})
        right: Any = {host: drill.inventory.variable(host, "drillbook_settings") for host in found}
        return [name for host, held in found.items() for name in {**right[host], **held} if not held.get(name)]

    drill.bound(looked("settings that are empty or not there", lacking).is_([]))


@then(parse("within {deadline:Duration} Redis answers PING over TLS with the password of the API"))
def redis_answers_ping(drill: Drill, deadline: float) -> None:
    def ping() -> object:
        host = drill.inventory.names("api")[0]
        own = settings(drill, host)
        endpoint = replace(
            drill.inventory.endpoints["redis"], user=own["REDIS_USERNAME"], password=own["REDIS_PASSWORD"]
        )
        if urlsplit(endpoint.url).scheme != "rediss":
            raise CouldNotLookError("the endpoint 'redis' is not asked over TLS: its URL has to begin with rediss://")
        with redis_client(endpoint) as redis:
            return redis.ping()

    drill.eventually(looked("the answer to PING", ping).is_(True), within=deadline)


def settings(drill: Drill, host: str) -> Mapping[str, str]:
    """The settings with which the service on a host is started, read from its file. They hold passwords."""
    path = str(drill.inventory.variable(host, "drillbook_settings_file"))
    held: Any = drill.hosts(host)[0].file  # testinfra's types say that this is a module
    lines = held(path).content_string.splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines if line)}


def setting_state(drill: Drill, name: str) -> str:
    """Whether a setting is there and right on each host of the API. The text does not show its value."""
    for host in drill.inventory.names("api"):
        right: Any = drill.inventory.variable(host, "drillbook_settings")
        held = settings(drill, host).get(name)
        if held != right[name]:
            return "not set" if not held else "set, and not what the vault has"
    return "as the vault has it"


@then(parse("within {deadline:Duration} whoever asks the queue is told {status:Integer} and the reason"))
def queue_gives_an_error(drill: Drill, deadline: float, status: int) -> None:
    drill.eventually(QUEUE.status().is_(status), within=deadline)
    drill.eventually(QUEUE.json("error", "the reason that the queue gives").contains("Redis"), within=deadline)


# ---------------------------------------------------------------- connections


@fault("a leak takes up every connection of Redis, and the API is started anew")
def connections_leak(drill: Drill) -> None:
    drill.inject("redis_connections_leaked")


@then(parse('within {deadline:Duration} a new connection to Redis is refused with "{reason}"'))
def new_connection_is_refused(drill: Drill, deadline: float, reason: str) -> None:
    drill.eventually(looked("the answer to a new connection", lambda: connect(drill)).contains(reason), within=deadline)


@then(parse("within {deadline:Duration} a new connection to Redis is accepted"))
def new_connection_is_accepted(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("the answer to a new connection", lambda: connect(drill)).is_("PONG"), within=deadline)


@then(parse("within {deadline:Duration} at most {share:Percent} of the connections of Redis are taken"))
def connections_are_free(drill: Drill, deadline: float, share: float) -> None:
    def taken() -> object:
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            limit = int(redis.config_get("maxclients")["maxclients"])
            return round(100 * redis.info("clients")["connected_clients"] / limit, 1)

    drill.eventually(looked("the connections that are taken", taken, "%").at_most(100 * share), within=deadline)
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        drill.observe("the most connections that Redis takes", int(redis.config_get("maxclients")["maxclients"]))
        users = Counter(each["name"] or each["user"] for each in redis.client_list())
        drill.observe("connections of Redis, by their clients' names or accounts", dict(users))


@then(parse("at least {count:Integer} connections lead to Redis, counted on its hosts"))
def connections_are_counted(drill: Drill, count: int) -> None:
    """The hosts count them, because Redis at its limit lets nobody in who could ask it."""

    def counted() -> object:
        found = {}
        for host in drill.inventory.names("redis_nodes"):
            port = drill.inventory.variable(host, "drillbook_redis_port")
            listed = drill.hosts(host)[0].run("ss -Htn state established sport = :%s", str(port))
            if listed.rc:
                raise CouldNotLookError(f"ss on {host}: {listed.stderr.strip()}")
            found[host] = len(listed.stdout.splitlines())
        return found

    drill.observe("established connections, counted on the hosts of Redis", counted())
    connections = looked("the connections of one node", counted)
    drill.bound(connections.satisfies(f"is at least {count}", lambda found: max(found.values()) >= count))


@given("the memory of Redis is known", target_fixture="memory_before_mb")
def memory_is_known(drill: Drill) -> float:
    before_mb = memory_mb(drill)
    drill.observe("the memory of Redis before the fault", before_mb, "MB")
    return before_mb


@then(parse("Redis uses at least {more:Number} MB more memory than before"))
def memory_is_high(drill: Drill, more: float, memory_before_mb: float) -> None:
    memory = looked("the memory of Redis", lambda: memory_mb(drill), "MB")
    drill.expect(memory.at_least(round(memory_before_mb + more, 1)))


@then(parse("within {deadline:Duration} Redis uses at most {more:Number} MB more memory than before"))
def memory_is_free_again(drill: Drill, deadline: float, more: float, memory_before_mb: float) -> None:
    memory = looked("the memory of Redis", lambda: memory_mb(drill), "MB")
    drill.eventually(memory.at_most(round(memory_before_mb + more, 1)), within=deadline)


def memory_mb(drill: Drill) -> float:
    """The memory that the primary's data take, in MB. High memory is a reason to clear a cache.

    This is less than all that Redis has allocated. The backlog for its replicas grows to 10 MB with the first writes,
    and stays.
    """
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        used: Any = redis.info("memory")["used_memory_dataset"]
    return round(float(used) / 1e6, 1)


def connect(drill: Drill) -> str:
    """What Redis says to a new connection."""
    try:
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            return "PONG" if redis.ping() else "no PONG"
    except clients.RedisError as error:
        return str(error)


# ---------------------------------------------------------------- harm


@given(parse("the time that Redis has spent on {command:Word} is known"), target_fixture="spent_before")
def spent_time_is_known(drill: Drill, command: str) -> tuple[int, float]:
    """Returns how often Redis has carried the command out, and how many milliseconds it has spent on it."""
    before = spent(drill, command)
    drill.observe(f"calls of {command} before the fault", before[0])
    return before


@then(parse("Redis served nobody for at least {length:Duration} while it carried out {command:Word}"))
def redis_served_nobody(drill: Drill, length: float, command: str, spent_before: tuple[int, float]) -> None:
    """Redis runs one command at a time. While it runs this one it serves nobody else, and it counts how long that took.

    A look from outside may miss this time, so the drill only writes such looks down. The slow log does not help either:
    it holds 128 commands, and a busy machine fills it in a second.
    """
    look = Reading("a look at Redis", "redis", lambda sample: sample.latency_ms)
    longest_ms = max((value for value in drill.seen(look) if isinstance(value, float)), default=0.0)
    drill.observe("the usual look at Redis before the fault", round(drill.before(look), 1), "ms")
    drill.observe("the longest look at Redis meanwhile", round(longest_ms, 1), "ms")

    def took_ms() -> float:
        calls, ms = spent(drill, command)
        calls, ms = calls - spent_before[0], ms - spent_before[1]
        return round(ms / calls, 1) if calls else 0.0

    each = f"each {command} since, as Redis counts it"
    drill.observe(each, took_ms(), "ms")
    drill.expect(looked(each, took_ms, "ms").at_least(1000 * length))


def spent(drill: Drill, command: str) -> tuple[int, float]:
    with redis_client(drill.inventory.endpoints["redis"]) as redis:
        stats: Any = redis.info("commandstats")
    counted = stats.get(f"cmdstat_{command.lower()}", {})
    return int(counted.get("calls", 0)), float(counted.get("usec", 0)) / 1000
