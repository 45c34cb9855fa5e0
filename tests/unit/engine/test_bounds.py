"""When nobody looked before, the moment of the look is a bound, and no time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drillbook.checks import At, Check, Observation, happened, looked
from drillbook.engine.incident_messages import incident
from drillbook.engine.looking import Demanding
from drillbook.engine.stability import settle
from drillbook.engine.under_way import UnderWay
from drillbook.model.phases import Phase
from drillbook.model.times.timeline import Event, Moment, times
from tests.unit.engine.drills import AGO_S, under_way

pytestmark = pytest.mark.unit

UP = At("api", "the API").json("status", "the status").is_("up")
EMPTY = looked("the queue", lambda: 0).is_(0)


def recovered(drill: UnderWay) -> Moment:
    settle(drill)
    assert not drill.log.findings
    return drill.log.moments[Event.RECOVERED]


def test_a_criterion_that_was_first_looked_at_late_bounds_the_recovery(tmp_path: Path) -> None:
    """The prober saw the API up after 1 s; the queue was looked at after 30 s, and may have been empty since 1 s."""
    drill = under_way(tmp_path, "-" + "+" * 30)
    Demanding(drill).eventually(UP, within=60)
    Demanding(drill).eventually(EMPTY, within=60)
    moment = recovered(drill)
    took = times(drill.log.moments).recover
    assert took is not None and moment.bounded and took.bounded
    assert took.seconds == pytest.approx(AGO_S, abs=1.0)
    assert took.least_s == pytest.approx(0.0, abs=0.1)
    assert (moment.source, drill.log.record.timeline[-2].bounded) == ("the queue is 0", True)


def test_one_alone_bounds_it_too(tmp_path: Path) -> None:
    drill = under_way(tmp_path, "+" * 31)
    Demanding(drill).expect(EMPTY)
    assert recovered(drill).bounded
    assert drill.log.record.checks[0].uncertainty_s == pytest.approx(AGO_S, abs=1.0)


def test_a_later_criterion_with_a_time_of_its_own_makes_it_none(tmp_path: Path) -> None:
    said = [1, 0]
    drill = under_way(tmp_path, "+" * 31)
    Demanding(drill).eventually(EMPTY, within=60)
    Demanding(drill).eventually(looked("the rest", lambda: said.pop(0) if len(said) > 1 else said[0]).is_(0), within=60)
    moment = recovered(drill)
    assert (moment.source, moment.bounded) == ("the rest is 0", False)


def test_a_symptom_that_was_first_looked_at_late_bounds_the_detection(tmp_path: Path) -> None:
    drill = under_way(tmp_path, phase=Phase.SYMPTOMS)
    Demanding(drill).eventually(looked("the mood", lambda: "bad").is_("bad").marking("alerted"), within=60)
    seen = times(drill.log.moments)
    assert seen.detect is not None and seen.alert is not None
    assert (seen.detect.bounded, seen.alert.bounded) == (True, True)
    assert seen.detect.least_s == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("ago_s", [20.0])
def test_what_happened_at_a_moment_of_its_own_is_no_bound(tmp_path: Path, ago_s: float) -> None:
    drill = under_way(tmp_path)
    at_s = time.monotonic() - ago_s
    Demanding(drill).eventually(happened("a message", lambda: [at_s]), within=60)
    moment = recovered(drill)
    assert not moment.bounded
    assert moment.at_s == pytest.approx(at_s, abs=0.01)


def test_what_came_while_nobody_looked_is_bounded(tmp_path: Path) -> None:
    """A gap of the prober, too, makes a bound of the first look after it."""
    drill = under_way(tmp_path, "--         " + "+" * 20)
    Demanding(drill).eventually(UP, within=60)
    moment = recovered(drill)
    assert moment.bounded
    assert moment.uncertainty_s == pytest.approx(10.0, abs=0.1)
    smooth = under_way(tmp_path / "smooth", "--" + "+" * 29)
    Demanding(smooth).eventually(UP, within=60)
    assert not recovered(smooth).bounded


def test_people_are_told_the_bound(tmp_path: Path) -> None:
    drill = under_way(tmp_path, "-" + "+" * 30)
    Demanding(drill).eventually(UP, within=60)
    Demanding(drill).eventually(EMPTY, within=60)
    assert incident(drill)["healthy_s"] == pytest.approx(AGO_S, abs=1.0)


def test_a_check_whose_samples_carry_a_time_is_no_bound(tmp_path: Path) -> None:
    drill = under_way(tmp_path, "--         " + "+" * 20)
    since_s = drill.opened_s
    dated = Check("it", "api", lambda it: Observation(it.value == {"status": "up"}, "it", "it", at_s=since_s + 11.0))
    Demanding(drill).eventually(dated, within=60)
    assert not drill.criteria[0].bounded


def test_a_bound_holds_and_does_not_date_the_recovery(tmp_path: Path) -> None:
    """What is verified half an hour later has to hold, and the system was well long before."""
    drill = under_way(tmp_path, "-" + "+" * 30)
    Demanding(drill).eventually(UP, within=60)
    Demanding(drill).bound(EMPTY, within=60)
    moment = recovered(drill)
    assert (moment.source, moment.bounded) == ("the status is up", False)
    # one alone dates it all the same: there is nothing else
    other = under_way(tmp_path / "other", "+" * 31)
    Demanding(other).bound(EMPTY, within=60)
    assert recovered(other).source == "the queue is 0"
