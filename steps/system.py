"""The system as a whole: healthy, busy, back to where it was."""

from __future__ import annotations

from steps.health import API

from drillbook import Drill, given, parse, then
from drillbook.checks import At

MEMORY = API.json("memory.rss_bytes", "the API's memory", "MB", factor=1e-6)
ERRORS = API.json("requests.error_rate", "requests that ended in an error", "%", factor=100)


@given("the system is healthy")
def system_is_healthy(drill: Drill) -> None:
    for check in (
        API.json("status", "the system").is_("ok"),
        At("redis", "Redis").answers(),
        At("database", "the database").answers(),
    ):
        drill.eventually(check, within=10)


@then(parse("the API's memory is back to its baseline within {tolerance:Percent}"))
def memory_is_at_baseline(drill: Drill, tolerance: float) -> None:
    drill.eventually(MEMORY.at_most(drill.before(MEMORY) * (1 + tolerance)), within=60)


@then(parse("the API's memory never exceeds {limit:Integer} MB"))
def memory_is_bounded(drill: Drill, limit: int) -> None:
    drill.always(MEMORY.at_most(limit))
    read = [each for each in drill.seen(MEMORY) if isinstance(each, float)]
    drill.observe("the API's memory at its peak", round(max(read), 1) if read else "nothing", "MB")


@then(parse("within {deadline:Duration} at most {share:Percent} of the requests end in an error"))
def error_rate_is_low(drill: Drill, deadline: float, share: float) -> None:
    drill.eventually(ERRORS.at_most(100 * share), within=deadline)
