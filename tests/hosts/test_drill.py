"""A real drill on machines, with its controls: over ssh, by sudo and systemd, as on a user's staging."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .support import NEEDS_MACHINES, Machines

pytestmark = [pytest.mark.hosts, NEEDS_MACHINES]

DRILL = "features/database_outage.feature::The database dies"
OPTIONS = ("--inventory", "inventories/hosts", "-p", "no:hypothesispytest")


def test_a_drill_and_its_controls_are_proven_over_ssh(machines: Machines, tmp_path: Path) -> None:
    """A control is a twin of the drill: without its recovery, and without its fault, it must not pass."""
    done = machines.run("drillbook", "prove", DRILL, *OPTIONS, "--evidence", str(tmp_path), timeout_s=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the drill passed, 3 controls held" in done.stdout
    records = [json.loads(path.read_text()) for path in tmp_path.glob("*/content/drill.json")]
    assert {each["environment"]["name"] for each in records} == {machines.told["id"]}
    assert {each["outcome"] for each in records} == {"PASSED", "HELD"}
    assert machines.ssh("host-4", "systemctl is-active postgres") == "active"
