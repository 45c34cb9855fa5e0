"""What the API says of itself and of what it depends on."""

from __future__ import annotations

from drillbook import parse, then
from drillbook.checks import At
from drillbook.drill import Drill
from drillbook.vocabulary import State

API = At("api", "the API")


@then(parse('within {deadline:Duration} the API reports "{component}" as {state:State}'))
def api_reports(drill: Drill, deadline: float, component: str, state: State) -> None:
    drill.eventually(API.json(f"components.{component}.status", component).is_(str(state)), within=deadline)


@then(parse('within {deadline:Duration} the API names "{kind}" as the reason why "{component}" is down'))
def api_names_reason(drill: Drill, deadline: float, kind: str, component: str) -> None:
    """One that was just started has not looked yet, and says so."""
    reason = API.json(f"components.{component}.error_kind", f"the reason why {component} is down")
    drill.eventually(reason.is_(kind), within=deadline)


@then(parse("within {deadline:Duration} the circuit breaker is {state:Word}"))
def breaker_is(drill: Drill, deadline: float, state: str) -> None:
    drill.eventually(API.json("circuit_breaker.state", "the circuit breaker").is_(state), within=deadline)


@then("the API is still alive")
def api_is_alive(drill: Drill) -> None:
    drill.bound(API.answers())
