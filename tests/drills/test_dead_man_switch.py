# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)
"""A drill with a dead man's switch: armed before the fault, renewed while it is open, disarmed once it is gone."""

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

from drillbook.evidence.render.html import page

from .conftest import DEADLINE_S, Mini, Ran, ended, left_over, read_until, wait_for

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
NEVER_S = 3600
SOON_S = 20
"""Long enough for a busy machine to come from the arming to the symptom, and not to miss a renewal."""
SWITCH = """\
- name: A broken service that nobody watches is made whole
  hosts: all
  gather_facts: false
  tasks:
    - name: The dead man's switch is in the wanted state
      ansible.builtin.include_role: {name: switch}
      vars:
        switch_command: [rm, -f, "{{ flag }}"]
"""
STEPS = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 60 seconds the service is down",  # a busy machine takes 7 s to set the flag
    'When the recovery playbook "fix" is run',
    "Then within 20 seconds the service is up",
)
FAULT = "playbooks/faults/breakage"
ENVIRONMENT = "drillbook_environment: {name: mini, kind: staging}"


@pytest.fixture
def guarded(mini: Mini) -> Mini:
    """The repository with a switch for its fault, which the inventory asks for."""
    for part in ("library", "module_utils", "roles/switch"):
        shutil.copytree(ROOT / "playbooks" / part, mini.root / "playbooks" / part)
    (mini.root / FAULT / "switch.yml").write_text(SWITCH)
    asks = f"    drillbook_dead_man_switch: {{after: {NEVER_S}}}\n"
    folder = '    drillbook_switch_folder: "{{ inventory_dir }}/../switches"'
    mini.replace("inventories/hosts.yml", ENVIRONMENT, f"{ENVIRONMENT}\n{asks}{folder}")
    mini.feature(*STEPS)
    return mini


def fires_after(mini: Mini, seconds: int) -> None:
    mini.replace("inventories/hosts.yml", f"{{after: {NEVER_S}}}", f"{{after: {seconds}}}")


def switch_plays(ran: Ran) -> list[dict[str, Any]]:
    return [play for play in ran.drill["plays"] if play["purpose"] == "switch"]


def wanted(plays: list[dict[str, Any]]) -> list[str]:
    return [play["variables"]["drillbook_switch"] for play in plays]


def timer(mini: Mini) -> psutil.Process:
    """The timer of the only switch."""
    (path,) = (mini.root / "switches").glob("*.result")
    return psutil.Process(int(json.loads(path.read_text())["process"].split("/")[1]))


