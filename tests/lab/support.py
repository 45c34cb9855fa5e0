"""What tests of the lab share: a warm Ansible with our modules, and processes that are known by how long they sleep."""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from drillbook.target.ansible.events import Event
from drillbook.target.ansible.run import run_ansible
from drillbook.target.ansible.warm.client import Warm
from drillbook_lab.lifecycle.supervision.processes import runs
from drillbook_lab.testing import RunningLab

ROOT = Path(__file__).parents[2]
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
"""Debian installs it where only root's PATH leads."""


class Plays:
    """Ansible with the modules and roles of this repository, on a lab if there is one; warm, as in a session of drills.

    That a play does the same warm and in a process of its own is shown by test_warm_equals_cold.py.
    """

    def __init__(self, folder: Path, lab: RunningLab | None = None) -> None:
        self._folder = folder
        self._cold: list[str] = []
        self._state = {"DRILLBOOK_LAB_STATE": str(lab.lab.state)} if lab else {}
        self.inventory = folder / "hosts.ini"
        self.inventory.write_text("""\
localhost
web-1
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
""")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._state.items():
                patch.setenv(name, value)
            self._warm = Warm(ROOT, (), Path(sys.executable).with_name("ansible-playbook"), self._cold.append)

    def run(self, playbook: Path, inventory: Path | None = None, **variables: object) -> list[Event]:
        """The events of a run, whatever became of it."""
        events: list[Event] = []
        run_ansible(
            playbook,
            inventory or self.inventory,
            root=ROOT,
            variables=variables,
            extra_env=self._state,
            timeout_s=120,
            on_event=events.append,
            warm=self._warm,
        )
        assert self._cold == []
        return events

    def module(self, name: str, **arguments: object) -> dict[str, Any]:
        """What a module answers; `failed` in it when it refuses."""
        play = self._folder / "module.yml"
        task = {"name": "The module", name: arguments, "ignore_errors": True}
        play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        events = self.run(play)
        answers = [
            each["event_data"]["res"] for each in events if each["event"] in {"runner_on_ok", "runner_on_failed"}
        ]
        assert len(answers) == 1, said(events)
        answer: dict[str, Any] = answers[0]
        return answer

    def close(self) -> None:
        self._warm.close()


def said(events: Sequence[Event]) -> str:
    """What Ansible has printed."""
    return "\n".join(str(event.get("stdout", "")) for event in events)


def recap(events: Sequence[Event]) -> tuple[bool, bool]:
    """Whether a run did something and none of it failed, and whether it changed something."""
    stats = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
    if not stats or not stats[-1]["ok"] or stats[-1]["failures"] or stats[-1]["dark"]:
        return False, any(each["changed"] for each in stats)
    return True, bool(stats[-1]["changed"])


def sleeping(seconds: str) -> list[psutil.Process]:
    """The processes that sleep so long."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline() == ["sleep", seconds]:
                found.append(process)
        except psutil.Error:
            continue
    return found


def assert_that_only_the_service_is_left(seen: Sequence[psutil.Process], hang: str, service: str) -> None:
    """Of a play that hung: what a finished task has started is the system's and goes on; it is killed here."""
    services = sleeping(service)
    for each in services:
        each.kill()
    assert [each for each in seen if each not in services and runs(each)] == []
    assert sleeping(hang) == []
    assert len(services) == 1
