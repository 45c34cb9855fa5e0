"""A drill that is stopped or killed in any phase: the system is healthy again, and the record says what happened."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from .conftest import (
    DEADLINE_S,
    OTHERS,
    Mini,
    Ran,
    ended,
    killed_with_guardian,
    left_over,
    read_until,
    records,
    wait_for,
)

pytestmark = pytest.mark.lab

PHASES = ("baseline", "fault", "symptoms", "recovery", "criteria")


def stopped_in(mini: Mini, phase: str, number: signal.Signals, *args: str) -> Ran:
    """Start the drill, send the signal when the phase has begun, and let it end."""
    mini.lasting(phase)
    process = mini.start(*args)
    seen = read_until(process, rf"^  {phase}$")
    process.send_signal(number)
    if phase == "restore":
        seen += read_until(process, f"{number.name} received")
        mini.go_on()
    rest = ended(process)
    return Ran(process.returncode, seen + rest, mini.root)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("phase", PHASES)
def test_a_stopped_drill_puts_everything_back(mini: Mini, phase: str, number: signal.Signals) -> None:
    ran = stopped_in(mini, phase, number)
    assert ran.status == 13, ran.output
    assert ran.drill["outcome"] == "ABORTED"
    assert number.name in ran.drill["reason"]
    assert ran.drill["axes"]["restored"]["holds"] is True
    assert [*mini.root.glob("evidence/*/SHA256SUMS")], "it is sealed although pytest reports no teardown of it"
    assert not mini.broken
    assert all(fault["undo"] in {"gone", "never happened"} for fault in ran.drill["faults"])


def test_a_drill_that_is_stopped_while_the_recovery_runs_once_more(mini: Mini) -> None:
    ran = stopped_in(mini, "repeat", signal.SIGINT, "--prove", "features")
    assert ran.status == 13, ran.output
    (drill,) = ran.drills()
    assert drill["outcome"] == "ABORTED"
    assert "SIGINT" in drill["reason"]
    assert drill["repeat"]["outcome"] == "INVALID"
    assert drill["axes"]["restored"]["holds"] is True
    assert not mini.broken


def proving(mini: Mini, phase: str, hang_up: signal.Handlers = signal.SIG_DFL) -> subprocess.Popen[str]:
    """`drillbook prove`, in this phase of its drill, which lasts; whether it ignores hang-ups, as under nohup."""
    mini.lasting(phase)
    before = signal.signal(signal.SIGHUP, hang_up)  # the child inherits it, and so would it ours
    try:
        process = subprocess.Popen(
            [*mini.python, "-m", "drillbook.commands.cli", "prove", "features", "-p", "no:cacheprovider", *OTHERS],
            cwd=mini.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env=mini.environment(),
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    read_until(process, rf"^  {phase}$")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_proof_that_is_stopped_puts_its_system_back_and_leaves_no_drill_behind(
    mini: Mini, number: signal.Signals
) -> None:
    process = proving(mini, "symptoms")
    process.send_signal(number)
    output = ended(process)
    assert process.returncode == 13, output
    (drill,) = records(mini.root)
    assert drill["outcome"] == "ABORTED"
    assert drill["axes"]["restored"]["holds"] is True
    assert not mini.broken


def test_a_proof_goes_on_after_a_hang_up_that_is_ignored(mini: Mini) -> None:
    process = proving(mini, "recovery", signal.SIG_IGN)
    process.send_signal(signal.SIGHUP)
    mini.go_on()
    output = ended(process)
    assert process.returncode == 0, output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_restore_is_not_stopped(mini: Mini, number: signal.Signals) -> None:
    ran = stopped_in(mini, "restore", number)
    assert "the system is being put back first" in ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert not mini.broken


@pytest.mark.parametrize("phase", [*PHASES, "restore"])
def test_a_killed_drill_is_put_back_by_the_next_run(mini: Mini, phase: str) -> None:
    mini.lasting(phase)
    process = mini.start()
    read_until(process, rf"^  {phase}$")
    if phase == "fault":
        wait_for(lambda: mini.broken, "the fault has happened", DEADLINE_S)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    mini.go_on()
    process.wait(timeout=DEADLINE_S)
    for child in children:
        # Ansible's own processes notice that nobody listens; what they began to change is what the journal is for
        try:
            child.wait(timeout=DEADLINE_S)
        except psutil.NoSuchProcess:
            continue
    assert process.stdout is not None
    process.stdout.close()
    mini.short()
    again = mini.pytest()
    assert again.status == 0, again.output
    killed, passed = again.drills()
    assert passed["outcome"] == "PASSED"
    assert not mini.broken
    assert killed["outcome"] == "ABORTED", killed["reason"]
    assert f"died in the phase {phase}" in killed["reason"]
    assert all(fault["undo"] in {"gone", "never happened"} for fault in killed["faults"])
    assert bool(killed["faults"]) or phase == "baseline"


def test_restore_by_hand(mini: Mini) -> None:
    mini.lasting("symptoms")
    process = mini.start()
    read_until(process, r"^  symptoms$")
    killed_with_guardian(process, mini.root)
    assert mini.broken
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left")
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore", "--inventory", "inventories"]
    done = subprocess.run(command, cwd=mini.root, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "undone: breakage" in done.stdout
    assert not mini.broken
    again = subprocess.run(command, cwd=mini.root, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert "nothing to undo" in again.stdout


def test_two_sessions_do_not_drill_one_environment(mini: Mini) -> None:
    mini.lasting("recovery")
    process = mini.start()
    read_until(process, r"^  recovery$")
    second = mini.pytest()
    mini.go_on()
    output = ended(process)
    assert second.status == 13, second.output
    assert "another drill is running in this environment: 'It breaks'" in second.output
    assert process.returncode == 0, output
