"""The role `service` on a real pm2: each state, twice, and a name that pm2 does not know."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .support import Plays, recap, said

pytestmark = pytest.mark.lab

PM2 = "7.0.4"
PLAY = """
- hosts: web-1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: service, tasks_from: "{{ part | default('main') }}"}
"""


class Managed:
    """A program under a pm2 of its own, and the role on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plays = Plays(folder)
        self._pm2 = folder / "node_modules" / ".bin" / "pm2"
        self._env = {**os.environ, "PM2_HOME": str(folder / "home")}
        (folder / "play.yml").write_text(PLAY)
        (folder / "app.mjs").write_text("setInterval(() => {}, 1000);\n")

    def pm2(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._pm2), *arguments], cwd=self.folder, env=self._env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def close(self) -> None:
        self._plays.close()

    def pid(self) -> int:
        return int(self.pm2("pid", "web-1").split()[-1])

    def role(self, **variables: Any) -> tuple[bool, bool, str]:
        """Whether it ended well, whether it changed something, and what it said."""
        given = {
            "drillbook_service_manager": "pm2",
            "drillbook_pm2": str(self._pm2),
            "drillbook_pm2_home": str(self.folder / "home"),
            **variables,
        }
        events = self._plays.run(self.folder / "play.yml", **given)
        return *recap(events), said(events)


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine: pm2 cannot be installed")
    folder = tmp_path_factory.mktemp("pm2")
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": {"pm2": PM2}}))
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"pm2 cannot be installed here: {done.stderr[-300:]}")
    found = Managed(folder)
    try:
        found.pm2("start", "app.mjs", "--name", "web-1")
        yield found
    finally:
        # ends the daemon and what it manages; nothing of it is left
        found.pm2("kill")
        found.close()


def test_a_service_is_stopped_and_started_once(managed: Managed) -> None:
    managed.role(service_state="started")
    assert managed.role(service_state="stopped")[:2] == (True, True)
    assert managed.pid() == 0
    assert managed.role(service_state="stopped")[:2] == (True, False)
    well, _, said = managed.role(part="running", service_patience_s=1)
    assert not well, "a service that is stopped is not up"
    assert "The state of the service is read" in said
    assert managed.role(service_state="started")[:2] == (True, True)
    assert managed.role(service_state="started")[:2] == (True, False)
    assert managed.role(part="running")[:2] == (True, False)


def test_a_service_is_restarted_and_killed(managed: Managed) -> None:
    managed.role(service_state="started")
    first = managed.pid()
    assert managed.role(service_state="restarted")[:2] == (True, True)
    second = managed.pid()
    assert second not in (0, first)
    assert managed.role(service_state="killed")[:2] == (True, True)
    # pm2 brings it up by itself
    assert managed.role(part="running")[:2] == (True, False)
    assert managed.pid() not in (0, second)


def test_a_service_that_pm2_does_not_know_is_a_failure(managed: Managed) -> None:
    for state in ("started", "stopped", "killed", "restarted"):
        well, changed, _ = managed.role(service_state=state, drillbook_service="nobody")
        assert (well, changed) == (False, False), state


def test_a_service_that_pm2_does_not_know_yet_is_started_from_its_file(managed: Managed) -> None:
    apps = [{"name": name, "script": "app.mjs", "pmx": False} for name in ("web-2", "web-3")]
    file = managed.folder / "ecosystem.config.cjs"
    file.write_text(f"module.exports = {json.dumps({'apps': apps})};\n")
    known = {"drillbook_service": "web-2", "drillbook_pm2_file": str(file)}
    assert managed.role(service_state="stopped", **known)[:2] == (True, False)
    assert managed.role(part="stopped", **known)[0]
    assert managed.role(service_state="started", **known)[:2] == (True, True)
    assert managed.role(service_state="started", **known)[:2] == (True, False)
    assert managed.role(part="running", **known)[0]
    assert managed.role(service_state="stopped", **known)[:2] == (True, True)
    # the other one of the file was not started
    assert managed.pm2("pid", "web-3").split() == []


def test_a_service_is_frozen_and_goes_on(managed: Managed) -> None:
    managed.role(service_state="started")
    for frozen in (True, False):
        assert managed.role(part="frozen", service_frozen=frozen)[:2] == (True, True)
        assert managed.role(part="frozen", service_frozen=frozen)[:2] == (True, False)
        state = Path(f"/proc/{managed.pid()}/stat").read_text().rpartition(")")[2].split()[0]
        assert (state == "T") is frozen
