"""The lab on machines: real systemd, real ssh, limits that hold. The machine that it runs on is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook_lab.base.poll import until
from drillbook_lab.hosts.layout import MACHINES

from .support import NEEDS_MACHINES, Machines, of_the_lab, this_machine

pytestmark = [pytest.mark.hosts, NEEDS_MACHINES]


def test_each_machine_runs_its_parts_as_units(machines: Machines) -> None:
    for name, programs in MACHINES.items():
        assert machines.ssh(name, "hostname; sudo -n id -u").split() == [name, "0"]
        states = machines.ssh(name, f"systemctl is-active {' '.join(programs)}").split()
        assert states == ["active"] * len(programs)
        assert machines.ssh(name, "systemctl is-active not-there") == "inactive"


def test_each_machine_has_a_disk_and_a_memory_of_its_own(machines: Machines) -> None:
    assert 850 < int(machines.ssh("host-2", "df --output=size -m / | tail -1")) <= 960
    filled = machines.ssh("host-2", "fallocate -l 1100M big; df --output=avail -m / | tail -1; rm -f big")
    assert "No space left on device" in filled
    assert int(machines.ssh("host-1", "df --output=avail -m / | tail -1")) > 500
    (limit,) = Path("/sys/fs/cgroup/memory").glob(f"{machines.told['id']}/host-2/memory.limit_in_bytes")
    assert int(limit.read_text()) == 512 * 1024 * 1024


def test_a_node_that_systemd_kills_stays_dead_and_the_other_one_leads(machines: Machines) -> None:
    first = machines.primary()
    # whoever booted a machine has moved the primary before
    number = next(each for each in "12" if machines.told["at"][f"redis-{each}"] == first)
    host, unit = f"host-{number}", f"redis-{number}"
    machines.ssh(host, f"sudo systemctl kill --signal=KILL {unit}")
    until(lambda: machines.primary() not in ("", first), what="the failover", within_s=60)
    assert machines.ssh(host, f"systemctl is-active {unit}") == "failed"
    machines.ssh(host, f"sudo systemctl start {unit}")
    assert machines.ssh(host, f"systemctl is-active {unit}") == "active"


def test_the_machine_that_they_run_on_is_as_it_was(machines: Machines) -> None:
    now = this_machine()
    for name in ("links", "routes", "rules", "forwarding"):
        assert now[name] == machines.before[name], name
    # their disks are mounted for them alone; what is seen of them is their networks, by name, and their cgroups
    own = of_the_lab(now, str(machines.told["id"]))
    assert all(line.startswith("nsfs /run/netns/drillbook-") for line in own["mounts"])
    assert len(own["networks"]) == 1 + len(MACHINES)
    assert own["cgroups"]
