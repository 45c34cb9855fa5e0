"""One drill at a time per environment, on the machine and not only in the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from drillbook.safety.environment_lock import HolderRole, Lock

from .conftest import DEADLINE_S, MINI, Mini, ended, killed_with_guardian, read_until, reports, wait_for

pytestmark = pytest.mark.lab

GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 60 seconds the service is down",
    'When the recovery playbook "fix" is run',
    "Then within 60 seconds the service is up",
)
LONG = (*GOOD[:2], "Then the service is down for 10 minutes", *GOOD[3:])


@pytest.fixture
def other(mini: Mini, tmp_path: Path) -> Iterator[Mini]:
    """A second checkout, which drills the very same service."""
    root = tmp_path / "other"
    shutil.copytree(MINI, root)
    made = Mini(root)
    made.replace("inventories/hosts.yml", "{{ inventory_dir }}/../", f"{mini.root}/")
    made.replace("inventories/hosts.yml", "inventory_dir ~ '/../port'", f"'{mini.root}/port'")
    for each in (mini, made):
        each.feature(*GOOD, tags="@rto:1h")
    yield made


def killed_in_the_symptoms(mini: Mini) -> None:
    """A drill that dies with its fault open, and its guardian with it."""
    mini.feature(*LONG, tags="@rto:1h")
    process = mini.start()
    read_until(process, r"^  symptoms$")
    children = psutil.Process(process.pid).children(recursive=True)
    killed_with_guardian(process, mini.root)
    psutil.wait_procs(children, timeout=DEADLINE_S)
    mini.feature(*GOOD, tags="@rto:1h")


def restore(mini: Mini) -> str:
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore", "--inventory", "inventories"]
    done = subprocess.run(command, cwd=mini.root, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(text: str) -> str:
    return " ".join(text.split())


def test_two_checkouts_do_not_drill_one_staging(mini: Mini, other: Mini) -> None:
    mini.feature(*LONG, tags="@rto:1h")
    process = mini.start()
    read_until(process, r"^  symptoms$")
    refused = other.pytest()
    process.terminate()
    ended(process)
    assert refused.status == 13, refused.output
    assert f"another drill is running in this environment: 'It breaks', process {process.pid}, since " in refused.output
    assert f"in the checkout {mini.root}. Wait for it to end" in said(refused.output)
    assert refused.drills() == []
    allowed = other.pytest()
    assert allowed.status == 0, allowed.output
    mini.feature(*GOOD, tags="@rto:1h")
    again = mini.pytest()
    assert again.status == 0, again.output


def test_two_checkouts_run_their_labs_side_by_side(mini: Mini, other: Mini) -> None:
    for each in (mini, other):
        each.replace("inventories/hosts.yml", "kind: staging", "kind: lab")
    mini.feature("Given the service is healthy for 10 minutes", *GOOD[1:], tags="@rto:1h")
    process = mini.start()
    read_until(process, r"^  baseline$")
    beside = other.pytest()
    process.terminate()
    ended(process)
    assert beside.status == 0, beside.output


def test_the_open_fault_of_a_dead_drill_keeps_other_checkouts_out(mini: Mini, other: Mini) -> None:
    killed_in_the_symptoms(mini)
    mini.replace("pyproject.toml", "drillbook_report = false", "drillbook_report = true")
    refused = other.pytest()
    assert refused.status == 13, refused.output
    assert f"in the checkout {mini.root}) left the fault 'breakage' in this environment" in said(refused.output)
    assert f"run 'drillbook restore' in {mini.root} first" in said(refused.output)
    assert mini.broken, "nobody touches what another checkout has broken"
    still = other.pytest()
    assert still.status == 13, "who was refused does not hide the one before"
    assert "undone: breakage" in restore(mini)
    assert reports(mini.root) == 1, "the ini wants them"
    allowed = other.pytest()
    assert allowed.status == 0, allowed.output


def test_a_dead_drill_that_broke_nothing_is_no_obstacle(mini: Mini, other: Mini) -> None:
    mini.feature("Given the service is healthy for 10 minutes", *GOOD[1:], tags="@rto:1h")
    process = mini.start()
    read_until(process, r"^  baseline$")
    process.kill()
    process.wait(timeout=DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()
    allowed = other.pytest()
    assert allowed.status == 0, allowed.output


def test_the_own_checkout_undoes_and_drills(mini: Mini, other: Mini) -> None:
    killed_in_the_symptoms(mini)
    again = mini.pytest()
    assert again.status == 0, again.output
    allowed = other.pytest()
    assert allowed.status == 0, allowed.output


def test_a_drill_that_could_not_undo_keeps_other_checkouts_out(mini: Mini, other: Mini) -> None:
    mini.replace("playbooks/faults/breakage/undo.yml", "that: not it.stat.exists", "that: false")
    assert mini.pytest().status == 12
    refused = other.pytest()
    assert refused.status == 13, refused.output
    assert f"drillbook restore' in {mini.root} first" in said(refused.output)
    mini.replace("playbooks/faults/breakage/undo.yml", "that: false", "that: not it.stat.exists")
    restore(mini)
    allowed = other.pytest()
    assert allowed.status == 0, allowed.output


@pytest.mark.parametrize("role", [HolderRole.GUARDIAN, HolderRole.RESTORE])
def test_a_drill_waits_for_who_puts_the_environment_back(mini: Mini, state_folder: Path, role: HolderRole) -> None:
    mini.feature(*GOOD, tags="@rto:1h")
    lock = Lock(state_folder / "lock-mini", "another session", root=mini.root, role=role)
    lock.acquire("The drill before")
    process = mini.start()
    waits = read_until(process, r"waiting for .*The drill before.* which puts the environment back")
    lock.release()
    output = waits + ended(process)
    assert process.returncode == 0, output


def test_the_restore_by_hand_says_what_it_is(mini: Mini, state_folder: Path) -> None:
    killed_in_the_symptoms(mini)
    mini.replace(
        "playbooks/faults/breakage/undo.yml",
        "  tasks:\n",
        '  tasks:\n    - name: Wait\n      ansible.builtin.wait_for: {path: "{{ flag }}.go", timeout: 60}\n',
    )
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore", "--inventory", "inventories"]
    restoring = subprocess.Popen(command, cwd=mini.root, stdout=subprocess.PIPE, text=True)
    lock = Lock(state_folder / "lock-mini", "mine")

    def named() -> bool:
        holder = lock.holder()
        return holder is not None and holder.role is HolderRole.RESTORE and holder.pid == restoring.pid

    wait_for(named, "the restore has the environment")
    process = mini.start()
    waits = read_until(process, r"waiting for 'drillbook restore' .* which puts the environment back")
    (mini.root / "flag.go").touch()
    assert "undone: breakage" in ended(restoring)
    output = waits + ended(process)
    assert process.returncode == 0, output
