"""What is seen of a failure that a task denies, of check mode and of an empty assertion, however they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.target.ansible.result import TaskStatus

from .test_playbook_real import Repository, warm_or_cold

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
    - name: It cannot fail
      ansible.builtin.assert: {that: true}
"""
OWN_MODULE = """\
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(failed=True, msg="it says so itself, and raises nothing")
"""
DENIED_OTHERWISE = """\
- hosts: web-1
  gather_facts: false
  vars: {never: false, ansible_async_dir: "{{ playbook_dir }}/async"}
  tasks:
    - name: An assertion
      ansible.builtin.assert: {that: inventory_hostname == "another"}
      failed_when: false
    - name: A quiet one that is hidden
      ansible.builtin.assert: {that: inventory_hostname == "another", quiet: true}
      no_log: true
      failed_when: false
    - name: One that only looks
      ansible.builtin.assert: {that: inventory_hostname == "another"}
      changed_when: false
      failed_when: false
    - name: One that is judged by a variable
      ansible.builtin.assert: {that: inventory_hostname == "another"}
      failed_when: never
    - name: One item
      ansible.builtin.assert: {that: item == 1}
      loop: [1, 2]
      failed_when: false
    - name: A hidden command
      ansible.builtin.command: "false"
      no_log: true
      failed_when: false
    - name: A module of our own
      our_module:
      failed_when: false
    - name: An action that only fails
      ansible.builtin.fail: {msg: on purpose}
      failed_when: false
    - name: A job that is waited for
      ansible.builtin.command: "false"
      async: 60
      poll: 1
      failed_when: false
    - name: Its second try is good
      ansible.builtin.shell: test -e second || { touch second; false; }
      args: {chdir: "{{ playbook_dir }}"}
      retries: 2
      delay: 0
      failed_when: false
      register: it
      until: it.rc == 0
    - name: It holds
      ansible.builtin.assert: {that: inventory_hostname == "web-1"}
      failed_when: false
    - name: A command that is judged by a variable
      ansible.builtin.command: "false"
      failed_when: never
    - name: A command that is judged by its host
      ansible.builtin.command: "false"
      failed_when: [false, inventory_hostname == "another"]
      register: it
    - name: A command that is judged by an earlier one
      ansible.builtin.command: "false"
      failed_when: it.rc == 7
      register: another
    - name: An action that only fails and says that it looks
      ansible.builtin.fail: {msg: on purpose}
      changed_when: false
      failed_when: false
    - name: A module that changes things and says that it looks
      ansible.builtin.file: {path: /nowhere/at/all, state: file}
      changed_when: false
      failed_when: false
    - name: Its tries ran out
      ansible.builtin.command: "true"
      register: it
      until: it.rc == 7
      retries: 1
      delay: 0
      changed_when: false
      failed_when: it.rc == 3
    - name: Those of one item ran out
      ansible.builtin.command: "{{ item }}"
      register: it
      until: it.rc == 0
      retries: 1
      delay: 0
      loop: ["true", "false"]
      changed_when: false
      failed_when: it.rc not in [0, 1]
    - name: Its until is never asked
      ansible.builtin.command: "true"
      register: it
      until: it.rc == 7
      retries: "{{ never | int }}"
      changed_when: false
    - name: A command whose failed_when cannot be true
      ansible.builtin.command: "false"
      register: it
      failed_when: it.rc == 1 and false
    - name: One of a list that cannot be true
      ansible.builtin.command: "false"
      register: it
      failed_when: [it.rc == 1, never]
    - name: A command that asks whether it has registered
      ansible.builtin.command: "false"
      register: it
      failed_when: it is not defined
    - name: Nor that of a task that is skipped
      ansible.builtin.command: "true"
      register: it
      until: it.rc == 7
      retries: 0
      when: never
    - name: A module that looks
      ansible.builtin.slurp: {src: /nowhere/at/all}
      changed_when: false
      failed_when: false
"""


