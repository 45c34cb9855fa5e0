"""The network cut as on real hosts: packets dropped by the kernel, in a network namespace of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import DEADLINE_S, Mini, Ran

ROOT = Path(__file__).parents[2]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]


def unusable() -> str | None:
    """Why this machine cannot run the test; None when it can."""
    if shutil.which("iptables", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        return "iptables is not installed (apt-get install iptables)"
    if shutil.which("unshare") is None:
        return "unshare is not installed (util-linux)"
    tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no user namespaces here: {tried.stderr.strip()}"


pytestmark = [pytest.mark.lab, pytest.mark.skipif(unusable() is not None, reason=str(unusable()))]

INVENTORY = """\
all:
  vars:
    ansible_connection: local
    ansible_become: false
    # root of a namespace is told root's home, which is another's where the test runs without root
    ansible_remote_tmp: "{{ inventory_dir }}/../remote-tmp"
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    drillbook_environment: {name: mini, kind: staging}
    drillbook_network_fault: iptables
    drillbook_endpoints:
      web: {kind: http, url: "http://127.0.0.2:{{ lookup('ansible.builtin.file', inventory_dir ~ '/../port') }}/health"}
  children:
    clients: {hosts: {client-1: {}}}
    servers: {hosts: {server-1: {ansible_host: 127.0.0.2}}}
"""
RECOVERY = """\
- name: The clients reach the servers again
  hosts: clients
  gather_facts: false
  tasks:
    - name: The path is open
      ansible.builtin.include_role: {name: network}
      vars: {network_state: open, network_client: clients, network_server: servers}
"""
STEPS = (
    "Given the service is healthy",
    'When the network between "clients" and "servers" is cut',
    "Then within 10 seconds the service is down",
    'When the recovery playbook "open" is run',
    "Then within 20 seconds the service is up",
)
# a namespace of its own has a loopback interface that is down
SCRIPT = """\
import fcntl, socket, struct, subprocess, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))
service = subprocess.Popen([sys.executable, "service.py", ".", "127.0.0.2"])
try:
    done = subprocess.run(sys.argv[1:]).returncode
    rules = subprocess.run(["iptables", "-S", "OUTPUT"], capture_output=True, text=True, check=True).stdout
    print("RULES LEFT" if "drillbook" in rules else "no rule is left")
finally:
    service.kill()
    service.wait()
sys.exit(done)
"""


def in_namespace(mini: Mini) -> Ran:
    (mini.root / "run.py").write_text(SCRIPT)
    (mini.root / "port").unlink()
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "run.py", *mini.command()],
        cwd=mini.root,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(mini.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, mini.root)


@pytest.fixture
def two_hosts(mini: Mini) -> Mini:
    """The repository with a client and a server that the kernel can cut apart."""
    (mini.root / "inventories/hosts.yml").write_text(INVENTORY)
    (mini.root / "playbooks/recovery/open.yml").write_text(RECOVERY)
    shutil.copytree(ROOT / "playbooks/roles/network", mini.root / "playbooks/roles/network")
    shutil.copytree(ROOT / "playbooks/faults/network_cut", mini.root / "playbooks/faults/network_cut")
    shutil.copy(ROOT / "steps/network.py", mini.root / "steps/network.py")
    mini.feature(*STEPS)
    return mini


def test_packets_are_dropped_and_pass_again(two_hosts: Mini) -> None:
    ran = in_namespace(two_hosts)
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert "no rule is left" in ran.output
    (symptom,) = [check for check in ran.drill["checks"] if check["phase"] == "symptoms"]
    assert symptom["observed"] == "no answer in time", "dropped packets hang; they are not refused"


def test_a_rule_that_drops_nothing_is_no_symptom(two_hosts: Mini) -> None:
    two_hosts.replace("playbooks/roles/network/tasks/iptables.yml", "jump: DROP", "jump: ACCEPT")
    two_hosts.feature(*[step.replace("10 seconds", "2 seconds") for step in STEPS])
    ran = in_namespace(two_hosts)
    assert ran.status != 0, ran.output
    assert "INVALID" in ran.drill["findings"][0]["sentence"] or "observed status 200" in ran.drill["reason"]
