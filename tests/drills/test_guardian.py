"""The guardian: a drill that dies without a word is put back by nobody's hand, and the guardian ends with its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from drillbook.safety import guardian
from drillbook.target.ansible import processes

from .conftest import (
    DEADLINE_S,
    Mini,
    ended,
    guardians,
    killed_with_guardian,
    left_over,
    read_until,
    records,
    reports,
    wait_for,
)
from .test_verdicts import GOOD

pytestmark = pytest.mark.lab


def killed(mini: Mini, phase: str, *, guardian: bool = False) -> None:
    """A drill that is killed in a phase, and its guardian if asked for."""
    mini.lasting(phase)
    process = mini.start()
    read_until(process, rf"^  {phase}$")
    if phase == "fault":
        wait_for(lambda: mini.broken, "the fault has happened", DEADLINE_S)
    if guardian:
        killed_with_guardian(process, mini.root)
        return
    process.kill()
    mini.go_on()
    process.wait(DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("phase", ["baseline", "fault", "symptoms", "recovery", "criteria", "restore"])
def test_a_killed_drill_is_put_back_by_its_guardian(mini: Mini, phase: str) -> None:
    temporary = mini.root.parent / "tmp"
    temporary.mkdir()
    mini.variables = {**mini.variables, "TMPDIR": str(temporary)}
    killed(mini, phase)
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left", DEADLINE_S)
    assert not mini.broken
    for folder in temporary.glob("*drillbook*"):
        wait_for(lambda folder=folder: not folder.exists(), f"{folder.name} is not left")
    assert not [*temporary.glob("*drillbook*")]
    (record,) = records(mini.root)
    assert record["outcome"] == "ABORTED"
    assert f"died in the phase {phase}" in record["reason"]
    assert all(fault["undo"] in {"gone", "never happened"} for fault in record["faults"])
    assert reports(mini.root) == 0, "the ini wants none"
    if record["faults"]:
        assert "by the guardian: breakage" in record["notes"][-1]
    mini.short()
    again = mini.pytest()
    assert again.status == 0, again.output
    assert "an earlier drill left" not in again.output


def test_a_drill_that_dies_before_its_guardian_is_ready_is_put_back_all_the_same(mini: Mini) -> None:
    mini.short()
    assert mini.pytest().status == 0
    drill = subprocess.Popen([*mini.python, "-c", "input()"], stdin=subprocess.PIPE)
    command = [
        *mini.python,
        "-P",
        "-m",
        guardian.PROCESS,
        f"--root={mini.root}",
        f"--inventory={mini.root}/inventories",
    ]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        beside = subprocess.Popen(
            [*command, "--environment=mini", "--owner=nobody", "--pid", str(drill.pid)],
            stdin=subprocess.PIPE,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
        drill.kill()
    # not waited for: what is dead and still has its number is what a guardian finds that is as fast
    _, said = beside.communicate(timeout=DEADLINE_S)
    drill.communicate(timeout=DEADLINE_S)
    assert f"the drill's process {drill.pid} has ended" in said
    assert beside.returncode == 0, said


def test_a_process_that_has_the_number_of_a_dead_drill_is_not_taken_for_it(mini: Mini) -> None:
    other = subprocess.Popen([*mini.python, "-c", "input()"], stdin=subprocess.PIPE)
    command = [
        *mini.python,
        "-P",
        "-m",
        guardian.PROCESS,
        f"--root={mini.root}",
        f"--inventory={mini.root}/inventories",
    ]
    beside = subprocess.Popen(
        [*command, "--environment=mini", "--owner=nobody", "--pid", str(other.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert beside.stderr is not None
        assert beside.wait(timeout=DEADLINE_S) == 0, beside.stderr.read()
        assert f"the drill's process {other.pid} has ended" in beside.stderr.read()
        assert other.poll() is None
    finally:
        for process in (beside, other):
            process.kill()
            process.communicate()


def test_a_drill_whose_guardian_was_killed_too_is_put_back_by_the_next_run(mini: Mini) -> None:
    killed(mini, "symptoms", guardian=True)
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left", DEADLINE_S)
    assert mini.broken, "nobody is there to undo it"
    mini.short()
    again = mini.pytest()
    assert again.status == 0, again.output
    assert "an earlier drill left 'breakage'" in again.output
    dead, passed = records(mini.root)
    assert (dead["outcome"], passed["outcome"]) == ("ABORTED", "PASSED")
    assert "by a later run: breakage" in dead["notes"][-1]
    assert reports(mini.root) == 0, "the ini wants none"


def test_a_guardian_that_is_told_to_end_stays_and_puts_back(mini: Mini) -> None:
    """That it is there says nothing: what has to end is there until the kernel gives it a processor once more."""
    mini.replace("pyproject.toml", "drillbook_report = false", "drillbook_report = true")
    mini.lasting("symptoms")
    process = mini.start()
    read_until(process, r"^  symptoms$")
    (guardian,) = guardians(mini.root)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        guardian.send_signal(number)
    process.kill()
    process.wait(DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left", DEADLINE_S)
    assert not mini.broken
    (record,) = records(mini.root)
    assert "by the guardian: breakage" in record["notes"][-1]
    assert reports(mini.root) == 1, "the ini wants them"


def test_no_second_fault_without_a_guardian(mini: Mini) -> None:
    mini.feature(*GOOD, *GOOD[1:], tags="@rto:1h")
    mini.hold("recovery")
    process = mini.start()
    read_until(process, r"^  recovery$")
    (first,) = guardians(mini.root)
    first.kill()
    wait_for(lambda: not processes.is_alive(first), "the guardian is dead")
    mini.go_on()
    output = ended(process)
    assert process.returncode == 0, output
    assert "the guardian had died: another one stands by" in output


def test_no_fault_without_a_guardian(mini: Mini) -> None:
    (mini.root / ".drillbook/guardian-mini.log").mkdir(parents=True)
    ran = mini.pytest()
    assert ran.status == 13, ran.output
    assert "the guardian cannot be started (Is a directory): no fault happens without it" in ran.output
    assert not mini.broken
    assert not (mini.root / ".drillbook/journal-mini.ndjson").exists()


def test_an_undo_that_fails_is_tried_again_and_told(mini: Mini) -> None:
    mini.replace("playbooks/faults/breakage/undo.yml", "not it.stat.exists", "it.stat.exists")
    killed(mini, "symptoms")
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left", DEADLINE_S)
    (record,) = records(mini.root)
    assert record["outcome"] == "NOT_RESTORED"
    assert "a fault could not be undone" in record["reason"]
    log = (mini.root / ".drillbook/guardian-mini.log").read_text()
    assert log.count("NOT undone: breakage") == 3
    assert mini.journal()[-1]["state"] == "undo_failed"
    mini.replace("playbooks/faults/breakage/undo.yml", "it.stat.exists", "not it.stat.exists")
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore", "--inventory", "inventories"]
    done = subprocess.run(command, cwd=mini.root, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert "undone: breakage" in done.stdout, done.stderr
