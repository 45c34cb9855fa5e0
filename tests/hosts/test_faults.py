"""Faults that only machines have: each is made, seen, undone, and seen to be gone."""

from __future__ import annotations

import json

import pytest

from drillbook_lab.base.poll import until

from .support import NEEDS_MACHINES, Fault, Machines

pytestmark = [pytest.mark.hosts, NEEDS_MACHINES]


def state(machines: Machines, machine: str, unit: str) -> str:
    return machines.ssh(machine, f"systemctl is-active {unit}; systemctl is-enabled {unit}")


def test_a_machine_boots_anew_and_its_service_does_not_start_with_it(machines: Machines) -> None:
    fault = Fault(machines, "host_rebooted", target="worker-2", starts=False)
    before = machines.started("host-2")
    fault.run("inject")
    assert machines.started("host-2") not in ("", before)
    assert state(machines, "host-2", "worker-2") == "inactive\ndisabled"
    # what is enabled has started by itself
    machines.eventually_active("host-2", "redis-2")
    fault.run("undo")
    assert state(machines, "host-2", "worker-2") == "active\nenabled"


def test_the_kernel_kills_a_service_for_want_of_memory(machines: Machines) -> None:
    ended = "systemctl show -p MemoryMax,ExecMainCode,ExecMainStatus worker-1"
    assert "MemoryMax=infinity" in machines.ssh("host-1", ended)
    fault = Fault(machines, "service_out_of_memory", target="worker-1", limit_mb=150)
    fault.run("inject")
    said = machines.ssh("host-1", ended)
    assert "MemoryMax=157286400" in said  # bytes
    assert "ExecMainStatus=9" in said
    assert machines.ssh("host-1", "systemctl is-active worker-1 redis-1") == "failed\nactive"
    fault.run("undo")
    assert machines.ssh("host-1", "systemctl is-active worker-1") == "active"
    assert "MemoryMax=infinity" in machines.ssh("host-1", ended)
    assert machines.ssh("host-1", "ls /run/systemd/system/worker-1.service.d") == ""


def test_a_cable_is_pulled_and_put_back(machines: Machines) -> None:
    fault = Fault(machines, "cable_pulled", target="worker-2")
    assert machines.answers("host-2")
    fault.run("inject")
    assert not machines.answers("host-2")
    assert machines.answers("host-1")
    fault.run("undo")
    assert machines.answers("host-2")


LATENCY = """
import socket, sys, time
began = time.monotonic()
socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
print(1000 * (time.monotonic() - began))
"""


def test_packets_are_held_and_go_on(machines: Machines) -> None:
    node = machines.told["redis"]["nodes"]["redis-1"]

    def latency_ms() -> float:
        return float(machines.ssh("host-3", f"python3 - {node['address']} {node['port']}", LATENCY))

    assert latency_ms() < 150
    fault = Fault(
        machines,
        "network_slow",
        client="api",
        server="redis_nodes",
        delay_ms=200,
        jitter_ms=10,
        loss_percent=0,
    )
    fault.run("inject")
    assert latency_ms() >= 190
    # the fault heals itself when its process is gone
    machines.ssh("host-3", "sudo systemctl kill --signal=KILL drillbook-slow-network")
    until(lambda: latency_ms() < 150, what="packets that pass", within_s=20)
    assert "drillbook slow api redis_nodes" in machines.ssh("host-3", "sudo iptables -S OUTPUT")
    fault.run("undo")
    assert "drillbook" not in machines.ssh("host-3", "sudo iptables -S OUTPUT; ls /run/*.py")
    fault.run("undo")  # and once more, where there is nothing to undo


def test_a_disk_is_full_until_the_file_is_away(machines: Machines) -> None:
    fault = Fault(machines, "database_disk_full")
    rows = "SELECT 'full-' || n, 'project-1', n, repeat('x', 100000), now() FROM generate_series(1, 400) n"
    database = machines.told["postgres"]
    psql = f"sudo PGPASSFILE={database['folder']}/pgpass PGHOST=127.0.0.1 {database['bin']}/psql -U {database['user']}"
    write = f"{psql} -qAtX {database['database']} -c {json.dumps(f'BEGIN; INSERT INTO scenes {rows}; ROLLBACK')}"
    assert "No space left" not in machines.ssh("host-4", write)
    fault.run("inject")
    assert machines.ssh("host-4", "df --output=avail / | tail -1").strip() == "0"
    assert "No space left on device" in machines.ssh("host-4", write)
    fault.run("undo")
    assert int(machines.ssh("host-4", "df --output=avail -m / | tail -1")) > 500
    assert "No space left" not in machines.ssh("host-4", write)
