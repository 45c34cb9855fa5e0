"""Handlers stand in the plan, wherever they are brought in from."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.repository.plan.handlers import handlers

pytestmark = pytest.mark.unit

PLAYBOOK = "playbooks/recovery/fix.yml"
PLAY = """
- name: Fixed
  hosts: all
  roles: [service]
  tasks:
    - name: It is configured
      ansible.builtin.command: "true"
      notify: Restarted
"""
OWN = """
  handlers:
    - name: Restarted
      ansible.builtin.command: "true"
    - ansible.builtin.command: "true"
      listen: topic
    - ansible.builtin.import_tasks: more.yml
"""


def files(root: Path, **texts: str) -> Path:
    for path, text in texts.items():
        file = root / path.replace("__", "/")
        file = file.with_name(f"{file.name}.yml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_those_of_a_play_and_of_the_files_that_it_imports(tmp_path: Path) -> None:
    more = "- name: Reloaded\n  ansible.builtin.command: 'true'\n- import_tasks: more.yml\n"
    files(tmp_path, playbooks__recovery__fix=PLAY + OWN, playbooks__recovery__more=more)
    found = handlers(tmp_path, PLAYBOOK)
    assert found == ("Restarted", "ansible.builtin.command", "Reloaded", "import_tasks"), "a file that imports itself"


def test_those_of_a_role(tmp_path: Path) -> None:
    files(
        tmp_path,
        playbooks__recovery__fix=PLAY,
        playbooks__roles__service__tasks__main="- name: Told\n  ansible.builtin.debug: {msg: told}\n",
        playbooks__roles__service__handlers__main="- name: The service is restarted\n  ansible.builtin.command: x\n",
        playbooks__roles__other__handlers__main="- name: Of nobody\n  ansible.builtin.command: x\n",
    )
    assert handlers(tmp_path, PLAYBOOK) == ("The service is restarted",)


def test_those_of_a_playbook_that_it_imports(tmp_path: Path) -> None:
    files(tmp_path, playbooks__recovery__fix="- import_playbook: other.yml\n", playbooks__recovery__other=PLAY + OWN)
    assert "Restarted" in handlers(tmp_path, PLAYBOOK)


@pytest.mark.parametrize("text", ["", "- name: x\n  hosts: all\n", "{", "a: b", "- hosts: all\n  handlers: none\n"])
def test_none(text: str, tmp_path: Path) -> None:
    assert handlers(files(tmp_path, playbooks__recovery__fix=text), PLAYBOOK) == ()
