"""The cost of a playbook of 1, 5 and 20 tasks, by ansible-playbook, ansible-runner and Drillbook, cold and warm."""

from __future__ import annotations

import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ssh
from common import PEERS, Table, in_turns, timed
from repository import HOSTS, playbook

from drillbook.target.ansible.run import run_ansible
from drillbook.target.ansible.warm.client import Warm

TASKS = (1, 5, 20)
_RUNNER = """\
import sys, ansible_runner
ran = ansible_runner.run(private_data_dir=sys.argv[1], playbook=sys.argv[2], inventory=sys.argv[3], quiet=True)
sys.exit(ran.rc)
"""


def plays(runs: int) -> Table:
    """Run each playbook each way, in turns, on this machine itself and over ssh to it."""
    table = Table("The cost of a playbook", "make bench PARTS=plays", ("tasks", *map(str, TASKS), "s by task"))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        paths = {count: playbook(root / f"play{count}.yml", count) for count in TASKS}
        table.rows += _rows(runs, "local", HOSTS, root, paths)
        sshd = ssh.program()
        if sshd is None:
            table.notes.append("Over ssh: not run, there is no sshd here (on Debian: the package openssh-server).")
        else:
            with ssh.server(root, sshd) as line:
                table.rows += _rows(runs, "ssh", line, root, paths)
            table.notes.append(
                "Over ssh: OpenSSH's server on loopback, with a key, connections kept by ControlPersist."
            )
    return table


def _rows(runs: int, where: str, inventory: str, root: Path, paths: Mapping[int, Path]) -> list[Sequence[str]]:
    reasons: list[str] = []
    hosts = root / f"{where}.ini"
    hosts.write_text(inventory)
    warm = Warm(root, (), Path(sysconfig.get_path("scripts")) / "ansible-playbook", reasons.append)
    try:
        _ours(paths[1], hosts, root, warm)()
        ways: dict[str, Callable[[], float]] = {}
        for count, path in paths.items():
            ways |= {
                f"ansible-playbook {count}": _raw(path, hosts, root),
                f"ansible-runner {count}": _runner(path, hosts, root),
                f"Drillbook, cold {count}": _ours(path, hosts, root, None),
                f"Drillbook, warm {count}": _ours(path, hosts, root, warm),
            }
        times = in_turns(runs, ways)
    finally:
        warm.close()
    if reasons:
        raise SystemExit(reasons[0])
    rows = []
    for who in ("ansible-playbook", "ansible-runner", "Drillbook, cold", "Drillbook, warm"):
        each = [times[f"{who} {count}"] for count in TASKS]
        slope = (each[-1] - each[0]) / (TASKS[-1] - TASKS[0])
        rows.append((f"{where}: {who}", *(f"{took:.2f}" for took in each), f"{slope:.2f}"))
    return rows


def _raw(path: Path, hosts: Path, root: Path) -> Callable[[], float]:
    command = (PEERS / "ansible-playbook", "-i", hosts, path)
    return lambda: timed(command, root, env={"ANSIBLE_LOCALHOST_WARNING": "False"}).wall_s


def _runner(path: Path, hosts: Path, root: Path) -> Callable[[], float]:
    def run() -> float:
        with tempfile.TemporaryDirectory() as private:
            command = (PEERS / "python", "-c", _RUNNER, private, path, hosts)
            return timed(command, root, env={"PATH": f"{PEERS}:/usr/local/bin:/usr/bin:/bin"}).wall_s

    return run


def _ours(path: Path, hosts: Path, root: Path, warm: Warm | None) -> Callable[[], float]:
    def run() -> float:
        began_s = time.monotonic()
        ended = run_ansible(path, hosts, root=root, timeout_s=300, on_event=lambda _event: None, warm=warm)
        if ended.rc != 0 or ended.warm is not (warm is not None):
            raise SystemExit(f"{path.name} ended with {ended.rc}, warm: {ended.warm}")
        return time.monotonic() - began_s

    return run
