"""Redis: who leads, who follows, how fast it answers, and who may use it."""

from __future__ import annotations

from drillbook import fault, parse, then
from drillbook.checks import At, looked
from drillbook.drill import Drill
from drillbook.redisclient import client

REDIS = At("redis", "Redis")
API = At("api", "the API")


@fault("Redis refuses the application")
def redis_refuses(drill: Drill) -> None:
    drill.inject("access_revoked")


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
    node = REDIS.json("node", "the primary")
    drill.eventually(node.is_not(drill.last_before(node)), within=deadline)


@then(parse("within {deadline:Duration} Redis takes writes"))
def redis_takes_writes(drill: Drill, deadline: float) -> None:
    def write() -> object:
        with client(drill.inventory.endpoints["redis"]) as redis:
            return redis.set("drillbook:probe", "1", px=1000)

    drill.eventually(looked("the answer to a write", write).is_(True), within=deadline)


@then(parse("within {deadline:Duration} {count:Integer} replica follows the primary"))
def replicas_follow(drill: Drill, deadline: float, count: int) -> None:
    def replicas() -> object:
        with client(drill.inventory.endpoints["redis"]) as redis:
            return sum(state[2] != b"" for state in redis.execute_command("ROLE")[2])

    drill.eventually(looked("the number of replicas", replicas).at_least(count), within=deadline)


@then(parse("Redis answers the API within {limit:Integer} ms for {length:Duration}"))
def redis_is_fast(drill: Drill, limit: int, length: float) -> None:
    drill.throughout(
        API.json("components.redis.latency_ms", "Redis' latency as the API sees it", "ms").at_most(limit), for_=length
    )
