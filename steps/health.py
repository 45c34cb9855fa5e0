"""What the API says about itself, and about the parts that it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drillbook import Drill, State, clients, given, parse, then
from drillbook.checks import MISSING, At, Reading, Sample, dig
from drillbook.clients import http_get, redis_client
from drillbook.errors import CouldNotLookError

API = At("api", "the API")
ERROR_LOG = "error log"
QUEUE_KEYS = ("depth", "active", "processing_rate", "oldest_active_s", "error_rate", "error")


@then(parse('within {deadline:Duration} the API calls itself "{status}"'))
def api_calls_itself(drill: Drill, deadline: float, status: str) -> None:
    drill.eventually(API.json("status", "the API's own status").is_(status), within=deadline)


@then(parse('within {deadline:Duration} the API reports "{component}" as {state:State}'))
def api_reports(drill: Drill, deadline: float, component: str, state: State) -> None:
    drill.eventually(API.json(f"components.{component}.status", component).is_(str(state)), within=deadline)


@then(parse('within {deadline:Duration} the API names "{kind}" as the reason why "{component}" is down'))
def api_names_reason(drill: Drill, deadline: float, kind: str, component: str) -> None:
    """An API that has just started has not looked yet, and says so."""
    reason = API.json(f"components.{component}.error_kind", f"the reason why {component} is down")
    drill.eventually(reason.is_(kind), within=deadline)


@then(parse('within {deadline:Duration} the API\'s error log names "{kind}" as the cause'))
def error_log_names_cause(drill: Drill, deadline: float, kind: str) -> None:
    """Only a line of this outage counts. It is younger than every line before the fault, by the log's own clock."""
    newest: Any = drill.last_before(Reading("the newest line of the error log", ERROR_LOG, newest_line))

    def since(sample: Sample) -> object:
        found = log_lines(sample)
        return MISSING if found is None else sorted({cause for at, cause in found if at > newest})

    drill.eventually(Reading("the causes in the new lines of the error log", ERROR_LOG, since).contains(kind), deadline)


@given("the start of the API is known", target_fixture="api_started")
def api_start_is_known(drill: Drill) -> Mapping[str, object]:
    """Returns for each host when its API was started."""
    started = api_starts(drill)
    drill.observe("the starts of the API before the fault, in seconds since 1970", started)
    return started


@then(parse("within {deadline:Duration} the circuit breaker is {state:Word}"))
def breaker_is(drill: Drill, deadline: float, state: str) -> None:
    drill.eventually(API.json("circuit_breaker.state", "the circuit breaker").is_(state), within=deadline)


@then("the API is alive all the time")
def api_is_alive(drill: Drill) -> None:
    drill.always(API.answers())


@then("what the API, the queue and Sentinel say is written down")
def state_is_diagnosed(drill: Drill) -> None:
    """What an engineer notes before anybody acts. If a part does not answer, that is written down."""
    drill.bound(API.answers())
    drill.observe("what the API depends on, as it sees it", latest(drill, Reading("components", "api", components)))
    drill.observe("the circuit breaker", latest(drill, API.json("circuit_breaker.state")))
    drill.observe("the memory buffer", latest(drill, API.json("buffer.size")), "jobs")
    drill.observe("the API's memory", latest(drill, API.json("memory.rss_bytes", factor=1e-6)), "MB")
    drill.observe("the queue's metrics", latest(drill, Reading("metrics", "queue", metrics)))
    drill.observe("the primary, as Sentinel names it", primary(drill))


def latest(drill: Drill, reading: Reading) -> object:
    """The last sampled value, to one decimal; "nothing" when there is none."""
    value = drill.last(reading)
    if value is None:
        return "nothing"
    return round(value, 1) if isinstance(value, float) else value


def components(sample: Sample) -> object:
    """A mapping like {"redis": "down (timeout)", "database": "up"}. Without such an answer it is the reason, a text."""
    known = dig(sample.value, "components")
    if not isinstance(known, Mapping):
        return sample.error or f"status {sample.status}"
    return {
        name: f"{seen['status']} ({seen['error_kind']})" if seen.get("error_kind") else seen["status"]
        for name, seen in known.items()
    }


def metrics(sample: Sample) -> object:
    """The numbers of the queue that people ask for. Without an answer it is the reason, a text."""
    known = sample.value if isinstance(sample.value, Mapping) else {}
    return {name: known[name] for name in QUEUE_KEYS if name in known} or sample.error or f"status {sample.status}"


def primary(drill: Drill) -> str:
    """The address of the primary, as this machine reaches it. This does not say whether the primary answers there."""
    try:
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            at = redis.connection_pool.connection_kwargs
            return f"{at['host']}:{at['port']}"
    except (clients.RedisError, OSError, CouldNotLookError) as error:
        return f"nobody names one: {error}"


def log_lines(sample: Sample) -> list[tuple[datetime, str]] | None:
    """When each line of the error log was written, and the cause that it names ("" for none). None for no log."""
    lines = dig(sample.value, "logs")
    if sample.error is not None or not isinstance(lines, list):
        return None
    return [(datetime.fromisoformat(each["at"]), str(each.get("kind", ""))) for each in lines]


def newest_line(sample: Sample) -> object:
    """When the newest line was written. For a log without lines it is the earliest time that there is."""
    found = log_lines(sample)
    return MISSING if found is None else max((at for at, _ in found), default=datetime.min.replace(tzinfo=UTC))


def api_starts(drill: Drill) -> Mapping[str, object]:
    """When the API was started, as each host says itself. Raises httpx.HTTPError when a host does not answer."""
    starts = {}
    for host in drill.inventory.names("api"):
        url = str(drill.inventory.variable(host, "drillbook_version_url"))
        starts[host] = http_get(replace(drill.inventory.endpoints["api"], url=url)).json()["started_at"]
    return starts
