"""Whatever stands in for a drill has each call that a step may make of one."""

from __future__ import annotations

import inspect

import pytest

from drillbook.engine.drill import Drill
from drillbook.engine.drill_api import CALLS, FACTS, DrillApi
from drillbook.repository.plan.planning_drill import PlanningDrill
from tests.support.stepdrill import StepDrill

pytestmark = pytest.mark.unit

DRILLS: tuple[type[DrillApi], ...] = (Drill, PlanningDrill, StepDrill)
"""mypy refuses one that does not keep the types."""
OF_ITS_LIFE = {"run_steps"}
"""For who leads the drill, and not for steps."""
STAND_INS = (PlanningDrill(rto_s=60.0), StepDrill())


def test_the_list_has_all_that_a_drill_offers_and_nothing_else() -> None:
    public = {name for name in dir(Drill) if not name.startswith("_")}
    assert public - OF_ITS_LIFE == CALLS | FACTS
    assert {"inject", "expect", "hosts"} <= CALLS
    assert {"load", "inventory"} <= FACTS


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize("stand_in", STAND_INS, ids=lambda each: type(each).__name__)
def test_a_stand_in_takes_what_a_drill_takes(stand_in: object, name: str) -> None:
    real, other = getattr(Drill, name), getattr(type(stand_in), name)
    assert _taken(other) == _taken(real) == _taken(getattr(DrillApi, name))


@pytest.mark.parametrize("name", sorted(FACTS))
@pytest.mark.parametrize("stand_in", STAND_INS, ids=lambda each: type(each).__name__)
def test_a_stand_in_knows_what_a_drill_knows(stand_in: object, name: str) -> None:
    assert isinstance(vars(Drill)[name], property)
    assert name in dir(stand_in)


def _taken(call: object) -> list[tuple[str, object, object]]:
    assert callable(call)
    return [(each.name, each.kind, each.default) for each in inspect.signature(call).parameters.values()]
