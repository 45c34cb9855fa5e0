"""The syntax checks of `tox -e lint`, which are forks of one Ansible: what a process of its own says of a playbook."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible_lint import CHECK, Checks

pytestmark = pytest.mark.lab

GOOD = "- name: It is said\n  hosts: all\n  tasks: [{name: Told, ansible.builtin.debug: {msg: x}}]\n"
PLAYBOOKS = {
    "good.yml": (GOOD, 0),
    "no_module.yml": (GOOD.replace("debug", "no_such_module"), 4),
    "no_yaml.yml": ("- name: [\n", 4),
    "given.yml": (GOOD.replace("all", "'{{ victim }}'"), 0),
}


@pytest.fixture(scope="module")
def checks() -> Iterator[Checks]:
    checks = Checks()
    yield checks
    checks.close()


def said(run: Any, name: str, folder: Path, **more: str) -> tuple[int, str]:
    command = [*CHECK, str(folder / name), "--extra-vars", '{"victim": "all"}']
    env = dict(os.environ) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | more
    done = run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_fork_says_what_a_process_of_its_own_says(checks: Checks, tmp_path: Path) -> None:
    for name, (text, status) in PLAYBOOKS.items():
        (tmp_path / name).write_text(text)
        forked = said(checks.run, name, tmp_path)
        assert forked[0] == status, forked
        if name == "no_module.yml":
            assert forked == said(subprocess.run, name, tmp_path)


def test_with_another_environment_it_is_a_process_of_its_own(checks: Checks, tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(GOOD)
    assert said(checks.run, "good.yml", tmp_path)[0] == 0
    failing = {"ANSIBLE_INVENTORY": "/nowhere", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true"}
    assert said(checks.run, "good.yml", tmp_path, **failing)[0] != 0


def test_a_check_that_dies_has_not_passed(checks: Checks, tmp_path: Path) -> None:
    (tmp_path / "dies.yml").write_text(GOOD.replace("all", "\"{{ lookup('pipe', 'kill -9 $PPID') }}\""))
    assert said(checks.run, "dies.yml", tmp_path)[0] != 0
