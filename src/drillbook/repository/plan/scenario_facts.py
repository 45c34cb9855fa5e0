"""What a scenario's steps would do, collected once as values; `pytest --plan` and `drillbook lint` judge them.

The rule: nothing touches the target. Only steps that are known to be harmless are executed, with a drill that only
keeps their calls. For any other step the facts say why they are incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_bdd.parser import Step

from drillbook.model.objectives import Objectives
from drillbook.model.paths import shown
from drillbook.model.phases import ACTING, Phase, PlannedStep, StepKind
from drillbook.model.scenario import Scenario
from drillbook.repository.plan.dry_step import Learned, learn
from drillbook.repository.plan.plan import CheckPlan, Intent
from drillbook.repository.plan.planning_drill import PlanningDrill
from drillbook.repository.preflight import ScenarioRun
from drillbook.repository.step_definitions import Definition
from drillbook.target.inventory.inventory import Inventory

LOOKING = (Phase.BASELINE, Phase.SYMPTOMS, Phase.CRITERIA)
"""The phases in which a drill looks: such a phase without a check proves nothing."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step of a scenario.

    `uncertain` says why the facts are incomplete: the step was not `executed`, or not to its end. `error` is what it
    raised. `phase` is None in an ordinary test.
    """

    line: int
    text: str
    kind: StepKind
    phase: Phase | None = None
    location: str = ""
    intents: tuple[Intent, ...] = ()
    endpoints: tuple[str, ...] = ()
    checks: tuple[CheckPlan, ...] = ()
    messages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_alone: bool = False
    work: bool = False
    executed: bool = True
    uncertain: str | None = None
    error: str | None = None

    @property
    def acts(self) -> bool:
        """Whether it is a fault or a recovery."""
        return self.kind in ACTING

    @property
    def known(self) -> bool:
        """Whether the facts about it are complete."""
        return self.uncertain is None and self.error is None

    @property
    def does_nothing(self) -> bool:
        """Whether it is a fault or a recovery that makes no call for one."""
        return self.acts and self.known and not (self.intents or self.left_alone or self.messages)

    @property
    def missing_call(self) -> str:
        """The call that is missing in a step that does nothing."""
        return "drill.inject" if self.kind is StepKind.FAULT else "drill.recover or drill.leave_alone"

    def not_sampled(self, inventory: Inventory) -> tuple[str, ...]:
        """The endpoints that it looks at and that the inventory does not sample."""
        known = inventory.endpoints
        return tuple(name for name in self.endpoints if name not in known or not known[name].probe)

    def cannot_submit(self, inventory: Inventory) -> bool:
        """Whether it submits work although the inventory does not say how."""
        return self.work and inventory.work is None


@dataclass(frozen=True, slots=True)
class ScenarioFacts:
    """A scenario (or a row of an outline) that collection took."""

    path: str
    line: int
    name: str
    tags: frozenset[str]
    steps: tuple[StepFacts, ...]

    @property
    def is_drill(self) -> bool:
        """Whether it breaks anything."""
        return any(step.phase is not None for step in self.steps)

    @property
    def may_submit_work(self) -> bool:
        """Whether a step submits work, or might do so, because its facts are incomplete."""
        return any(step.work or not step.known for step in self.steps)

    def unlooked(self) -> Iterator[tuple[Phase, StepFacts]]:
        """The first step of each phase that must look and does not: all its steps are known, and none hands over a
        check.
        """
        for phase in LOOKING:
            own = [step for step in self.steps if step.phase is phase]
            if own and all(not step.checks and step.known for step in own):
                yield phase, own[0]


def collect(
    scenario: Scenario, run: ScenarioRun, inventory: Inventory | None, root: Path, redact: Callable[[str], str]
) -> ScenarioFacts:
    """The facts of one scenario. `inventory` is None when it cannot be resolved.

    An error of a step may quote a value of the inventory: `redact` takes it out.
    """
    objectives = Objectives.of(scenario.tags)
    drill = PlanningDrill(inventory, objectives.rto_s, lost=objectives.accepted_lost or 0)
    phases = scenario.phases or [None] * len(scenario.steps)
    rows = zip(scenario.steps, run.parsed.steps, run.definitions, phases, strict=True)
    steps = tuple(_step(drill, *row, root=root, redact=redact) for row in rows)
    return ScenarioFacts(scenario.feature_path, scenario.line, scenario.name, scenario.tags, steps)


def _step(
    drill: PlanningDrill,
    planned: PlannedStep,
    step: Step,
    definition: Definition,
    phase: Phase | None,
    *,
    root: Path,
    redact: Callable[[str], str],
) -> StepFacts:
    drill.next_step()
    learned = learn(definition, step, drill, root) if phase is not None else Learned(suspect="an ordinary test")
    uncertain = learned.unknown
    if learned.suspect is not None:
        place = f" ({shown(learned.place[0], root)}:{learned.place[1]})" if learned.place else ""
        uncertain = f"{learned.suspect}{place}"
    return StepFacts(
        line=planned.line,
        text=f"{planned.keyword} {planned.text}",
        kind=planned.kind,
        phase=phase,
        location=definition.location,
        intents=tuple(drill.intents),
        endpoints=tuple(dict.fromkeys(drill.readings)),
        checks=tuple(drill.checks),
        messages=tuple(drill.messages),
        notes=tuple(drill.notes),
        left_alone=drill.left_alone,
        work=drill.work_wanted,
        executed=learned.suspect is None,
        uncertain=uncertain,
        error=learned.error and redact(learned.error),
    )
