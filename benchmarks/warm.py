"""How long a play takes on an Ansible that is already imported, and on one that it starts itself, as drills run it."""

from __future__ import annotations

import statistics
import sysconfig
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from common import Table

from drillbook.target.ansible.events import Event
from drillbook.target.ansible.run import run_ansible
from drillbook.target.ansible.warm.client import Warm

PLAYS = {
    "one debug": "    - ansible.builtin.debug: {msg: hello}\n",
    "one command": "    - ansible.builtin.command: 'true'\n",
    "five commands": "    - ansible.builtin.command: 'true'\n" * 5,
}
HOSTS = "web-1 ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"


def _run(root: Path, name: str, warm: Warm | None) -> tuple[float, float]:
    """The seconds to the first task, and for the whole run."""
    begins: list[float] = []

    def on_event(event: Event) -> None:
        if event["event"] == "playbook_on_task_start":
            begins.append(time.monotonic())

    started = time.monotonic()
    ended = run_ansible(
        root / f"{name}.yml", root / "hosts.ini", root=root, timeout_s=120, on_event=on_event, warm=warm
    )
    over = time.monotonic()
    if ended.rc != 0:
        raise SystemExit(f"the play '{name}' ended with {ended.rc}")
    return begins[0] - started, over - started


def warm(runs: int) -> Table:
    """Run each play each way, in turns. Nothing but Ansible runs, on this machine itself."""
    table = Table(
        "A play on an Ansible that is imported already",
        "make bench PARTS=warm",
        ("s", "first task, cold", "warm", "times", "whole, cold", "warm", "times"),
    )
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    reasons: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "hosts.ini").write_text(HOSTS)
        for name, tasks in PLAYS.items():
            (root / f"{name}.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
        began = time.monotonic()
        server = Warm(root, (), Path(sysconfig.get_path("scripts")) / "ansible-playbook", reasons.append)
        try:
            _run(root, "one debug", server)
            first = time.monotonic() - began
            for _ in range(runs):
                for name in PLAYS:
                    times[name, "cold"].append(_run(root, name, None))
                    times[name, "warm"].append(_run(root, name, server))
        finally:
            server.close()
    if reasons:
        raise SystemExit(reasons[0])
    for name in PLAYS:
        cells = [name]
        for part in (0, 1):
            cold, hot = (statistics.median(each[part] for each in times[name, way]) for way in ("cold", "warm"))
            cells += [f"{cold:.2f}", f"{hot:.3f}", f"{cold / hot:.1f}"]
        table.rows.append(cells)
    table.notes.append(
        "Through ansible-runner, both. A command is a module: cold it starts a Python, warm it is a fork of one. "
        f"The server's start with a first play took {first:.2f} s, once for a session and beside its collection."
    )
    return table
