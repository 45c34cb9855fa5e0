"""A recovery that destroys data on the lab: exactly as many acknowledged jobs are lost as the scenario accepts.

The recovery takes the traces of three jobs out of the system's own books: to the ledger they are lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drillbook_lab.testing import RunningLab
from tests.drills.conftest import JUDGED_EARLY, Ran, lab_drills, looked_at

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]
LOST = 3
FEATURE = """@rto:10m {tag}
Feature: Data is destroyed

  Scenario: The network is cut and some jobs are thrown away
    Given the system is healthy
    And jobs are submitted at 10 per second
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    When the recovery playbook "redis/restore_network" is run
    Then within 60 seconds the API reports "redis" as up
    {criterion}
"""
EXACT = "And the loss is as accepted for 10 seconds"
STEP = """

@then(parse("the loss is as accepted for {length:Duration}"))
def loss_is_as_accepted(drill: Drill, length: float) -> None:
    lost, asked_s = drill.accepted_lost, time.monotonic()
    balance = looked("the balance of the work", lambda: drill.load.balance(asked_s))
    exact = balance.satisfies("is sound but for what is accepted", lambda account: account.sound_but_for(lost))
    drill.throughout(exact, for_=length, within=60)
"""


@pytest.fixture
def run(lab: RunningLab, tmp_path: Path) -> Iterator[Callable[..., Ran]]:
    """Runs the feature in a copy of this repository's drills, with a recovery that throws three jobs away."""
    mini = lab_drills(lab, tmp_path / "drills")
    looked_at(mini.root, "api", "queue", "redis", "database")
    root = mini.root
    with (root / "steps/queue.py").open("a") as steps:
        steps.write(STEP)
    postgres = lab.contract["postgres"]
    # of this drill: those before it have left theirs, and ids begin with a random number
    newest = "(select left(job_id, 15) from job_runs where job_id ~ '^drill' order by at desc limit 1)"
    ids = f"(select job_id from job_runs where starts_with(job_id, {newest}) order by job_id limit {LOST})"
    task = {
        "name": "Three jobs are thrown away",
        "ansible.builtin.command": {
            "argv": [
                str(Path(postgres["bin"]) / "psql"),
                "-h", "127.0.0.1", "-p", str(postgres["port"]), "-U", postgres["user"], "-d", "app",
                "-c", f"delete from job_runs where job_id in {ids}",
            ]
        },
        "environment": {"PGPASSWORD": "{{ lab.postgres.password }}"},
    }  # fmt: skip
    playbook = root / "playbooks/recovery/redis/restore_network.yml"
    text = playbook.read_text() + "\n    - " + json.dumps(task) + "\n"
    playbook.write_text(text.replace("  gather_facts:", "  vars: {drillbook_destroys_data: true}\n  gather_facts:"))

    def ran(tag: str, criterion: str = "", *edits: tuple[str, str, str]) -> Ran:
        for edit in edits:
            mini.replace(*edit)
        (root / "features/data.feature").write_text(FEATURE.format(tag=tag, criterion=criterion))
        return mini.pytest()

    yield ran
    lab.heal()


def test_exactly_what_is_accepted_is_lost(run: Callable[..., Ran]) -> None:
    ran = run(f"@accepts-data-loss:{LOST}", EXACT)
    assert ran.status == 0, ran.output
    work = ran.drill["work"]
    assert (work["lost_count"], work["accepted_lost"], work["duplicated_count"]) == (LOST, LOST, 0)
    assert ran.drill["objectives"]["accepted_lost"] == LOST
    assert ran.drill["outcome"] == "PASSED"


@pytest.mark.parametrize("accepted", [0, LOST - 1, LOST + 1], ids=["none", "too few", "too many"])
def test_any_other_number_is_not_recovered(run: Callable[..., Ran], accepted: int) -> None:
    ran = run(f"@accepts-data-loss:{accepted}", "", JUDGED_EARLY)
    assert ran.status == 1, ran.output
    assert ran.drill["outcome"] == "NOT_RECOVERED"
    assert f"{LOST} lost" in ran.drill["reason"]
    wanted = f"exactly {accepted} acknowledged jobs are lost" if accepted else "all acknowledged work is completed"
    assert f"required: {wanted}" in ran.drill["reason"]
    assert ran.drill["work"]["lost_count"] == LOST


def test_without_the_tag_nothing_is_broken(run: Callable[..., Ran]) -> None:
    ran = run("")
    assert ran.status == 13, ran.output
    said = " ".join(ran.output.split())
    assert "playbooks/recovery/redis/restore_network.yml:4: drillbook_destroys_data: true destroys data" in said
    assert "(features/data.feature:4) does not accept that: tag it @accepts-data-loss:COUNT" in said
    assert ran.drills() == []
