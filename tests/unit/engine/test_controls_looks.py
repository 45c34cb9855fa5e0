"""What a control must not see, it looks for as long as the drill took to see it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drillbook.checks import At, looked
from drillbook.engine.looking import Absent
from drillbook.engine.under_way import UnderWay
from drillbook.model.control import Control, ControlKind
from drillbook.model.control_rules.waits import Measured
from drillbook.model.phases import Phase
from tests.unit.engine.drills import AGO_S, DOWN, UP, Sampled, under_way

pytestmark = pytest.mark.unit

STATUS = At("api", "the API").json("status", "the status").is_("up")
NO_FAULT = Control(ControlKind.NO_FAULT)
NO_RECOVERY, WITHOUT = Control(ControlKind.NO_RECOVERY), Control(ControlKind.WITHOUT_TASK, "x.yml:3")


def healing(
    tmp_path: Path, control: Control, took_s: float, phase: Phase = Phase.CRITERIA, in_s: float = 1.0
) -> UnderWay:
    """A system that is down at the first look from now on, and up at the next."""
    drill = under_way(tmp_path, phase=phase, control=control, measured=Measured("r", {(1, 0): 0.1}, {1: took_s}))
    assert isinstance(drill.prober, Sampled)
    drill.prober.look(DOWN, time.monotonic() + 0.2)
    drill.prober.look(UP, time.monotonic() + in_s)
    return drill


@pytest.mark.parametrize("control", [NO_RECOVERY, WITHOUT])
def test_a_criterion_that_the_drill_looked_at_once_has_the_time_that_all_of_it_took(
    tmp_path: Path, control: Control
) -> None:
    drill = healing(tmp_path, control, AGO_S + 5)
    Absent(drill).expect(STATUS)
    (check,) = drill.log.record.checks
    assert (check.met, check.samples) == (True, 2)


def test_a_criterion_with_a_deadline_has_it_too(tmp_path: Path) -> None:
    drill = healing(tmp_path, NO_RECOVERY, AGO_S + 5)
    Absent(drill).eventually(STATUS, within=2)
    assert drill.log.record.checks[0].met


def test_a_look_of_a_steps_own_has_it_too(tmp_path: Path) -> None:
    said = ["down", "up"]
    drill = healing(tmp_path, NO_RECOVERY, AGO_S + 5)
    Absent(drill).expect(looked("what is said", lambda: said.pop(0) if len(said) > 1 else said[0]).is_("up"))
    assert drill.log.record.checks[0].met


def test_what_heals_later_is_missed_all_the_same(tmp_path: Path) -> None:
    drill = healing(tmp_path, NO_RECOVERY, 1.0)
    assert isinstance(drill.prober, Sampled)
    drill.prober.of("api")._samples[1:] = []
    drill.prober.look(DOWN, time.monotonic() + 0.9)
    drill.prober.look(UP, time.monotonic() + 9.0)
    Absent(drill).expect(STATUS)
    assert not drill.log.record.checks[0].met


@pytest.mark.parametrize(("after_s", "seen"), [(AGO_S + 1.0, (True, 2)), (0.1, (False, 1)), (None, (False, 1))])
def test_a_symptom_that_the_drill_looked_at_once_has_as_long_as_after_its_fault(
    tmp_path: Path, after_s: float | None, seen: tuple[bool, int]
) -> None:
    """What comes true by itself in that time says nothing of the incident. Where no drill was measured: one look."""
    drill = healing(tmp_path, NO_FAULT, 0.0, Phase.SYMPTOMS, in_s=1.5)
    drill.measured = None if after_s is None else Measured("r", {(1, 0): 0.1}, {}, {(1, 0): after_s})
    Absent(drill).expect(STATUS)
    (check,) = drill.log.record.checks
    assert (check.met, check.samples) == seen


@pytest.mark.parametrize(
    ("phase", "kind"), [(Phase.SYMPTOMS, ControlKind.NO_FAULT), (Phase.CRITERIA, ControlKind.NO_RECOVERY)]
)
def test_a_look_of_a_steps_own_waits_by_the_drill_and_not_by_its_deadline(
    tmp_path: Path, phase: Phase, kind: ControlKind
) -> None:
    drill = healing(tmp_path, Control(kind), 0.5, phase)
    Absent(drill).eventually(looked("what is said", lambda: "down").is_("up"), within=600)
    (check,) = drill.log.record.checks
    assert check.deadline_s is not None and check.since_s is not None
    assert not check.met and check.deadline_s - check.since_s < 60
