"""Machines for tests: a way to them over ssh, and playbooks and commands that run in their network."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drillbook_lab.base.poll import until
from drillbook_lab.hosts import needs
from drillbook_lab.hosts.contract import ssh
from drillbook_lab.hosts.lab import HostsLab

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NEEDS_MACHINES = pytest.mark.skipif(bool(needs.missing()), reason=f"no machines here: {'; '.join(needs.missing())}")


def this_machine() -> dict[str, str]:
    """What machines could leave on, or change of, the one that they run on."""
    asked = {
        "links": ["ip", "-o", "link"],
        "routes": ["ip", "route", "show", "table", "all"],
        "rules": ["sh", "-c", "/usr/sbin/iptables-save || true"],  # without iptables there are none
        "mounts": ["cat", "/proc/mounts"],
        "networks": ["ip", "netns"],
        "forwarding": ["cat", "/proc/sys/net/ipv4/ip_forward"],
    }
    found = {}
    for name, command in asked.items():
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found[name] = "\n".join(line for line in said.splitlines() if not line.startswith("#"))
    found["disks"] = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=False).stdout
    found["cgroups"] = "\n".join(str(path) for path in Path("/sys/fs/cgroup").glob("*/drillbook-*"))
    return found


def of_the_lab(seen: Mapping[str, str], lab: str) -> dict[str, list[str]]:
    """The lines of what was seen that name this lab. Others bring labs up and down beside a test."""
    return {name: [line for line in text.splitlines() if lab in line] for name, text in seen.items()}


class Machines:
    """Machines that are up."""

    def __init__(self, lab: HostsLab, told: Mapping[str, Any], before: Mapping[str, str]) -> None:
        self.lab, self.told, self.before = lab, told, before
        self.control = Path(tempfile.mkdtemp(prefix="drillbook-", dir="/tmp"))  # the path of a socket has to be short

    @property
    def environment(self) -> dict[str, str]:
        """By which `inventories/hosts` finds these machines, and no others."""
        own = {"DRILLBOOK_LAB_STATE": str(self.lab.state.parent), "DRILLBOOK_LAB_NAME": str(self.told["id"])}
        # other labs have the same addresses, in networks of their own: a connection that is kept leads to one of them
        own["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(self.control)
        return {**os.environ, **own, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def run(self, *command: str, cwd: Path = ROOT, timeout_s: float = 170) -> subprocess.CompletedProcess[str]:
        """What a command says that runs in the network of the machines, as that of a control node."""
        words = [*self.lab.network(), *command]
        return subprocess.run(
            words,
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )

    def leave(self) -> None:
        """End the connections that Ansible has kept."""
        for socket in self.control.iterdir():
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "-"], capture_output=True, check=False)
        shutil.rmtree(self.control)

    def ssh(self, machine: str, command: str, said: str = "") -> str:
        """What a command prints on a machine that gets `said` on its standard input."""
        whole = [*self.lab.network(), *ssh(self.told, machine), command]
        done = subprocess.run(whole, input=said, capture_output=True, text=True, check=False, timeout=120)
        return (done.stdout + done.stderr).strip()

    def primary(self) -> str:
        """Where Sentinel says it is."""
        ask = "import redis; print(redis.Redis(port=26379, password=input()).sentinel_masters()['lab']['ip'])"
        return self.ssh("host-1", f"python3 -c {shlex.quote(ask)}", self.told["redis"]["sentinel_password"])

    def answers(self, machine: str) -> bool:
        """Whether the control node reaches a machine."""
        return self.ssh(machine, "hostname") == machine

    def started(self, machine: str) -> str:
        """When systemd of a machine began, which says whether it was booted anew."""
        return self.ssh(machine, "systemctl show -p UserspaceTimestampMonotonic --value")

    def eventually_active(self, machine: str, unit: str) -> None:
        until(lambda: self.ssh(machine, f"systemctl is-active {unit}") == "active", what=unit, within_s=60)


class Fault:
    """A fault of this repository on the machines: its playbooks as ansible-playbook runs them, with its variables."""

    def __init__(self, machines: Machines, name: str, **variables: object) -> None:
        self.machines, self.name = machines, name
        self.variables = {**variables, "drillbook_switch_id": name}

    def run(self, playbook: str, **variables: object) -> str:
        """Run inject.yml, undo.yml or switch.yml; returns what Ansible said. It has to end well."""
        said = self.tried(playbook, **variables)
        assert said.returncode == 0, said.stdout + said.stderr
        return said.stdout

    def tried(self, playbook: str, **variables: object) -> subprocess.CompletedProcess[str]:
        command = [
            *("ansible-playbook", "-v", "-i", "inventories/hosts", "-e", json.dumps({**self.variables, **variables})),
            f"playbooks/faults/{self.name}/{playbook}.yml",
        ]
        parts = {"ROLES_PATH": "roles", "LIBRARY": "library", "MODULE_UTILS": "module_utils"}
        environment = [f"ANSIBLE_{name}={ROOT}/playbooks/{folder}" for name, folder in parts.items()]
        return self.machines.run("env", *environment, *command)

    def switch(self, state: str, after: int = 3600) -> str:
        return self.run("switch", drillbook_switch=state, drillbook_switch_after=after)


@contextmanager
def machines_that_leave_nothing(folder: Path) -> Iterator[Machines]:
    """Machines in a folder of their own. When they are down, nothing of them is left on this machine."""
    before = this_machine()
    lab = HostsLab(folder / "hosts")
    told = lab.up()
    machines = Machines(lab, told, before)
    try:
        yield machines
    finally:
        lab.down()
        machines.leave()
    left = of_the_lab(this_machine(), str(told["id"]))
    assert not any(left.values()), left
