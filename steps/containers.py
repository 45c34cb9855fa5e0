"""Containers, as their engine sees them: whether they run, how they ended, what memory they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps._parts import variable
from steps.health import latest

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import MISSING, At, Reading, Sample, dig, happened, looked, number
from drillbook.clients import container_events, container_log

ENDPOINT = "api container"
CONTAINER = At(ENDPOINT, "the container of the API")
MEMORY = CONTAINER.json("memory.share", "the part of its memory that the container of the API uses", "%", factor=100)


def ended(sample: Sample) -> object:
    """How the container ended, in words; "runs" for one that has not ended."""
    known = sample.value
    if not isinstance(known, Mapping) or "state" not in known:
        return MISSING
    if known["state"] in ("running", "paused", "restarting"):
        return "runs"
    why = ", killed for lack of memory" if known["oom_killed"] else ""
    return f"ended with {known['exit_code']}{why}"


END = Reading("how the container of the API ended", ENDPOINT, ended)


@given("the container of the API is healthy")
def container_is_healthy_before(drill: Drill) -> None:
    drill.eventually(CONTAINER.json("health").is_("healthy"), within=30)


@fault("the process in the API's container dies")
def container_crashes(drill: Drill) -> None:
    drill.inject("container_crashed", target="api")


@fault(parse('the image "{tag}" of the API goes live'))
def image_goes_live(drill: Drill, tag: str) -> None:
    drill.inject("image_live", tag=tag)


@fault("another process takes the port of the API while it is started anew")
def port_is_taken(drill: Drill) -> None:
    drill.inject("port_taken")


@then(parse("within {deadline:Duration} the container of the API has ended with {status:Integer}"))
def container_has_ended(drill: Drill, deadline: float, status: int) -> None:
    """It was not killed for lack of memory, which would be another incident."""
    drill.eventually(END.is_(f"ended with {status}"), within=deadline)


@then(parse("within {deadline:Duration} the container of the API was killed for lack of memory"))
def container_was_killed_for_memory(drill: Drill, deadline: float) -> None:
    """The engine has told of it, and says so of the container."""
    drill.eventually(END.contains("killed for lack of memory"), within=deadline)

    def told() -> list[float]:
        return container_events(drill.inventory.endpoints[ENDPOINT], "oom", drill.fault_at_s())

    drill.eventually(happened("the engine tells that a container has no memory left", told), within=deadline)


@then(parse("within {deadline:Duration} the container of the API is healthy"))
def container_is_healthy(drill: Drill, deadline: float) -> None:
    drill.eventually(CONTAINER.json("health", "the health of the container of the API").is_("healthy"), within=deadline)


@then(parse("within {deadline:Duration} the container of the API uses at most {share:Percent} of its memory"))
def container_has_memory(drill: Drill, deadline: float, share: float) -> None:
    drill.eventually(
        MEMORY.satisfies(f"is at most {100 * share:g} %", lambda used: number(used) <= 100 * share), within=deadline
    )


@then(parse('within {deadline:Duration} the container of the API has said "{text}"'))
def container_has_said(drill: Drill, deadline: float, text: str) -> None:
    """Only what it has said since the fault counts."""

    def said() -> str:
        return container_log(drill.inventory.endpoints[ENDPOINT], drill.fault_at_s())

    drill.eventually(looked("what the container of the API has said", said).contains(text), within=deadline)


@then(parse("within {deadline:Duration} the port of the API is taken, and not by its container"))
def port_is_taken_by_another(drill: Drill, deadline: float) -> None:
    """Somebody listens in the network of the API while its own container has ended: it is not the API."""
    host: Any = drill.hosts("network_of_api")[0]
    port = variable(drill, "api", "drillbook_port")

    def holder() -> str:
        if listening(host, port) == "nobody":
            return "nobody"
        return "somebody else" if str(drill.last(END)).startswith("ended with") else "the API"

    drill.eventually(looked(f"who listens on port {port}", holder).is_("somebody else"), within=deadline)


@then("what the engine says of the container of the API is written down")
def container_is_diagnosed(drill: Drill) -> None:
    drill.bound(END.satisfies("is known", lambda _: True))
    drill.observe("how the container of the API ended", latest(drill, END))
    drill.observe("the image of the API", latest(drill, Reading("image", ENDPOINT, lambda it: dig(it.value, "image"))))
    drill.observe("how often the engine has started it again", latest(drill, CONTAINER.json("restarts")))
    drill.observe("the part of its memory that it uses", latest(drill, MEMORY), "%")


def listening(host: Any, port: int) -> str:
    """`somebody` or `nobody`, as the host itself sees it."""
    return "somebody" if host.socket(f"tcp://127.0.0.1:{port}").is_listening else "nobody"
