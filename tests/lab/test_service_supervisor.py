"""The role `service` on a real supervisord that learns late of the end of what was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.unit import until

from .support import Plays, recap

pytestmark = pytest.mark.lab

CONF = """
[unix_http_server]
file=s
[supervisord]
logfile=log
pidfile=pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s
[program:web-1]
command=sleep 3600
startsecs=0
autorestart=false
"""
# Says that it has sent the signal, and sends it when the process was asked for twice since: it takes long to die.
LATE = """#!/bin/sh
cd {folder}
case "$3" in
signal) touch asked; echo "web-1: signalled";;
pid) if [ -e twice ]; then {ctl} -c conf signal KILL web-1 >/dev/null; fi; [ -e asked ] && touch twice; {ctl} "$@";;
*) exec {ctl} "$@";;
esac
"""
PLAY = """
- hosts: web-1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: service}
      vars: {service_state: killed}
    - ansible.builtin.include_role: {name: service}
      vars: {service_state: started}
    - ansible.builtin.assert: {that: service_answer is changed}
"""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With a supervisord that runs web-1. A short path: a socket's has 108 bytes."""
    folder = tmp_path_factory.mktemp("sv")
    bin_folder = Path(sys.executable).parent
    (folder / "conf").write_text(CONF.format(folder=folder))
    (folder / "ctl").write_text(LATE.format(folder=folder, ctl=bin_folder / "supervisorctl"))
    (folder / "ctl").chmod(0o700)
    (folder / "play.yml").write_text(PLAY)
    with subprocess.Popen([bin_folder / "supervisord", "-n", "-c", "conf"], cwd=folder) as supervisord:
        try:
            until(lambda: "RUNNING" in ask(folder, "status"), "web-1 that runs")
            yield folder
        finally:
            supervisord.terminate()


def ask(folder: Path, *verb: str) -> str:
    ctl = [str(Path(sys.executable).with_name("supervisorctl")), "-c", "conf", *verb]
    return subprocess.run(ctl, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_what_was_killed_is_started_by_whoever_comes_at_once(folder: Path) -> None:
    before = ask(folder, "pid", "web-1")
    plays = Plays(folder)
    known: dict[str, Any] = {"drillbook_supervisor_ctl": str(folder / "ctl"), "drillbook_supervisor_conf": "conf"}
    try:
        events = plays.run(folder / "play.yml", drillbook_service_manager="supervisor", **known)
    finally:
        plays.close()
    assert recap(events) == (True, True)
    assert ask(folder, "pid", "web-1").strip() not in ("0", before.strip())
