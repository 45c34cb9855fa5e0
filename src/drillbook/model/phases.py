"""Gives each step of a drill its phase. Only the kind of the step and its place decide.

The rule: Given+ (Fault+ Then+ (Recovery+ Then+)+)+, so a second recovery may follow criteria without a new fault.
Source: docs/architecture.md, "Phases".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class StepKind(StrEnum):
    """What a step definition is for. Its decorator says so: `@given`, `@fault` and so on."""

    GIVEN = "given"
    WHEN = "when"
    THEN = "then"
    FAULT = "fault"
    RECOVERY = "recovery"


class Phase(StrEnum):
    """The phases of a drill, in their order.

    REPEAT and RESTORE have no steps. REPEAT is the control recovery-twice at the end of its drill. RESTORE always runs.
    """

    BASELINE = "baseline"
    FAULT = "fault"
    SYMPTOMS = "symptoms"
    RECOVERY = "recovery"
    CRITERIA = "criteria"
    REPEAT = "repeat"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as the feature writes it, and its step definition."""

    keyword: str
    text: str
    line: int
    kind: StepKind


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A step, or a missing step, that breaks the order of phases; `line` is in the feature file."""

    line: int
    message: str


def incidents(phases: Sequence[Phase]) -> int:
    """The number of incidents in these phases of steps. Several faults in a row are one incident."""
    return sum(
        phase is Phase.FAULT and (at == 0 or phases[at - 1] is not Phase.FAULT) for at, phase in enumerate(phases)
    )


def is_drill(kinds: Sequence[StepKind]) -> bool:
    """A scenario with a fault or a recovery is a drill; any other is an ordinary test."""
    return StepKind.FAULT in kinds or StepKind.RECOVERY in kinds


_AFTER = {
    Phase.FAULT: "after a fault",
    Phase.SYMPTOMS: "after the symptoms",
    Phase.RECOVERY: "after a recovery",
    Phase.CRITERIA: "after the criteria",
}


def assign(steps: Sequence[PlannedStep]) -> tuple[list[Phase], list[Misplaced]]:
    """Give each step of a drill its phase.

    Returns as many phases as steps, and the misplaced steps (none when the scenario is well formed). A misplaced step
    gets the phase of its kind, so that the steps after it are not reported for the same mistake.
    """
    phases: list[Phase] = []
    wrong: list[Misplaced] = []
    now = Phase.BASELINE
    for step in steps:
        following = _next(now, step.kind)
        if following is None:
            wrong.append(Misplaced(step.line, _why(now, step)))
            following = _HOME.get(step.kind, now)
        now = following
        phases.append(now)
    if steps and all(step.kind is not StepKind.GIVEN for step in steps):
        wrong.append(Misplaced(steps[0].line, _NO_BASELINE))
    if steps and now in _UNFINISHED:
        wrong.append(Misplaced(steps[-1].line, _UNFINISHED[now]))
    return phases, wrong


# The phase of a misplaced step, by its kind. A Given or Then stays where it is.
_HOME = {StepKind.FAULT: Phase.FAULT, StepKind.RECOVERY: Phase.RECOVERY}
_NO_BASELINE = (
    "the drill has no baseline: begin with a Given that looks whether the system is healthy before anything is touched"
)
# What is missing from a drill that ends in one of these phases.
_UNFINISHED = {
    Phase.FAULT: ("the drill ends with a fault: add a Then that sees the symptom, a recovery, and a Then after it"),
    Phase.SYMPTOMS: (
        "the drill ends with no recovery: add 'When the recovery playbook \"...\" is run' or "
        "'When the system is left to itself', and a Then below it"
    ),
    Phase.RECOVERY: "the drill ends with no success criterion: add a Then after the recovery",
}


def _next(now: Phase, kind: StepKind) -> Phase | None:
    match kind, now:
        case StepKind.GIVEN, Phase.BASELINE:
            return Phase.BASELINE
        case StepKind.FAULT, Phase.BASELINE | Phase.FAULT | Phase.CRITERIA:
            return Phase.FAULT
        case StepKind.THEN, Phase.FAULT | Phase.SYMPTOMS:
            return Phase.SYMPTOMS
        case StepKind.RECOVERY, Phase.SYMPTOMS | Phase.RECOVERY | Phase.CRITERIA:
            return Phase.RECOVERY
        case StepKind.THEN, Phase.RECOVERY | Phase.CRITERIA:
            return Phase.CRITERIA
    return None


def _why(now: Phase, step: PlannedStep) -> str:
    sentence = f"'{step.keyword} {step.text}'"
    match step.kind, now:
        case StepKind.GIVEN, _:
            return f"{sentence} is a Given {_AFTER[now]}; the baseline comes first: move it up"
        case StepKind.THEN, _:
            return f"{sentence} is a Then before any fault; say it as a Given, or move it below the fault"
        case StepKind.RECOVERY, Phase.BASELINE:
            return f"{sentence} is a recovery before any fault; a drill breaks the system first: add a fault"
        case StepKind.RECOVERY, _:
            return (
                f"{sentence} is a recovery with no symptom before it; without an observed symptom nothing is "
                "proven: add a Then between fault and recovery"
            )
        case StepKind.FAULT, Phase.SYMPTOMS:
            return (
                f"{sentence} is a fault after the symptoms of another; bring all faults together above their "
                "symptoms, or recover from the first before the second"
            )
        case StepKind.FAULT, _:
            return f"{sentence} is a fault with no criterion for the recovery before it; add a Then above"
    return (
        f"{sentence} is a plain When step; in a drill each When is a fault or a recovery: "
        "define it with @fault or @recovery"
    )


ACTING = (StepKind.FAULT, StepKind.RECOVERY)