def killed(mini: Mini) -> None:
    """The drill and all that it has started end without a chance to do anything: the control node is lost."""
    mini.lasting("symptoms")
    process = mini.start()
    read_until(process, r"^  symptoms$")
    family = psutil.Process(process.pid).children(recursive=True)
    for each in family:
        each.suspend()
    process.kill()
    for each in family:
        each.kill()
    process.wait(timeout=DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()
    mini.short()


def restore(mini: Mini) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore", "--inventory", "inventories"]
    return subprocess.run(command, cwd=mini.root, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def test_a_switch_is_armed_before_its_fault_and_disarmed_after_its_undo(guarded: Mini) -> None:
    ran = guarded.pytest()
    assert ran.status == 0, ran.output
    (fault,) = ran.drill["faults"]
    assert (fault["undo"], fault["switch"], fault["took_effect"]) == ("gone", "disarmed", True)
    order = [(play["purpose"], play["variables"].get("drillbook_switch")) for play in ran.drill["plays"]]
    order = [each for each in order if each != ("switch", "renewed")]
    assert order[:2] == [("switch", "armed"), ("fault", None)]
    assert sorted(order[2:]) == sorted([("recovery", None), ("undo", None), ("switch", "disarmed")])
    (injected,) = [event for event in ran.drill["timeline"] if event["event"] == "fault_injected"]
    assert injected["source"].startswith(f"{FAULT}/inject.yml")
    assert guarded.journal()[0]["switch_playbook"] == f"{FAULT}/switch.yml"
    assert list((guarded.root / "switches").iterdir()) == []
    (folder,) = guarded.root.glob("evidence/*")
    assert "switch disarmed" in page.report(folder).read_text()


def test_what_the_switch_changes_is_not_the_faults_change(guarded: Mini) -> None:
    guarded.replace(f"{FAULT}/inject.yml", "The flag is set", "The flag is set\n      when: false")
    ran = guarded.pytest()
    assert ran.drill["outcome"] == "INVALID"
    assert "changed nothing" in ran.drill["reason"]
    assert ran.drill["faults"][0]["switch"] == "disarmed"


def test_without_a_word_in_the_inventory_no_switch_is_armed(guarded: Mini) -> None:
    guarded.replace("inventories/hosts.yml", f"drillbook_dead_man_switch: {{after: {NEVER_S}}}", "nothing: true")
    ran = guarded.pytest()
    assert ran.status == 0, ran.output
    assert switch_plays(ran) == []
    assert ran.drill["faults"][0]["switch"] is None


def test_a_fault_without_a_switch_is_noted_where_one_is_asked_for(guarded: Mini) -> None:
    (guarded.root / FAULT / "switch.yml").unlink()
    ran = guarded.pytest()
    assert ran.status == 0, ran.output
    assert ran.drill["notes"] == ["the fault 'breakage' has no switch.yml: it stays when the control node is lost"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("switch_command: [rm", "switch_nothing: [rm", "it needs a command or a script"),
        ("{name: switch}", "{name: switch}\n      when: false", "ran no task on web-1"),
        ("- name: A broken", "  - name: A broken", "cannot be run"),
    ],
    ids=["it fails", "it is skipped", "it is no YAML"],
)
def test_a_fault_whose_switch_cannot_be_armed_does_not_happen(guarded: Mini, old: str, new: str, says: str) -> None:
    guarded.replace(f"{FAULT}/switch.yml", old, new)
    ran = guarded.pytest()
    assert ran.drill["outcome"] == "INVALID", ran.output
    reason = ran.drill["reason"]
    assert reason.startswith("the fault 'breakage' did not happen: its dead man's switch could not be armed: ")
    assert says in reason
    assert "fault" not in [play["purpose"] for play in ran.drill["plays"]]
    assert ran.drill["faults"][0]["switch"] != "armed"
    assert not guarded.broken


def test_a_target_whose_drill_is_killed_heals_itself_and_the_next_run_closes_the_journal(guarded: Mini) -> None:
    fires_after(guarded, SOON_S)
    killed(guarded)
    assert guarded.broken
    wait_for(lambda: not guarded.broken, "the target healed itself", deadline_s=60)
    wait_for(lambda: len(left_over(guarded.root)) == 1, "only the service is left")
    again = guarded.pytest()
    assert again.status == 0, again.output
    dead, passed = again.drills()
    assert passed["outcome"] == "PASSED"
    assert dead["outcome"] == "ABORTED"
    assert (dead["faults"][0]["undo"], dead["faults"][0]["switch"]) == ("gone", "fired")
    assert all(play["started_s"] > 0 for play in passed["plays"]), "what was done for the dead drill is not of this one"
    lines = guarded.journal()
    assert len({line["id"] for line in lines}) == [line["state"] for line in lines].count("closed") == 2


def test_without_a_switch_a_target_whose_drill_is_killed_stays_broken(guarded: Mini) -> None:
    (guarded.root / FAULT / "switch.yml").unlink()
    killed(guarded)
    wait_for(lambda: len(left_over(guarded.root)) == 1, "only the service is left")
    assert guarded.broken, "nobody is left who could undo it"
    assert "undone: breakage" in restore(guarded).stdout
    assert not guarded.broken


def test_who_restores_by_hand_disarms(guarded: Mini) -> None:
    killed(guarded)
    assert timer(guarded).is_running()
    done = restore(guarded)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: len(left_over(guarded.root)) == 1, "only the service is left")
    (dead,) = Ran(0, "", guarded.root).drills()
    assert dead["faults"][0]["switch"] == "disarmed"


