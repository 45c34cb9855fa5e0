"""What tests of the lab share: Ansible as people run it, and processes that are known by how long they sleep."""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from drillbook_lab.lifecycle.supervision.processes import runs
from drillbook_lab.testing import RunningLab

ROOT = Path(__file__).parents[2]


def ansible(lab: RunningLab, home: Path, command: str, *arguments: str) -> str:
    """What a command of Ansible prints, with the modules and roles of this repository, on the lab."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name(command)),
            *arguments,
            *("-e", f"ansible_python_interpreter={sys.executable}"),
        ],
        env={
            **os.environ,
            "ANSIBLE_ROLES_PATH": str(ROOT / "playbooks/roles"),
            "ANSIBLE_LIBRARY": str(ROOT / "playbooks/library"),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "playbooks/module_utils"),
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "DRILLBOOK_LAB_STATE": str(lab.lab.state),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


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
