"""`drillbook drills` on real labs and a staging: table and status tell the truth, and nothing is left behind."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import OTHERS, Mini, copied_drills, ended, wait_for

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
FEATURE = """\
@rto:1h
Feature: Redis refuses the application

  @row:T1
  Scenario: It is given access again
    Given the system is healthy
    When Redis refuses the application
    Then within 2 minutes the API reports "redis" as down
    When the recovery playbook "redis/give_access_back" is run
    Then within 2 minutes the API reports "redis" as up

  @row:T2
  Scenario: A symptom that is always there
    Given the system is healthy
    When Redis refuses the application
    Then within 2 minutes the API reports "database" as up
    When the recovery playbook "redis/give_access_back" is run
    Then within 2 minutes the API reports "redis" as up
"""
UNPROVEN = """
    - name: It is never gone
      ansible.builtin.assert: {that: drillbook_environment.name == 'another'}
"""
STEP = """

@fault(parse('the fault "{name}" is made'))
def fault_is_made(drill: Drill, name: str) -> None:
    drill.inject(name)
"""
LONG_S = 580.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of this repository's drills, with two small ones."""
    root = tmp_path / "drills"
    copied_drills(root)
    (root / "features/x.feature").write_text(FEATURE)
    return root


def started(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "drillbook.commands.cli", "drills", *arguments]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes_of(name: str) -> list[str]:
    """What runs in the environment of a lab of this name, or of one that took its place."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if process.environ().get("DRILLBOOK_LAB_NAME", "").startswith(name):
                found.append(" ".join(process.info["cmdline"] or []))
        except psutil.Error:
            continue  # it has ended meanwhile
    return found


def table(root: Path) -> dict[str, Any]:
    (path,) = root.glob("evidence/*-drills-*/content/drills.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def left_in(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".drillbook").glob("*-lab-*"))


def test_every_drill_is_in_the_table_and_what_is_not_proven_fails(root: Path) -> None:
    process = started(root, "--labs", "2")
    output, _ = process.communicate(timeout=LONG_S)
    assert process.returncode == 14, output
    drills = {row["rows"][0]: row for row in table(root)["drills"]}
    assert drills["T1"]["outcome"] == drills["T2"]["outcome"] == "PASSED"
    assert drills["T1"]["proven"] is True
    assert drills["T1"]["recover_s"] > 0
    assert drills["T2"]["proven"] is False
    assert "no-fault: BETRAYED" in drills["T2"]["against"]
    assert "1 of 2 drills PASSED and proven" in output
    assert "BETRAYED      A symptom that is always there [no-fault]" in output
    records = [json.loads(path.read_text()) for path in root.glob("evidence/*/content/drill.json")]
    # of each a drill, which ends with its second recovery, and two controls
    assert len(records) == 6
    assert [record["repeat"]["outcome"] for record in records if record["control"] is None] == ["HELD", "HELD"]
    names = {record["environment"]["name"] for record in records}
    assert all(name.startswith("lab-") for name in names)
    assert left_in(root) == []
    assert [left for name in names for left in processes_of(name)] == []


def test_a_staging_is_proven_without_labs(mini: Mini) -> None:
    mini.short()
    process = started(mini.root, "--inventory", "inventories", "features", *OTHERS, "-k", "breaks")
    output = ended(process)
    assert process.returncode == 0, output
    assert (table(mini.root)["labs"], table(mini.root)["inventory"]) == (None, "inventories")
    assert [(row["outcome"], row["proven"]) for row in table(mini.root)["drills"]] == [("PASSED", True)]
    assert not mini.broken
    assert "lab" not in output


def test_ctrl_c_puts_the_system_back_and_leaves_no_process(root: Path) -> None:
    process = started(root, "--labs", "1")

    def broken() -> bool:
        return any("injected" in path.read_text() for path in (root / ".drillbook").glob("journal-lab-*.ndjson"))

    wait_for(lambda: broken() or process.poll() is not None, "something is broken", LONG_S)
    (journal,) = (root / ".drillbook").glob("journal-lab-*.ndjson")
    name = journal.stem.removeprefix("journal-")
    assert processes_of(name)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    output = ended(process)
    assert process.returncode == 13, output
    assert "stopped by SIGINT" in output
    assert processes_of(name) == []
    assert left_in(root) == []
    outcomes = [json.loads(path.read_text())["outcome"] for path in root.glob("evidence/*/content/drill.json")]
    assert outcomes == ["ABORTED"]
    rows = table(root)["drills"]
    assert {row["proven"] for row in rows} == {False}
    assert "not run" in {row["outcome"] for row in rows}


def test_a_lab_that_was_left_broken_is_replaced(root: Path) -> None:
    whole, _, _ = FEATURE.partition("  @row:T2")
    broken = whole.replace("@row:T1", "@row:T0").replace("It is given", "A: it is given").partition("Feature:")[2]
    _, _, scenario = broken.partition("  @row:T0")
    scenario = scenario.replace("When Redis refuses the application", 'When the fault "kept" is made')
    (root / "features/x.feature").write_text(f"{whole}\n  @row:T0{scenario}")
    shutil.copytree(root / "playbooks/faults/access_revoked", root / "playbooks/faults/kept")
    undo = root / "playbooks/faults/kept/undo.yml"
    undo.write_text(undo.read_text() + UNPROVEN)
    with (root / "steps/redis.py").open("a") as steps:
        steps.write(STEP)
    process = started(root, "--labs", "1", "-k=access")
    output, _ = process.communicate(timeout=LONG_S)
    assert process.returncode == 12, output
    assert "another one takes its place" in output
    drills = {row["rows"][0]: row for row in table(root)["drills"]}
    assert drills["T0"]["outcome"] == "NOT_RESTORED"
    assert drills["T1"]["proven"] is True
    assert left_in(root) == []


def test_without_a_drill_it_is_no_pass(root: Path) -> None:
    process = started(root, "--labs", "1", "features/none.feature")
    output = ended(process)
    assert process.returncode == 64, output
    assert "there is nothing to drill" in output
    assert not list(root.glob("evidence/*"))
