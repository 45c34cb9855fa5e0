"""The dead man's switch on machines: over ssh, under logind, across a reboot, and with the control node cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook_lab.base.poll import until

from .support import NEEDS_MACHINES, Fault, Machines

pytestmark = [pytest.mark.hosts, NEEDS_MACHINES]

LEFT = "sudo ls /etc/systemd/system/multi-user.target.wants | grep drillbook; sudo ls /root/.drillbook/switches"


def reboot(machines: Machines, machine: str) -> None:
    """Boot a machine anew, and wait until its units run."""
    before = machines.started(machine)
    machines.ssh(machine, "sudo systemctl reboot")
    until(lambda: machines.started(machine) not in ("", before), what="another boot", within_s=60)
    until(lambda: machines.ssh(machine, "systemctl is-system-running") == "running", what="its units", within_s=60)


def timer(machines: Machines, machine: str) -> str:
    """The command line of the timer. It is empty when there is none."""
    return machines.ssh(machine, "pgrep -af [.]drillbook/switches")


def test_a_switch_outlives_its_session_and_a_control_node_that_is_cut_off(machines: Machines) -> None:
    fault = Fault(machines, "service_killed", target="worker-1")
    fault.run("inject")
    assert machines.ssh("host-1", "systemctl is-active worker-1") == "failed"
    fault.switch("armed", after=5)
    # no session of the user is left, and the machine hears nothing of the control node any more
    cable = ("ip", "link", "set", "v-host-1")
    assert machines.run(*cable, "down").returncode == 0
    assert not machines.answers("host-1")
    until(lambda: _runs_in_host_1(machines, "worker-1"), what="the worker, which its own machine starts", within_s=60)
    assert machines.run(*cable, "up").returncode == 0
    assert "has fired" in fault.switch("disarmed")
    fault.run("undo")
    assert timer(machines, "host-1") == ""


def _runs_in_host_1(machines: Machines, unit: str) -> bool:
    """Whether a unit runs, seen by the kernel, since nobody reaches the machine."""
    folders = Path("/sys/fs/cgroup/systemd").glob(f"{machines.told['id']}/host-1/**/{unit}.service")
    return any((folder / "cgroup.procs").read_text().split() for folder in folders)


def test_a_logind_that_ends_the_processes_of_a_session_is_told_before_anything_is_armed(machines: Machines) -> None:
    assert "session-" in machines.ssh("host-2", "cat /proc/self/cgroup")
    conf = "/etc/systemd/logind.conf.d"
    machines.ssh("host-2", f"sudo mkdir -p {conf}; sudo tee {conf}/kill.conf", "[Login]\nKillUserProcesses=yes\n")
    machines.ssh("host-2", "sudo systemctl restart systemd-logind")
    fault = Fault(machines, "service_killed", target="worker-2")
    refused = fault.tried("switch", drillbook_switch="armed", drillbook_switch_after=3600)
    assert refused.returncode != 0
    assert "logind ends all processes of deploy" in refused.stdout
    assert timer(machines, "host-2") == ""
    # and as the message says: it goes on with this user excluded
    machines.ssh("host-2", f"sudo tee -a {conf}/kill.conf", "KillExcludeUsers=deploy root\n")
    machines.ssh("host-2", "sudo systemctl restart systemd-logind")
    fault.switch("armed")
    assert "drillbook/switches" in timer(machines, "host-2")
    fault.switch("disarmed")
    machines.ssh("host-2", f"sudo rm -r {conf}; sudo systemctl restart systemd-logind")


def test_a_switch_goes_on_after_a_reboot_and_fires(machines: Machines) -> None:
    fault = Fault(machines, "service_killed", target="worker-1")
    # a stopped unit would start at the boot: a machine that starts nothing by itself shows what the switch does
    machines.ssh("host-1", "sudo systemctl disable worker-1")
    fault.run("inject")
    fault.switch("armed", after=12)
    reboot(machines, "host-1")
    assert "drillbook/switches" in timer(machines, "host-1")
    assert machines.ssh("host-1", "systemctl is-active worker-1") == "inactive"
    machines.eventually_active("host-1", "worker-1")
    assert "has fired" in fault.switch("disarmed")
    assert machines.ssh("host-1", LEFT) == "service_killed-worker-1.result"
    machines.ssh("host-1", "sudo systemctl enable worker-1; sudo rm -r /root/.drillbook")
    fault.run("undo")


def test_a_switch_is_renewed_and_disarmed_after_a_reboot_as_before(machines: Machines) -> None:
    fault = Fault(machines, "service_killed", target="worker-2")
    fault.switch("armed")
    reboot(machines, "host-2")
    assert "changed=1" in fault.switch("renewed")
    assert "changed=1" in fault.switch("disarmed")
    assert timer(machines, "host-2") == ""
    assert machines.ssh("host-2", LEFT) == ""
    reboot(machines, "host-2")
    assert timer(machines, "host-2") == ""


def test_a_switch_with_a_secret_is_not_kept_on_disk_and_says_that_a_reboot_ended_it(machines: Machines) -> None:
    fault = Fault(machines, "access_revoked")
    fault.switch("armed")
    secret = machines.told["redis"]["admin_password"]
    assert machines.ssh("host-1", f"sudo grep -rls {secret} .drillbook /root/.drillbook /etc/systemd") == ""
    reboot(machines, "host-1")
    renewed = fault.tried("switch", drillbook_switch="renewed", drillbook_switch_after=3600)
    assert renewed.returncode != 0
    assert "has no process any more" in renewed.stdout
    fault.switch("disarmed")
    fault.run("undo")
