"""The queue's drills in shapes that must not pass: no Node, a harm that is not there, a loss that nobody accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drillbook_lab.testing import RunningLab
from tests.drills.conftest import JUDGED_EARLY, Ran, lab_drills

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]


@pytest.fixture
def drill(lab: RunningLab, tmp_path: Path) -> Iterator[Callable[..., Ran]]:
    """Runs one scenario of this repository in a copy of its drills, after an edit: (file, old text, new text)."""
    mini = lab_drills(lab, tmp_path / "drills", features=True)

    def run(node: str, *edits: tuple[str, str, str]) -> Ran:
        for edit in edits:
            mini.replace(*edit)
        return mini.pytest(node)

    yield run
    lab.heal()


def test_without_the_worker_on_node_its_drill_is_not_run_and_says_why(drill: Callable[..., Ran]) -> None:
    ran = drill("features/stuck_queue.feature::A worker on Node ends what workers in Python have begun")
    assert ran.status == 13, ran.output
    assert "a prerequisite is not met: the worker on Node" in ran.output
    assert "run 'drillbook lab node'" in ran.output or "no Node on this machine" in ran.output
    assert ran.drill["faults"] == []


def test_a_script_that_does_no_harm_is_no_finding(drill: Callable[..., Ran]) -> None:
    script = "playbooks/faults/active_moved_by_hand/inject.yml"
    steps = "steps/as_written.py"
    ran = drill(
        'features/stuck_queue.feature::Active jobs are moved to "waiting" by a script',
        (script, "}}:waiting", "}}:wait"),
        # it is not there, and need not be waited for as long as it may take to come
        (steps, "for_=length, within=60", "for_=length, within=20"),
    )
    assert ran.status == 11, ran.output
    assert "jobs in 'waiting' and in no state is at least 1 jobs: observed 0 jobs" in ran.output


def test_a_queue_is_not_cleared_where_nobody_accepts_the_loss(drill: Callable[..., Ran]) -> None:
    ran = drill(
        "features/queue_backlog.feature::What waits must never be done, and the queue is cleared",
        ("features/queue_backlog.feature", "@row:Q8 @accepts-data-loss:40 @runbook", "@row:Q8 @runbook"),
    )
    assert ran.status == 13, ran.output
    assert "destroys data, and the scenario 'What waits must never be done, and the queue is cleared'" in ran.output


def test_a_loss_that_is_not_exactly_the_accepted_one_is_no_pass(drill: Callable[..., Ran]) -> None:
    ran = drill(
        "features/queue_backlog.feature::What waits must never be done, and the queue is cleared",
        (
            "features/queue_backlog.feature",
            "@row:Q8 @accepts-data-loss:40 @runbook",
            "@row:Q8 @accepts-data-loss:41 @runbook",
        ),
        ("features/queue_backlog.feature", "within 60 seconds 20 new jobs", "within 20 seconds 20 new jobs"),
        JUDGED_EARLY,
    )
    assert ran.status == 1, ran.output
    assert "is sound with 60 jobs, but for 41" in ran.output
