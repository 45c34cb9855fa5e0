"""Runs a step against a planning drill, and keeps the step's calls."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path

from pytest_bdd.parser import Step
from pytest_bdd.scenario import parse_step_arguments
from pytest_bdd.utils import get_required_args

from drillbook.errors import DrillbookError
from drillbook.model import paths
from drillbook.model.phases import ACTING
from drillbook.repository.plan.planning_drill import NotYetKnown, PlanningDrill
from drillbook.repository.plan.side_effects import suspicion
from drillbook.repository.preflight import ScenarioRun
from drillbook.repository.step_definitions import Definition
from drillbook.safety.data_loss import changes
from drillbook.target.inventory.inventory import Inventory

# ------------------------------------------------------------------ what a step hands over


@dataclass(frozen=True, slots=True)
class Learned:
    """Why a step was not executed (`suspect`), not executed to its end (`unknown`), or failed (`error`);
    else all None.
    """

    suspect: str | None = None
    unknown: str | None = None
    error: str | None = None
    place: tuple[Path, int] | None = None


def learn(definition: Definition, step: Step, drill: PlanningDrill, root: Path) -> Learned:
    """Execute the step with a planning drill, if it is known to be harmless; `drill` keeps its calls."""
    drill.next_step()
    func = definition.context.step_func
    parameters = inspect.signature(func).parameters
    arguments = parse_step_arguments(step, definition.context)
    arguments = {name: value for name, value in arguments.items() if name in parameters}
    if step.datatable is not None and "datatable" in parameters:
        arguments["datatable"] = step.datatable.raw()
    if step.docstring is not None and "docstring" in parameters:
        arguments["docstring"] = step.docstring
    absent = {"datatable": None, "docstring": None}
    arguments |= {name: absent[name] for name in absent if name in get_required_args(func) and name not in arguments}
    fixtures = [name for name in get_required_args(func) if name not in arguments and name != "drill"]
    if fixtures:
        drill.blind = True
        return Learned(suspect=f"it asks for the fixture {fixtures[0]!r}, and a plan sets up no fixture")
    found = suspicion(func, arguments, root)
    if found is not None:
        drill.blind = True
        return Learned(suspect=found.reason, place=(found.path, found.line))
    given = {"drill": drill, **arguments} if "drill" in parameters else arguments
    try:
        func(**given)
    except NotYetKnown as error:
        return Learned(unknown=str(error))
    except Exception as error:  # noqa: BLE001 - whatever a step raises here it would raise in the drill
        return Learned(error=str(error) if isinstance(error, DrillbookError) else f"{type(error).__name__}: {error}")
    return Learned()


def named_playbooks(run: ScenarioRun, root: Path, inventory: Inventory) -> tuple[str, ...]:
    """The playbooks of the faults, recoveries and messages that the scenario's steps name, as far as that is known
    before the drill. Paths are relative to the root.
    """
    found: list[str] = []
    drill = PlanningDrill(inventory, blind=True)
    for planned, step, definition in zip(run.steps, run.parsed.steps, run.definitions, strict=True):
        if planned.kind in ACTING:
            learn(definition, step, drill, root)
            found += [each for intent in drill.intents for each in changes(intent.kind, intent.name)]
            found += map(paths.message, drill.messages)
    return tuple(found)
