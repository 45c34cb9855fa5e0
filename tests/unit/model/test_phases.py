"""The order of a drill's steps."""

from __future__ import annotations

import pytest

from drillbook.model.phases import Misplaced, PlannedStep, StepKind, assign, is_drill

pytestmark = pytest.mark.unit

G, W, T, F, R = StepKind.GIVEN, StepKind.WHEN, StepKind.THEN, StepKind.FAULT, StepKind.RECOVERY


def steps(*kinds: StepKind) -> list[PlannedStep]:
    """One step a line, from line 1."""
    return [PlannedStep(keyword="When", text=str(kind), line=line, kind=kind) for line, kind in enumerate(kinds, 1)]


def wrong(*kinds: StepKind) -> list[Misplaced]:
    return assign(steps(*kinds))[1]


@pytest.mark.parametrize(
    ("kinds", "phases"),
    [
        ((G, F, T, R, T), "bfsrc"),
        ((G, G, F, F, T, T, R, R, T, T), "bbffssrrcc"),
        ((G, F, T, R, T, R, T), "bfsrcrc"),
        ((G, F, T, R, T, F, T, R, T), "bfsrcfsrc"),
    ],
    ids=["plain", "several of each", "second recovery", "second fault"],
)
def test_well_formed(kinds: tuple[StepKind, ...], phases: str) -> None:
    found, misplaced = assign(steps(*kinds))
    assert "".join(phase[0] for phase in found) == phases
    assert misplaced == []


@pytest.mark.parametrize(
    ("kinds", "line", "says"),
    [
        ((F, T, R, T), 1, "no baseline"),
        ((G, F, G, T, R, T), 3, "is a Given after a fault"),
        ((G, F, T, G, R, T), 4, "is a Given after the symptoms"),
        ((G, F, T, R, G, T), 5, "is a Given after a recovery"),
        ((G, F, T, R, T, G), 6, "is a Given after the criteria"),
        ((G, T, F, T, R, T), 2, "is a Then before any fault"),
        ((G, R, T), 2, "is a recovery before any fault"),
        ((G, F, R, T), 3, "is a recovery with no symptom before it"),
        ((G, F, T, F, T, R, T), 4, "is a fault after the symptoms of another"),
        ((G, F, T, R, F, T, R, T), 5, "is a fault with no criterion"),
        ((G, W, F, T, R, T), 2, "is a plain When"),
        ((G, F), 2, "ends with a fault"),
        ((G, F, T), 3, "ends with no recovery"),
        ((G, F, T, R), 4, "ends with no success criterion"),
        ((G, F, T, R, T, F), 6, "ends with a fault"),
        ((G, F, T, R, T, F, T), 7, "ends with no recovery"),
        ((G, F, T, R, T, R), 6, "ends with no success criterion"),
    ],
)
def test_out_of_order(kinds: tuple[StepKind, ...], line: int, says: str) -> None:
    found = wrong(*kinds)
    assert [each.line for each in found] == [line]
    assert says in found[0].message


def test_each_mistake_is_said_once_and_all_are_said() -> None:
    assert [each.line for each in wrong(F, G, R, T, W, G)] == [2, 3, 5, 6]


def test_every_step_gets_a_phase_also_when_out_of_place() -> None:
    phases, _ = assign(steps(W, R, G))
    assert len(phases) == 3


@pytest.mark.parametrize(("kinds", "drill"), [((G, F), True), ((G, R), True), ((G, W, T), False), ((), False)])
def test_a_fault_or_a_recovery_makes_a_drill(kinds: tuple[StepKind, ...], drill: bool) -> None:
    assert is_drill(kinds) is drill
