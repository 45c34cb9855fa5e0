"""The lab on machines: real systemd, real ssh, limits that hold. The machine that it runs on is as it was."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drillbook_lab.base.poll import until
from drillbook_lab.hosts import needs
from drillbook_lab.hosts.contract import ssh
from drillbook_lab.hosts.lab import HostsLab
from drillbook_lab.hosts.layout import MACHINES

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(bool(needs.missing()), reason=f"no machines here: {'; '.join(needs.missing())}"),
]


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
        lines = [line for line in said.splitlines() if not line.startswith("#")]
        # others bring labs with disks of their own up and down beside this test
        found[name] = "\n".join(line for line in lines if name not in ("mounts", "networks") or "drillbook-" in line)
    found["cgroups"] = "\n".join(str(path) for path in Path("/sys/fs/cgroup").glob("*/drillbook-*"))
    return found


class Machines:
    """Machines that are up, and a way to them."""

    def __init__(self, lab: HostsLab, told: Mapping[str, Any], before: Mapping[str, str]) -> None:
        self.lab, self.told, self.before = lab, told, before

    def ssh(self, machine: str, command: str, said: str = "") -> str:
        """What a command prints on a machine that gets `said` on its standard input."""
        whole = [*self.lab.network(), *ssh(self.told, machine), command]
        done = subprocess.run(whole, input=said, capture_output=True, text=True, check=False, timeout=120)
        return (done.stdout + done.stderr).strip()

    def primary(self) -> str:
        """Where Sentinel says it is."""
        ask = "import redis; print(redis.Redis(port=26379, password=input()).sentinel_masters()['lab']['ip'])"
        return self.ssh("host-1", f"python3 -c {shlex.quote(ask)}", self.told["redis"]["sentinel_password"])


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    before = this_machine()
    lab = HostsLab(tmp_path_factory.mktemp("machines") / "hosts")
    told = lab.up()
    yield Machines(lab, told, before)
    lab.down()
    left = this_machine()
    assert left == before


def test_each_machine_runs_its_parts_as_units(machines: Machines) -> None:
    for name, programs in MACHINES.items():
        assert machines.ssh(name, "hostname; sudo -n id -u").split() == [name, "0"]
        states = machines.ssh(name, f"systemctl is-active {' '.join(programs)}").split()
        assert states == ["active"] * len(programs)
        assert machines.ssh(name, "systemctl is-active not-there") == "inactive"


def test_each_machine_has_a_disk_and_a_memory_of_its_own(machines: Machines) -> None:
    assert machines.ssh("host-2", "df --output=size -m / | tail -1") == "1024"
    filled = machines.ssh("host-2", "fallocate -l 1100M big; df --output=avail -m / | tail -1; rm -f big")
    assert "No space left on device" in filled
    assert int(machines.ssh("host-1", "df --output=avail -m / | tail -1")) > 500
    (limit,) = Path("/sys/fs/cgroup/memory").glob(f"{machines.told['id']}/host-2/memory.limit_in_bytes")
    assert int(limit.read_text()) == 512 * 1024 * 1024


def test_a_node_that_systemd_kills_stays_dead_and_the_other_one_leads(machines: Machines) -> None:
    first, second = (machines.told["at"][name] for name in ("redis-1", "redis-2"))
    assert machines.primary() == first
    machines.ssh("host-1", "sudo systemctl kill --signal=KILL redis-1")
    until(lambda: machines.primary() == second, what="the failover", within_s=60)
    assert machines.ssh("host-1", "systemctl is-active redis-1") == "failed"
    machines.ssh("host-1", "sudo systemctl start redis-1")
    assert machines.ssh("host-1", "systemctl is-active redis-1") == "active"


def test_the_machine_that_they_run_on_is_as_it_was(machines: Machines) -> None:
    now = this_machine()
    for name in ("links", "routes", "rules", "forwarding"):
        assert now[name] == machines.before[name], name
    # their disks are mounted for them alone; what is seen of them is their networks, by name
    assert all(line.startswith("nsfs /run/netns/drillbook-") for line in now["mounts"].splitlines())
    assert str(machines.told["id"]) in now["networks"]
    # a twin: what was compared is looked at
    assert now["cgroups"] != machines.before["cgroups"]
