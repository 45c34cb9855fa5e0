"""What a play has begun and not finished is said, and nothing of it goes on, however the play ended."""
# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from drillbook.target.ansible.result import TaskStatus

from .support import sleeping
from .test_playbook_real import Repository, warm_or_cold

pytestmark = pytest.mark.lab

HANGS = """\
- hosts: web-1
  gather_facts: false
  tasks:
    - name: A service is started
      ansible.builtin.shell: setsid sleep {service} < /dev/null > /dev/null 2>&1 &
    - name: It hangs
      ansible.builtin.shell: |
        trap '' TERM INT HUP
        sleep {hang}; touch {fired}
{more}
"""


class Hanging:
    """A play whose second task hangs, until something of it is killed."""

    def __init__(self, repository: Repository, number: int, more: str = "") -> None:
        own = f"{number}.{os.getpid()}"  # seconds that no other process sleeps
        self.hang, self.service = f"52{own}", f"62{own}"
        self.text = HANGS.format(hang=self.hang, service=self.service, fired=repository.root / "fired", more=more)

    def kill(self, which: Callable[[psutil.Process], psutil.Process]) -> None:
        """In a thread: once it hangs, SIGKILL to one of the processes above."""

        def work() -> None:
            while not sleeping(self.hang):
                threading.Event().wait(0.02)
            which(sleeping(self.hang)[0]).kill()

        threading.Thread(target=work, daemon=True).start()

    def assert_that_only_the_service_is_left(self) -> None:
        services = sleeping(self.service)
        for each in services:
            each.kill()
        assert sleeping(self.hang) == []
        assert len(services) == 1


def worker(process: psutil.Process) -> psutil.Process:
    """The process of Ansible that waits for the module; of a warm one a fork of the server."""
    mark = process.environ()["DRILLBOOK_TASK"]
    marked = [each for each in psutil.process_iter() if mark in _marks(each)]
    found: psutil.Process
    (found,) = {each.parent() for each in marked if each.parent() not in marked and _is_worker(each.parent())}
    return found


def _marks(process: psutil.Process) -> list[str]:
    try:
        return [process.environ().get("DRILLBOOK_TASK", "")]
    except psutil.Error:
        return []


def _is_worker(process: psutil.Process | None) -> bool:
    return process is not None and any(word.endswith("ansible-playbook") for word in process.cmdline())


def play(process: psutil.Process) -> psutil.Process:
    """ansible-playbook itself, whose fork the worker is."""
    found: psutil.Process | None = worker(process).parent()
    assert found is not None
    return found


def module(process: psutil.Process) -> psutil.Process:
    """The Python that runs the module, which has started a shell that has started this."""
    shell: psutil.Process | None = process.parent()
    assert shell is not None
    found: psutil.Process | None = shell.parent()
    assert found is not None
    return found


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("which", [worker, play, module], ids=lambda each: each.__name__)
def test_a_killed_process_of_a_play_leaves_no_other(
    tmp_path: Path, which: Callable[[psutil.Process], psutil.Process], *, warm: bool
) -> None:
    with warm_or_cold(tmp_path, warm=warm) as repository:
        hanging = Hanging(repository, 1 + warm)
        hanging.kill(which)
        result = repository.run(hanging.text)
        hanging.assert_that_only_the_service_is_left()
    assert not result.successful
    assert result.touched == ("web-1",)
    status = TaskStatus.FAILED if which is module else TaskStatus.UNFINISHED
    assert result.last_tasks["web-1"].status is status
    assert not (tmp_path / "fired").exists()


