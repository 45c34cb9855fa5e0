"""What the prober saw since a phase was opened, for a step to judge: that phase's and no other's."""

from __future__ import annotations

import pytest

from .conftest import Mini
from .mutants import GOOD, body

pytestmark = pytest.mark.lab

LOOK = "drill.eventually(WEB.silent(), within=deadline)"
WELL = "drill.eventually(WEB.answers(), within=deadline)"
SEEN = "drill.observe('seen', drill.seen(WEB.status()))"


def test_it_holds_what_was_sampled_since_the_phase_was_opened(mini: Mini) -> None:
    body("down", LOOK, SEEN)(mini)
    body("up", WELL, SEEN)(mini)
    mini.feature(*GOOD, tags="@rto:1h")
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    incident, recovery = (row["value"] for row in ran.drill["observations"])
    assert incident[-1] == 503
    # from the recovery's start on: the good time before the fault is not in it
    assert recovery[-1] == 200
    assert sorted(recovery, reverse=True) == recovery


def test_what_nobody_sampled_is_refused(mini: Mini) -> None:
    body("down", LOOK, "from drillbook.checks import looked", "drill.seen(looked('the sum', lambda: 2))")(mini)
    mini.feature(*GOOD, tags="@rto:1h")
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "the sum: the prober does not sample this, so nobody knows its past" in ran.drill["reason"]


@pytest.mark.parametrize(("value", "status"), [("1", 0), ("2", 11)])
def test_a_look_of_the_steps_own_is_judged_by_its_first_look(mini: Mini, value: str, status: int) -> None:
    body("down", LOOK, "from drillbook.checks import looked", f"drill.expect(looked('one', lambda: {value}).is_(1))")(
        mini
    )
    mini.feature(*GOOD, tags="@rto:1h")
    ran = mini.pytest()
    assert ran.status == status, ran.output
