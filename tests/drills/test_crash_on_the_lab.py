"""SIGKILL in R1, R2 and a process kill on the lab, at random instants and at the journal's boundaries: of the drill, of
its guardian, of both.

The instants come from a fixed seed and spread over the time that the drill needs. Wherever one falls, what must be true
afterwards is the same: every fault is proven gone, the lab is well, the record says what happened, nobody is left.

Every boundary with every victim is tried on the small repository (test_crash_matrix.py); here each line of the journal,
once written, with the three drills in turn, and three instants of each drill, one for each victim. With
DRILLBOOK_CRASHES=all, as every night, every boundary with every drill and ten instants of each (30 minutes).
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drillbook.safety.journal import Journal
from drillbook_lab.testing import RunningLab, running_lab

from .conftest import DEADLINE_S, OTHERS, copied_drills, guardians, left_over, looked_at, records, wait_for
from .killer import BOUNDARIES, killing

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
FEATURE = """@rto:10m
Feature: Redis

  Scenario: {name}
    Given the system is healthy
    And jobs are submitted at 10 per second
    When {fault}
    Then within 30 seconds the API reports "redis" as down
    When the recovery playbook "redis/{recovery}" is run
    Then within 60 seconds the API reports "redis" as up
    And within 60 seconds every acknowledged job is completed exactly once
"""
DRILLS = {
    "R1": ('the network between "api" and "redis" is cut', "restore_network"),
    "R2": ("Redis refuses the application", "give_access_back"),
    "process kill": ("every Redis node is killed", "start"),
}
VICTIMS = ("drill", "both", "guardian")
ALL = os.environ.get("DRILLBOOK_CRASHES") == "all"
INSTANTS = 10 if ALL else len(VICTIMS)
PLANS = [
    *(f"drill={boundary}" for boundary in BOUNDARIES),
    *(f"drill={boundary},both=yes" for boundary in BOUNDARIES),
    *(f"drill=after:injected,guardian={boundary}" for boundary in BOUNDARIES[4:]),
]
if ALL:
    CRASHES = [(name, plan) for name in DRILLS for plan in PLANS]
else:
    CRASHES = [(name, plan) for plan, name in zip(PLANS[1::2], itertools.cycle(DRILLS))]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running_lab() as lab:
        yield lab


@dataclass
class Drills:
    """A copy of this repository's drills on a lab of their own, with one feature for each kind of fault."""

    root: Path
    lab: RunningLab
    needed_s: dict[str, float]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
        return kept | {"DRILLBOOK_LAB_STATE": str(self.lab.lab.state)}

    def start(self, name: str, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *OTHERS, f"features/{name}.feature"]
        with (self.root / "output").open("wb") as output:
            return subprocess.Popen(
                command, cwd=self.root, stdout=output, stderr=subprocess.STDOUT, env=self.environment | more
            )

    def restore(self) -> int:
        """Put everything back by hand; the exit status."""
        command = [sys.executable, "-m", "drillbook.commands.cli", "restore"]
        return subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def drills(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Drills:
    """The repository; each drill was run once, and passed."""
    root = tmp_path_factory.mktemp("crash")
    copied_drills(root)
    looked_at(root, "api", "queue", "redis", "database")
    made = Drills(root, lab, {})
    for name, (fault, recovery) in DRILLS.items():
        text = FEATURE.format(name=name, fault=fault, recovery=recovery)
        (root / f"features/{name}.feature").write_text(text)
        well(lab)
        began = time.monotonic()
        assert made.start(name).wait(2 * DEADLINE_S) == 0, (root / "output").read_text()
        made.needed_s[name] = time.monotonic() - began
    return made


def well(lab: RunningLab) -> None:
    wait_for(lambda: lab.health()["status"] == "ok", "the lab is well", DEADLINE_S)


@pytest.mark.parametrize("number", range(INSTANTS))
@pytest.mark.parametrize("name", DRILLS)
def test_whatever_dies_when_the_lab_is_put_back(name: str, number: int, drills: Drills) -> None:
    shutil.rmtree(drills.root / "evidence", ignore_errors=True)
    # each victim once in each third, where there are three instants
    victim = VICTIMS[(number + [*DRILLS].index(name)) % len(VICTIMS)]
    share = (number + random.Random(f"{name}-{number}").random()) / INSTANTS
    process = drills.start(name)
    with_pause_until(time.monotonic() + share * drills.needed_s[name], process)
    for guardian in guardians(drills.root) if victim != "drill" else ():
        guardian.kill()
    if victim != "guardian":
        process.kill()
    process.wait(2 * DEADLINE_S)
    if victim == "both":
        assert drills.restore() in {0, 64}  # 64: killed before anything was there
    all_is_well(drills)
    for record in records(drills.root):
        as_it_should(record, victim, process.returncode)


@pytest.mark.parametrize(("name", "plan"), CRASHES)
def test_who_dies_at_a_boundary_of_the_journal(name: str, plan: str, drills: Drills) -> None:
    shutil.rmtree(drills.root / "evidence", ignore_errors=True)
    process = drills.start(name, **killing(drills.root, plan))
    assert process.wait(2 * DEADLINE_S) == -9, (drills.root / "output").read_text()
    wait_for(lambda: not left_over(drills.root), "nobody is at work", DEADLINE_S)
    if "," in plan:
        assert drills.restore() == 0
    all_is_well(drills)
    (record,) = records(drills.root)
    assert record["outcome"] == "ABORTED"
    as_it_should(record, "drill", process.returncode)


def all_is_well(drills: Drills) -> None:
    """Nobody is left, nothing is open, the lab is well."""
    wait_for(lambda: not left_over(drills.root), "nobody is left", DEADLINE_S)
    assert Journal(drills.root / ".drillbook/journal-lab.ndjson").open_entries() == []
    well(drills.lab)


def with_pause_until(until_s: float, process: subprocess.Popen[bytes]) -> None:
    """Return at this instant, or when the process has ended."""
    try:
        process.wait(max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return


def as_it_should(record: dict[str, Any], victim: str, status: int) -> None:
    if victim == "guardian" or status == 0:
        assert record["outcome"] == "PASSED", record["reason"]
    else:
        assert record["outcome"] in {"ABORTED", "PASSED"}, record["reason"]
        assert record["outcome"] == "PASSED" or "the drill's process died in the phase" in record["reason"]
    assert all(fault["undo"] in {"gone", "never happened"} for fault in record["faults"])