def test_what_took_too_long_for_its_task_is_ended(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    hanging = Hanging(repository, 3, "      timeout: 1")
    result = repository.run(hanging.text)
    hanging.assert_that_only_the_service_is_left()
    assert result.last_tasks["web-1"].status is TaskStatus.FAILED


# a folder that is named: Ansible looks for "~" once in HOME and once in the home that the system has for the user
JOBS = """\
- hosts: web
  gather_facts: false
  vars: {{ansible_async_dir: "{jobs}"}}
  tasks:
    - name: Nobody waits for it
      ansible.builtin.command: sleep {hang}
      async: 600
      poll: 0
      when: inventory_hostname == "web-2"
    - name: Nobody waits for one of two
      ansible.builtin.command: sleep {{{{ item }}}}
      async: 600
      poll: 0
      loop: ["0", "{hang}"]
      register: two
      when: inventory_hostname == "web-1"
    - name: One of them is waited for
      ansible.builtin.async_status: {{jid: "{{{{ two.results[0].ansible_job_id }}}}"}}
      register: first
      until: first is finished and first is success  # a busy machine has not written the job down yet
      retries: 1200
      delay: 0.1
      when: inventory_hostname == "web-1"
    - name: It is waited for by another task
      ansible.builtin.command: "true"
      async: 600
      poll: 0
      no_log: true
      register: hidden
    - name: And has ended
      ansible.builtin.async_status: {{jid: "{{{{ hidden.ansible_job_id }}}}"}}
      register: end
      until: end is finished and end is success
      retries: 1200
      delay: 0.1
    - name: It waits itself
      ansible.builtin.command: "true"
      async: 600
      poll: 1
    - name: It is looked for in another folder
      ansible.builtin.command: sleep {hang}
      async: 600
      poll: 0
      register: lost
      when: inventory_hostname == "web-1"
    - name: And is not there
      ansible.builtin.async_status: {{jid: "{{{{ lost.ansible_job_id }}}}"}}
      vars: {{ansible_async_dir: "{jobs}-of-others"}}
      register: end
      failed_when: end.msg != "could not find job"
      when: inventory_hostname == "web-1"
    - name: Its file is removed
      ansible.builtin.command: sleep {hang}
      async: 600
      poll: 0
      register: removed
      when: inventory_hostname == "web-1"
    - name: It is removed
      ansible.builtin.async_status: {{jid: "{{{{ removed.ansible_job_id }}}}", mode: cleanup}}
      when: inventory_hostname == "web-1"
    - name: It is asked once
      ansible.builtin.command: sleep {hang}
      async: "{{{{ 300 + 300 }}}}"
      poll: "{{{{ 0 }}}}"
      register: once
      when: inventory_hostname == "web-1"
    - name: And goes on
      ansible.builtin.async_status: {{jid: "{{{{ once.ansible_job_id }}}}"}}
      register: end
      failed_when: end is finished
      when: inventory_hostname == "web-1"
      notify: A handler goes on
    - name: Something changes
      ansible.builtin.command: "true"
      when: inventory_hostname == "web-1"
      notify: A handler goes on
    - name: Nobody sees that it fails
      ansible.builtin.command: "false"
      async: 600
      poll: 0
      no_log: true
  handlers:
    - name: A handler goes on
      ansible.builtin.command: sleep {hang}
      async: 600
      poll: 0
"""


CHANGES = """\
- hosts: web-1
  gather_facts: false
  vars: {{ansible_async_dir: "{jobs}"}}
  tasks:
    - name: It is started
      ansible.builtin.command: {{cmd: "true", creates: "{there}"}}
      async: 600
      poll: 0
      register: it
    - name: It is waited for
      ansible.builtin.async_status: {{jid: "{{{{ it.ansible_job_id }}}}"}}
      register: end
      until: end is finished and end is success
      retries: 1200
      delay: 0.1
    - name: It waits itself
      ansible.builtin.command: {{cmd: "true", creates: "{there}"}}
      async: 600
      poll: 1
"""


@pytest.mark.parametrize(("there", "changed"), [(".", []), ("nowhere", ["It is waited for", "It waits itself"])])
def test_a_job_has_changed_what_it_says_at_its_end(tmp_path: Path, there: str, changed: list[str]) -> None:
    result = Repository(tmp_path).run(CHANGES.format(jobs=tmp_path / "jobs", there=tmp_path / there))
    assert result.successful, (result.status, result.unsaid())
    assert [task.task for task in result.tasks if task.changed] == changed
    assert result.changed is bool(changed)


def test_a_job_that_nobody_waited_for_is_said_and_ended(tmp_path: Path) -> None:
    hang = f"724.{os.getpid()}"
    result = Repository(tmp_path).run(JOBS.format(hang=hang, jobs=tmp_path / "jobs"))
    assert result.successful, (result.status, result.unsaid())
    unfinished = [(task.task, task.host) for task in result.tasks if task.status is TaskStatus.UNFINISHED]
    assert sorted(unfinished) == [
        ("A handler goes on", "web-1"),
        ("It is asked once", "web-1"),
        ("It is looked for in another folder", "web-1"),
        ("Its file is removed", "web-1"),
        ("Nobody sees that it fails", "web-1"),
        ("Nobody sees that it fails", "web-2"),
        ("Nobody waits for it", "web-2"),
        ("Nobody waits for one of two", "web-1"),
    ]
    assert all("nobody waited for its end: wait for it with async_status" in said for said in result.unsaid())
    assert result.why_not_clean() is not None
    assert sleeping(hang) == []