def test_a_switch_that_fires_under_the_drills_hands_makes_it_invalid(guarded: Mini) -> None:
    # nobody renews it, and its playbook says that all is well
    text = SWITCH.replace("{name: switch}", "{name: switch}\n      when: drillbook_switch != 'renewed'")
    text += "    - name: It is renewed\n      ansible.builtin.debug: {msg: well}\n"
    (guarded.root / FAULT / "switch.yml").write_text(text)
    # long enough that even a busy machine has seen the symptom by then; the recovery is so slow that it fires in it
    fires_after(guarded, 30)
    waits = "wait_for: {path: '{{ drillbook_switch_folder }}/fired', timeout: 90}"
    recovery = (guarded.root / "playbooks/recovery/fix.yml").read_text()
    recovery += f"    - name: It goes on until the switch has fired\n      ansible.builtin.{waits}\n"
    (guarded.root / "playbooks/recovery/fix.yml").write_text(recovery)
    guarded.replace(f"{FAULT}/switch.yml", '[rm, -f, "{{ flag }}"]', '[touch, "{{ drillbook_switch_folder }}/fired"]')
    ran = guarded.pytest()
    assert ran.drill["outcome"] == "INVALID", ran.output
    assert ran.status == 11
    assert (
        "the dead man's switch of the fault 'breakage' fired: the fault was undone on the target" in ran.drill["reason"]
    )
    assert ran.drill["faults"][0]["switch"] == "fired"
    assert ran.drill["axes"]["restored"]["holds"] is True
    assert all(step["status"] == "passed" for step in ran.drill["steps"])


def test_a_switch_that_is_renewed_does_not_fire(guarded: Mini) -> None:
    fires_after(guarded, SOON_S)
    guarded.feature(*STEPS, f"And the service is up for {SOON_S + 5} seconds")
    ran = guarded.pytest()
    assert ran.status == 0, ran.output
    assert wanted(switch_plays(ran)).count("renewed") >= 2
    assert ran.drill["notes"] == []


def test_a_timer_that_is_killed_is_noted(guarded: Mini) -> None:
    fires_after(guarded, SOON_S)
    guarded.feature(*STEPS, f"And the service is up for {SOON_S} seconds")
    process = guarded.start()
    seen = read_until(process, r"^  symptoms$")
    timer(guarded).kill()
    output = seen + ended(process)
    (record,) = Ran(0, output, guarded.root).drills()
    assert record["outcome"] == "PASSED", output
    (note,) = record["notes"]
    assert note.startswith("the dead man's switch of the fault 'breakage' was not renewed: ")
    assert "has no process any more" in note


def test_a_switch_that_cannot_be_disarmed_is_not_restored_and_is_disarmed_later(guarded: Mini) -> None:
    fails = "    - ansible.builtin.fail: {msg: on purpose}\n      when: drillbook_switch == 'disarmed'\n"
    (guarded.root / FAULT / "switch.yml").write_text(SWITCH.replace("  tasks:\n", f"  tasks:\n{fails}"))
    ran = guarded.pytest()
    assert ran.status == 12, ran.output
    assert ran.drill["outcome"] == "NOT_RESTORED"
    assert "its dead man's switch could not be disarmed: " in ran.drill["reason"]
    assert ran.drill["faults"][0]["undo"] == "failed"
    assert "undo" in [play["purpose"] for play in ran.drill["plays"]]
    assert guarded.journal()[-1]["state"] == "undo_failed"
    guarded.replace(f"{FAULT}/switch.yml", fails, "")
    # the guardian stays while a fault is open, and may be the one that disarms it
    assert restore(guarded).returncode == 0
    assert guarded.journal()[-1]["state"] == "closed"


def test_a_drill_that_is_stopped_disarms(guarded: Mini) -> None:
    guarded.lasting("symptoms")
    process = guarded.start()
    seen = read_until(process, r"^  symptoms$")
    process.send_signal(signal.SIGTERM)
    ran = Ran(0, seen + ended(process), guarded.root)
    assert ran.drill["outcome"] == "ABORTED", ran.output
    assert (ran.drill["faults"][0]["undo"], ran.drill["faults"][0]["switch"]) == ("gone", "disarmed")
    assert wanted(switch_plays(ran))[-1] == "disarmed"


def test_a_setting_that_is_misspelt_starts_nothing(guarded: Mini) -> None:
    guarded.replace("inventories/hosts.yml", f"{{after: {NEVER_S}}}", "{afer: 60}")
    ran = guarded.pytest()
    assert ran.status == 13, ran.output
    assert "drillbook_dead_man_switch.afer" in ran.output
    assert 'did you mean "after"?' in ran.output
    assert not guarded.broken
