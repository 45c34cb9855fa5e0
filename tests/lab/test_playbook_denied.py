"""What Ansible shows of a failure that a task denies, and of check mode where nobody says when a task begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.target.ansible.result import TaskStatus

from .test_playbook_real import Repository

pytestmark = pytest.mark.lab

DENIED = """\
- hosts: web-1
  gather_facts: false
  tasks:
    - name: A command
      ansible.builtin.command: "false"
      failed_when: false
    - name: A module
      ansible.builtin.file: {path: /nowhere/at/all, state: file}
      failed_when: 1 == 2
    - name: An item
      ansible.builtin.command: "{{ item }}"
      failed_when: false
      loop: ["true", "false"]
    - name: It did not fail
      ansible.builtin.command: "true"
      failed_when: false
    - name: It only looks
      ansible.builtin.command: "false"
      failed_when: false
      changed_when: false
    - name: It says which failures are none
      ansible.builtin.shell: exit 3
      register: it
      failed_when: it.rc not in [0, 3]
    - name: It holds whatever is so
      ansible.builtin.assert: {that: true}
"""
FREE = """\
- hosts: web-1
  strategy: ansible.builtin.free
  gather_facts: false
  tasks:
    - name: A task
      ansible.builtin.copy: {content: x, dest: "{{ playbook_dir }}/x", mode: "0600"}
      check_mode: true
      notify: A handler
    - name: Not in check mode
      ansible.builtin.debug: {msg: "\\nTASK [x] [CHECK MODE] ***"}
  handlers:
    - name: A handler
      ansible.builtin.copy: {content: y, dest: "{{ playbook_dir }}/x", mode: "0600"}
      check_mode: true
"""


def test_a_failure_that_a_task_denies(tmp_path: Path) -> None:
    result = Repository(tmp_path).run(DENIED)
    assert result.successful, "for Ansible"
    denied = [task for task in result.tasks if task.status is TaskStatus.DENIED]
    assert [task.task for task in denied] == ["A command", "A module", "An item"]
    assert "non-zero return code" in denied[0].message
    assert "is absent, cannot continue" in denied[1].message
    assert "item 'false'" in denied[2].message
    assert [sentence.partition(":")[0] for sentence in result.unsaid()] == [
        "Failed, and denied by a failed_when that looks at nothing"
    ] * 3
    assert [task.task for task in result.tasks if task.vacuous] == ["It holds whatever is so"]


def test_check_mode_is_seen_whatever_is_shown(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(
        "ansible.cfg",
        "[defaults]\ncheck_mode_markers = false\ndisplay_ok_hosts = false\ndisplay_skipped_hosts = false\n",
    )
    result = repository.run(FREE)
    assert [task.task for task in result.tasks if task.check_mode] == ["A task", "A handler"]