def test_a_failure_is_seen_by_what_the_module_found(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("playbooks/library/our_module.py", OWN_MODULE)
    result = repository.run(DENIED_OTHERWISE)
    assert result.successful, "for Ansible"
    assert {task.task: task.status for task in result.tasks if task.status is not TaskStatus.DENIED} == {
        "Its second try is good": TaskStatus.CHANGED,
        "It holds": TaskStatus.OK,
        "Nor that of a task that is skipped": TaskStatus.SKIPPED,
        "A module that looks": TaskStatus.OK,
    }
    assert len(result.tasks) == 24
    said = {task.task: task.message for task in result.tasks}
    assert said["An assertion"] == "Assertion failed"
    assert "no_log" in said["A hidden command"]
    assert said["One item"] == "item 2: Assertion failed"
    assert said["Its tries ran out"] == "its until did not come true in any of its retries"


EMPTY = """\
- hosts: web-1
  gather_facts: false
  vars: {so: true, further: "{{ so }}", flag: "{{ playbook_dir }}/play.yml"}
  module_defaults:
    ansible.builtin.assert: {that: 1 == 1, quiet: true}
  tasks:
    - name: args
      ansible.builtin.assert:
      args: {that: true}
    - name: action
      action: ansible.builtin.assert that=true
    - name: action with a module
      action: {module: assert, that: [true, "1 == 1"]}
    - name: local_action
      local_action: {module: ansible.legacy.assert, that: "{{ true }}"}
    - name: key and value
      assert: that=true
    - name: merged
      <<: {ansible.builtin.assert: {that: true}}
    - name: defaults
      ansible.builtin.assert:
    - name: item
      ansible.builtin.assert: {that: true}
      loop: [1]
    - name: an empty variable
      ansible.builtin.assert: {that: "{{ nothing }}"}
      vars: {nothing: []}
    - name: a filter
      ansible.builtin.assert: {that: "[true] | map('bool') | first"}
    - name: a variable of the play
      ansible.builtin.assert: {that: further}
    - name: a variable of the task
      ansible.builtin.assert: {that: mine == 1}
      vars: {mine: 1}
    - name: a variable of the inventory
      ansible.builtin.assert: {that: [ansible_playbook_python is defined, "'web-1' in groups.web"]}
    - name: a variable that is nowhere
      ansible.builtin.assert: {that: nowhere | default(true)}
    - name: a literal item
      ansible.builtin.assert: {that: item == 1}
      loop: [1]
    - ansible.builtin.set_fact: {made: true, again: "{{ further }}"}
    - name: a fact that was made of a literal
      ansible.builtin.assert: {that: made and again}
    - ansible.builtin.debug: {msg: x}
      register: printed
    - name: what is only printed
      ansible.builtin.assert: {that: [printed is succeeded, printed.msg == "x"]}
    - ansible.builtin.command: "true"
      register: it
      loop: [1, 2]
    - name: or true
      ansible.builtin.assert: {that: it is changed or so}
    - name: is defined
      ansible.builtin.assert: {that: it is defined}
    - name: itself
      ansible.builtin.assert: {that: it == it}
    - ansible.builtin.include_tasks: of_an_item.yml
      vars: {called: an item of an include}
      loop: [true]
    - ansible.builtin.set_fact: {found: "{{ it.results[0].rc }}"}
    - name: looks
      action: {module: assert, that: [true, it is changed]}
    - name: looks at a list
      ansible.builtin.assert: {that: "{{ conditions }}"}
      vars: {conditions: [it is changed]}
    - name: looks with a variable
      ansible.builtin.assert: {that: looked == 0}
      vars: {looked: "{{ it.results[1].rc }}"}
    - name: looks at a fact
      ansible.builtin.assert: {that: found == 0}
    - name: looks at items
      ansible.builtin.assert: {that: item.rc == 0}
      loop: "{{ it.results }}"
    - name: looks at a file
      ansible.builtin.assert: {that: flag is exists}
    - name: looks elsewhere
      ansible.builtin.assert: {that: "lookup('ansible.builtin.pipe', 'true') == ''"}
    - name: looks at another host
      ansible.builtin.assert: {that: "hostvars['web-1'].it is changed"}
    - ansible.builtin.include_tasks: of_an_item.yml
      vars: {called: looks at an item of an include}
      loop: "{{ it.results }}"
    - ansible.builtin.setup: {gather_subset: [min]}
    - name: looks at what was gathered
      ansible.builtin.assert: {that: [ansible_facts.system == "Linux", ansible_system == "Linux"]}
    - name: is no assertion
      ansible.builtin.debug: {msg: "that: true"}
"""


def test_an_assertion_of_nothing_is_known_however_it_is_written(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(
        "playbooks/of_an_item.yml",
        "- {name: '{{ called }}', ansible.builtin.assert: {that: item.rc | default(0) == 0}}",
    )
    result = repository.run(EMPTY)
    assert result.unsaid() == ()
    asserted = [task for task in result.tasks if task.action.endswith("assert")]
    assert [task.task for task in asserted if task.vacuous == task.task.startswith("looks")] == []
    assert len(asserted) == 32
    assert not any(task.vacuous for task in result.tasks if task not in asserted)


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
    assert [sentence.partition(":")[0] for sentence in result.unsaid()] == ["Failed, and denied by its failed_when"] * 3
    assert [task.task for task in result.tasks if task.vacuous] == ["It cannot fail"]


def test_check_mode_is_seen_whatever_is_shown(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(
        "ansible.cfg",
        "[defaults]\ncheck_mode_markers = false\ndisplay_ok_hosts = false\ndisplay_skipped_hosts = false\n",
    )
    result = repository.run(FREE)
    assert [task.task for task in result.tasks if task.check_mode] == ["A task", "A handler"]


CHECKED = """\
- hosts: web-1
  gather_facts: false
  vars: {yes_please: true, no_thanks: false}
  tasks:
    - name: "A name of\\ntwo lines"
      ansible.builtin.command: "true"
      check_mode: true
    - name: A template that comes out false
      ansible.builtin.command: "true"
      check_mode: "{{ no_thanks }}"
    - name: A template that comes out true
      ansible.builtin.command: "true"
      check_mode: "{{ yes_please }}"
    - name: One item of two
      ansible.builtin.command: "true"
      check_mode: "{{ item }}"
      loop: [false, true]
    - name: A block
      check_mode: true
      block:
        - name: "[x] *** [y]"
          ansible.builtin.command: "true"
        - name: Not in check mode
          ansible.builtin.command: "true"
          check_mode: false
        - name: Skipped
          ansible.builtin.command: "true"
          when: no_thanks
    - ansible.builtin.include_tasks: {file: more.yml, apply: {check_mode: true}}
      vars: {called: Of an include that applies it}
    - ansible.builtin.import_role: {name: of_ours}
      check_mode: true
    - name: On another host
      ansible.builtin.command: "true"
      delegate_to: web-2
      check_mode: true
"""


@pytest.mark.parametrize("warm", [False, True])
def test_check_mode_is_what_the_task_came_out_with(tmp_path: Path, *, warm: bool) -> None:
    with warm_or_cold(tmp_path, warm=warm) as repository:
        repository.write("playbooks/more.yml", "- {name: '{{ called }}', ansible.builtin.command: 'true'}\n")
        repository.write(
            "playbooks/roles/of_ours/tasks/main.yml", "- {name: Of a role, ansible.builtin.command: 'true'}\n"
        )
        result = repository.run(CHECKED)
    assert result.warm is warm
    assert [task.task for task in result.tasks if task.check_mode] == [
        "A name of\ntwo lines",
        "A template that comes out true",
        "One item of two",
        "[x] *** [y]",
        "Of an include that applies it",
        "Of a role",
        "On another host",
    ]
