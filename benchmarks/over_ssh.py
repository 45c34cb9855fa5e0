"""Where time goes over ssh: playbooks of 1, 5 and 20 tasks to 1, 3 and 10 hosts, and looks of checks."""

from __future__ import annotations

import json
import resource
import shlex
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ssh
from common import OURS, Table, in_turns, timed
from repository import playbook

from drillbook.target.ansible.run import run_ansible
from drillbook.target.ansible.warm.client import Warm
from drillbook.target.inventory.hosts import look_at

TASKS, HOSTS = (1, 5, 20), (1, 3, 10)
_NO_PERSIST = "-C -o ControlMaster=no"
PLAIN = "ansible-playbook"
WAYS: Mapping[str, Mapping[str, str]] = {
    f"{PLAIN}, no ControlPersist": {"ANSIBLE_SSH_ARGS": _NO_PERSIST},
    PLAIN: {},
    f"{PLAIN}, pipelining": {"ANSIBLE_PIPELINING": "True"},
}
_LOOKS, _LOOKED_S = 100, 5.0


def over_ssh(runs: int) -> Table:
    """Run each playbook on each number of hosts, each way in turns."""
    shape = [(tasks, hosts) for hosts in HOSTS for tasks in TASKS]
    header = ("s; tasks x hosts", *(f"{tasks} x {hosts}" for tasks, hosts in shape))
    table = Table("Playbooks over ssh", "make bench PARTS=ssh", header)
    with _hosts() as (root, line):
        rows: dict[str, list[str]] = {}
        for tasks, hosts in shape:
            for who, took_s in _measured(runs, root, line, tasks, hosts).items():
                rows.setdefault(who, []).append(f"{took_s:.2f}")
        table.rows += [(who, *cells) for who, cells in rows.items()]
        table.notes += [_gathered(root, line), *_looked(root, line)]
    table.notes.append(
        "Each host is OpenSSH's server on loopback, the same one. A task is a command. Ansible has 5 forks, as it does "
        "by itself. ControlPersist is its default, and pipelining is not."
    )
    return table


@contextmanager
def _hosts() -> Iterator[tuple[Path, str]]:
    sshd = ssh.program()
    if sshd is None:
        raise SystemExit("there is no sshd here (on Debian: the package openssh-server)")
    with tempfile.TemporaryDirectory() as name, ssh.server(Path(name), sshd) as line:
        yield Path(name), line


def _inventory(root: Path, line: str, hosts: int, more: str = "") -> Path:
    """An inventory of so many hosts, all of them this machine. A connection of one is not that of another."""
    _, _, rest = line.partition(" ")
    path = root / f"hosts{hosts}{len(more)}.ini"
    own = [f"web-{number} {rest.strip()} ansible_control_path={root}/cp-{number} {more}" for number in range(hosts)]
    path.write_text("[web]\n" + "\n".join(own) + "\n")
    return path


def _measured(runs: int, root: Path, line: str, tasks: int, hosts: int) -> dict[str, float]:
    path, inventory = playbook(root / f"play{tasks}.yml", tasks), _inventory(root, line, hosts)
    reasons: list[str] = []
    warm = Warm(root, (), Path(sysconfig.get_path("scripts")) / "ansible-playbook", reasons.append)
    pipelined = _inventory(root, line, hosts, "ansible_pipelining=true")
    try:
        ways: dict[str, Callable[[], float]] = {
            who: _plain(path, inventory, root, environment) for who, environment in WAYS.items()
        }
        ways["Drillbook"] = _ours(path, inventory, root, warm)
        ways["Drillbook, pipelining"] = _ours(path, pipelined, root, warm)
        first = playbook(root / "first.yml", 1)
        _plain(first, inventory, root, {})()  # the connections are there
        _ours(first, inventory, root, warm)()  # and an Ansible that is imported
        return in_turns(runs, ways)
    finally:
        warm.close()


def _plain(path: Path, inventory: Path, root: Path, environment: Mapping[str, str]) -> Callable[[], float]:
    return lambda: timed((OURS / PLAIN, "-i", inventory, path), root, env=environment).wall_s


def _ours(path: Path, inventory: Path, root: Path, warm: Warm) -> Callable[[], float]:
    def run() -> float:
        began_s = time.monotonic()
        ended = run_ansible(path, inventory, root=root, timeout_s=600, on_event=lambda _event: None, warm=warm)
        if ended.rc != 0:
            raise SystemExit(f"{path.name} ended with {ended.rc}")
        return time.monotonic() - began_s

    return run


def _gathered(root: Path, line: str) -> str:
    """What facts cost one host, gathered and from a cache."""
    path = root / "facts.yml"
    path.write_text(json.dumps([{"hosts": "web", "gather_facts": True, "tasks": []}]))
    inventory = _inventory(root, line, 1)
    cached = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(root / "facts")}
    smart = {**cached, "ANSIBLE_GATHERING": "smart"}
    path_smart = root / "facts_smart.yml"
    path_smart.write_text(json.dumps([{"hosts": "web", "tasks": []}]))
    _plain(path_smart, inventory, root, smart)()
    took = in_turns(3, {"": _plain(path, inventory, root, {}), "cached": _plain(path_smart, inventory, root, smart)})
    return (
        f"Facts of one host, with Ansible's start: {took['']:.2f} s when they are gathered, {took['cached']:.2f} s "
        "from a cache."
    )


def _looked(root: Path, line: str) -> list[str]:
    """How long a look takes on one host, and what a hundred looks a second on ten hosts do."""
    words = dict(word.split("=", 1) for word in shlex.split(line)[1:])
    connection = {
        "connection": "ssh",
        "host": words["ansible_host"],
        "port": words["ansible_port"],
        "remote_user": words["ansible_user"],
        "private_key_file": words["ansible_ssh_private_key_file"],
        "ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s",
        "ssh_common_args": words["ansible_ssh_common_args"],
    }
    hosts = [look_at(f"web-{number}", connection, root, deadline_s=10) for number in range(10)]
    began_s = time.monotonic()
    hosts[0].run("true")
    first_ms = 1000 * (time.monotonic() - began_s)
    took_ms = []
    for _ in range(_LOOKS):
        began_s = time.monotonic()
        hosts[0].run("true")
        took_ms.append(1000 * (time.monotonic() - began_s))
    took_ms.sort()
    for host in hosts:
        host.run("true")
    before, began_s, made = _cpu_s(), time.monotonic(), 0
    while (now_s := time.monotonic() - began_s) < _LOOKED_S:
        if made >= 100 * now_s:
            time.sleep(0.001)  # until the next look is due: a hundred a second
            continue
        hosts[made % 10].run("true")
        made += 1
    share = 100 * (_cpu_s() - before) / _LOOKED_S
    median_ms, most_ms = took_ms[_LOOKS // 2], took_ms[int(0.95 * _LOOKS)]
    look = f"the first {first_ms:.0f} ms, then {median_ms:.1f} ms in the median and {most_ms:.1f} ms in 95 of 100"
    return [
        f"A look at a host (`true`): {look}. Required: 30 ms.",
        f"A hundred looks a second on ten hosts: {made / _LOOKED_S:.0f} were made, for {share:.0f} % of a core.",
    ]


def _cpu_s() -> float:
    """The processor time of this process. A kept ssh that still runs is not counted, and takes little."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
