"""What a play leaves on a host that is not this machine is ended there, by the connection of Ansible to it: ssh."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.playbooks import Playbooks
from drillbook.target.ansible.result import PlayResult
from drillbook_lab.base.poll import until
from tests.support.sshd import NEEDS_SSHD, sshd

pytestmark = [pytest.mark.ssh, NEEDS_SSHD]

PLAY = """\
- name: It leaves two things
  hosts: all
  gather_facts: false
  tasks:
    - name: A job
      ansible.builtin.command: sleep 4321.5
      async: 600
      poll: 0
    - name: And a task
      ansible.builtin.command: sleep 4321.25
"""


def sleeping() -> set[str]:
    lines = (" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    return {line for line in lines if line.startswith("sleep 4321.")}


def ended(root: Path, host: Mapping[str, object]) -> PlayResult:
    """The play on a host, ended once it has started both."""
    known = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", **host}
    (root / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"web": known}}}))
    (root / "play.yml").write_text(PLAY)
    cancel = threading.Event()

    def when_both_run() -> None:
        until(lambda: len(sleeping()) == 2, what="both run", within_s=60, every_s=0.05)
        cancel.set()

    watching = threading.Thread(target=when_both_run)
    watching.start()
    playbooks = Playbooks(root, root / "hosts.yml", {}, Redactor())
    result = playbooks.run(Path("play.yml"), cancel=cancel, timeout_s=90)
    watching.join()
    assert result.status == "canceled"
    return result


def test_a_job_and_a_task_of_a_play_over_ssh_that_was_ended(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd") as server:
        result = ended(tmp_path, server.inventory())
    assert "what the play may have left running on web was ended" in result.warnings
    until(lambda: not sleeping(), what="the end of both", within_s=10, every_s=0.02)


def test_a_host_without_ps_is_said_to_be_one_on_which_nothing_could_be_ended(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "env", "sleep", "mkdir", "chmod", "rm", "dd", "sort", "awk", "grep"):
        (programs / name).symlink_to(str(shutil.which(name)))
    # the shell of whoever logs in may set a PATH of its own before this does
    without = f'env -i HOME={tmp_path} PATH={programs} sh -c "$SSH_ORIGINAL_COMMAND"'
    with sshd(tmp_path / "sshd", without) as server:
        result = ended(tmp_path, server.inventory() | {"ansible_ssh_transfer_method": "piped"})
    try:
        (told,) = [each for each in result.warnings if "could not be ended" in each]
        assert told.startswith("what the play may have left running on web could not be ended: ")
        assert "its processes cannot be listed: that takes ps" in told
        assert sleeping()
    finally:
        wake()


def test_what_came_through_a_pipe_is_said_to_be_what_nobody_can_look_for(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd") as server:
        result = ended(tmp_path, server.inventory() | {"ansible_pipelining": True})
    wake()
    assert any("on web could not be looked for: nothing of it stands on a" in each for each in result.warnings)


def wake() -> None:
    """End what a test has left."""
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or ()) in sleeping():
            process.kill()
