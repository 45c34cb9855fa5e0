"""What a fault left on a host that its undo passed over is open for all who undo: drill, guardian and restore."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import Mini, left_over, wait_for

pytestmark = pytest.mark.lab

UNDO = "playbooks/faults/breakage/undo.yml"
PASSED_OVER = "proved nothing on web-2, which the fault changed"
TIMED_OUT = """\
import pytest
from drillbook.target.ansible.playbooks import Playbooks

run = Playbooks.run


def timed_out(self, playbook, *args, **options):
    if playbook.name == "undo.yml":
        pytest.fail("Timeout (>5.0s) from another plugin")
    return run(self, playbook, *args, **options)


Playbooks.run = timed_out
"""


def restore(mini: Mini) -> subprocess.CompletedProcess[str]:
    """`drillbook restore`."""
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore", "--inventory", "inventories"]
    return subprocess.run(
        command, cwd=mini.root, capture_output=True, text=True, check=False, env=mini.environment(), timeout=120
    )


def guardian_log(mini: Mini) -> str:
    return (mini.root / ".drillbook/guardian-mini.log").read_text()


def test_a_host_that_the_undo_passes_over_stays_open_for_all(mini: Mini) -> None:
    mini.short()
    mini.replace("inventories/hosts.yml", "    web-1:\n", "    web-1:\n    web-2:\n")
    text = (mini.root / UNDO).read_text()
    for module in ("file", "set_fact", "assert"):
        mini.replace(UNDO, f"      ansible.builtin.{module}:", f"      run_once: true\n      ansible.builtin.{module}:")
    mini.replace(
        "playbooks/faults/breakage/inject.yml",
        '{{ flag }}"',
        "{{ flag }}{{ '' if inventory_hostname == 'web-1' else '.2' }}\"",
    )
    ran = mini.pytest()
    assert ran.status == 12, ran.output
    assert ran.drill["outcome"] == "NOT_RESTORED"
    assert PASSED_OVER in ran.drill["reason"]
    assert {line["state"]: line["hosts"] for line in mini.journal() if line.get("hosts")} == {
        "planned": ["web-1", "web-2"],
        "injected": ["web-1", "web-2"],
    }
    assert "the guardian tries to put it back once this process has ended" in ran.output
    wait_for(lambda: len(left_over(mini.root)) == 1, "the guardian has ended", 120)
    assert PASSED_OVER in guardian_log(mini)
    again = restore(mini)
    assert again.returncode == 12, again.stdout + again.stderr
    assert f"NOT undone: breakage: the undo {UNDO} {PASSED_OVER}" in again.stdout
    (mini.root / UNDO).write_text(text)
    done = restore(mini)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_another_plugin_breaks_off_is_undone_by_the_guardian(mini: Mini) -> None:
    mini.short()
    (mini.root / "conftest.py").write_text(TIMED_OUT)
    ran = mini.pytest()
    assert ran.status == 12, ran.output
    assert "was interrupted (Failed: Timeout (>5.0s) from another plugin)" in ran.drill["reason"]
    wait_for(lambda: len(left_over(mini.root)) == 1, "the guardian has ended", 120)
    assert not mini.broken
    assert "undone: breakage" in guardian_log(mini)
    assert mini.journal()[-1]["state"] == "closed"
