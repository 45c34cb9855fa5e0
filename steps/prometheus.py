"""Alerts by Prometheus and Alertmanager: what their rules say, and what they leave untold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
from steps._parts import usable, variable
from steps.alerts import FIRING, rows

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, looked
from drillbook.clients import http_get
from drillbook.errors import CouldNotLookError


@given("Prometheus and Alertmanager can be used")
def prometheus_can_be_used(drill: Drill) -> None:
    found = looked("Prometheus and Alertmanager", lambda: usable(drill, "alerting", "drillbook_alerting_missing"))
    drill.require(found.is_("usable"))


@fault("the database is killed while Prometheus watches it")
def database_is_killed_under_watch(drill: Drill) -> None:
    drill.inject("killed_under_prometheus", target="database", dropped="")


@fault(parse('the database is killed while Prometheus drops the figure "{figure}", and no rule misses it'))
def database_is_killed_unwatched(drill: Drill, figure: str) -> None:
    drill.inject("killed_under_prometheus", target="database", dropped=figure)


@then(
    parse(
        'for {length:Duration} the API is not ready, Prometheus calls the rule "{name}" healthy, and nobody is told '
        'in "{channel}"'
    )
)
def outage_is_untold(drill: Drill, length: float, name: str, channel: str) -> None:
    def seen() -> tuple[int, str, int]:
        status = readiness(drill)
        # without an outage there is nothing to tell, and no Prometheus is needed to see it
        return status, state(drill, name) if status == 503 else "not asked", told(drill, channel)

    silent = looked(f"the status of the API's readiness, the rule {name!r}, and the alerts in {channel}", seen)
    drill.throughout(silent.is_((503, "ok, inactive", 0)), for_=length, within=60)


@then(parse("within {deadline:Duration} no rule of Prometheus fires"))
def no_rule_fires(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("the rules of Prometheus that fire", lambda: firing(drill)).is_([]), within=deadline)


@then("what Prometheus says of its rules is written down")
def rules_are_diagnosed(drill: Drill) -> None:
    """If there is no Prometheus to ask, that is written down."""
    drill.bound(At("alerts", "the chat").answers())
    try:
        said: object = {
            "rules that fire": firing(drill) or "none",
            "rules that are not evaluated": [each["name"] for each in rules(drill) if each["health"] != "ok"] or "none",
            "up": ask(drill, "query", {"query": "up"})["result"][0]["value"][1],
            "figures of component_up": len(ask(drill, "query", {"query": "component_up"})["result"]),
        }
    except (CouldNotLookError, httpx.HTTPError, LookupError) as error:
        said = str(error)
    drill.observe("what Prometheus says", said)


def ask(drill: Drill, what: str, parameters: Mapping[str, str] | None = None) -> Any:
    """The data in an answer of Prometheus' API. Raises CouldNotLookError when it is none."""
    url = f"{variable(drill, 'alerting', 'drillbook_prometheus_url')}/api/v1/{what}"
    answer = http_get(replace(drill.inventory.endpoints["api"], url=url), parameters, headers={})
    if answer.is_error:
        raise CouldNotLookError(f"Prometheus: status {answer.status_code}")
    return answer.json()["data"]


def rules(drill: Drill) -> Sequence[Mapping[str, Any]]:
    return [each for group in ask(drill, "rules", {"type": "alert"})["groups"] for each in group["rules"]]


def firing(drill: Drill) -> list[str]:
    """The names of the rules that fire. Raises CouldNotLookError when Prometheus has no rules."""
    found = rules(drill)
    if not found:
        raise CouldNotLookError("Prometheus has no rules")
    return [each["name"] for each in found if each["state"] == "firing"]


def state(drill: Drill, name: str) -> str:
    """The health and the state of a rule, as Prometheus calls them."""
    found = [each for each in rules(drill) if each["name"] == name]
    if not found:
        raise CouldNotLookError(f"Prometheus has no rule {name}")
    return f"{found[0]['health']}, {found[0]['state']}"


def readiness(drill: Drill) -> int:
    return http_get(drill.inventory.endpoints["api ready"]).status_code


def told(drill: Drill, channel: str) -> int:
    """How many alerts have arrived in this channel since the fault."""
    arrived = rows(http_get(drill.inventory.endpoints["alerts"]).json())
    return sum(
        row["monotonic_s"] >= drill.fault_at_s()
        and row["channel"] == channel
        and any(each.get("color") == FIRING for each in row["payload"].get("attachments", []))
        for row in arrived
    )
