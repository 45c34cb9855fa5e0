"""What a scenario would do, as values; and a drill that only keeps what its steps hand to it.

The rule: a plan touches nothing. `PlanningDrill` implements `DrillApi`, but it runs no playbook, asks no check, and
opens nothing. A fact that only a drill can know (a number before the fault, the result of a playbook) is `NotYetKnown`,
and never made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drillbook.model import paths
from drillbook.model.phases import Phase, StepKind
from drillbook.target.ansible.listing import PlayPlan
from drillbook.target.ansible.selection import ALL, Selection

ASKED = "(asked by the step)"
"""The source of a check that is no endpoint."""

# ------------------------------------------------------------------ what a step hands over


@dataclass(frozen=True, slots=True)
class Intent:
    """A fault or a recovery that a step names."""

    kind: StepKind
    name: str
    variables: Mapping[str, object]
    selection: Selection = ALL

    @property
    def playbook(self) -> str:
        """Its playbook, relative to the root."""
        if self.kind is StepKind.FAULT:
            return paths.fault(self.name)
        return paths.recovery(self.name)


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A check that a step would make: `how` the drill waits for it, and the endpoint that it reads (or ASKED)."""

    how: str
    name: str
    source: str


# ------------------------------------------------------------------ the plan of a scenario


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """Why something could not be planned; `path` is relative to the root where it lies below it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class PlaybookPlan:
    """A playbook that the drill would run.

    `purpose`: fault, undo, switch, recovery, communication, cleanup. `listed` is False when Ansible could not list its
    contents.
    """

    purpose: str
    playbook: str
    variables: Mapping[str, object]
    plays: tuple[PlayPlan, ...]
    listed: bool
    handlers: tuple[str, ...] = ()
    """Handlers that run at the end of a play when a task notifies them."""
    warnings: tuple[str, ...] = ()
    """Ansible's warnings from listing the playbook."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step; `phase` is None in an ordinary test. `unknown` says why its checks are not (all) listed."""

    keyword: str
    text: str
    line: int
    location: str
    phase: Phase | None
    playbooks: tuple[PlaybookPlan, ...] = ()
    checks: tuple[CheckPlan, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """How long the passed drills of the scenario took in this environment, in seconds; `count` is 0 when none has
    passed.
    """

    count: int = 0
    median_s: float = 0.0
    shortest_s: float = 0.0
    longest_s: float = 0.0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """What a scenario would do. `environment` and `kind` are None when the inventory could not be resolved."""

    feature: str
    scenario: str
    path: str
    line: int
    inventory: str
    environment: str | None
    kind: str | None
    rto_s: float | None
    severity: str | None
    history: History
    steps: tuple[StepPlan, ...]
    cleanup: PlaybookPlan | None = None
    """The playbook that removes the work of the drill."""
    leftovers: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """What the drill itself must be given, but the plan need not."""
    problems: tuple[PlanProblem, ...] = ()

    @property
    def is_drill(self) -> bool:
        """Whether it breaks anything; an ordinary test has no phases."""
        return any(step.phase is not None for step in self.steps)
