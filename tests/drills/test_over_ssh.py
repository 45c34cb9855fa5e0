"""A drill on a host that is reached over ssh, as a user's are: by a real sshd, which may also go away in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sshd import NEEDS_SSHD, Sshd, sshd

from .conftest import Mini

pytestmark = [pytest.mark.ssh, NEEDS_SSHD]

LOOKS = """\


@then("the flag is there, seen from the host itself")
def flag(drill: Drill) -> None:
    (host,) = drill.hosts("web-1")
    drill.eventually(looked("the flag", lambda: host.file("{flag}").exists).is_(True), within=20)


@then("the host is gone")
def gone() -> None:
    import os, signal
    os.kill(int(open("sshd.pid").read()), signal.SIGTERM)
"""
STEPS = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 60 seconds the service is down",
    "And the flag is there, seen from the host itself",
    'When the recovery playbook "fix" is run',
    "Then within 60 seconds the service is up",
)


@pytest.fixture
def server(mini: Mini, tmp_path: Path) -> Iterator[Sshd]:
    """The sshd by which web-1 is reached."""
    steps = mini.root / "steps/web.py"
    steps.write_text(steps.read_text() + LOOKS.replace("{flag}", str(mini.root / "flag")))
    with sshd(tmp_path / "sshd") as server:
        words = " ".join(f"{name}: {json.dumps(value)}," for name, value in server.inventory().items())
        mini.replace("inventories/hosts.yml", "    web-1:\n", f"    web-1: {{{words.rstrip(',')}}}\n")
        yield server


def test_a_drill_breaks_looks_and_recovers_over_ssh(mini: Mini, server: Sshd) -> None:
    mini.feature(*STEPS)
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert not mini.broken


def test_a_host_that_goes_away_is_put_back_once_it_is_there_again(mini: Mini, server: Sshd) -> None:
    (mini.root / "sshd.pid").write_text(str(server.pid))
    mini.feature(*STEPS[:4], "And the host is gone", *STEPS[4:])
    ran = mini.pytest()
    assert ran.status == 12, ran.output
    assert ran.drill["outcome"] == "NOT_RESTORED"
    assert "web-1" in ran.drill["reason"]
    assert "drillbook restore" in ran.output
    assert mini.broken
    server.stop()
    server.start()
    restore = [sys.executable, "-m", "drillbook.commands.cli", "restore"]
    done = subprocess.run(restore, cwd=mini.root, env=mini.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not mini.broken
