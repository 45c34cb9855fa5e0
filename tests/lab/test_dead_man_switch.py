# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)
"""The timer on the target, as a real process: it fires when nobody renews it, and never when somebody disarmed it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.playbooks import Playbooks
from drillbook.target.ansible.result import PlayResult
from drillbook.target.ansible.warm.client import Warm
from drillbook.target.inventory.inventory import Inventory
from drillbook_lab.testing import RunningLab
from tests.support.modules import ForkedModules

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60
NEVER_S = 3600
SECRET = "correct-horse-battery"
# Ansible's own way to give a module its arguments without a play around it
RUN = """\
import json, runpy, sys
import ansible.module_utils
from ansible.module_utils.testing import patch_module_args
ansible.module_utils.__path__.append(f"{sys.argv[1]}/module_utils")
with patch_module_args(json.load(sys.stdin)):
    runpy.run_path(f"{sys.argv[1]}/library/dead_man_switch.py", run_name="__main__")
"""


def until(condition: Any, what: str) -> Any:
    """Poll to a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.02)
    return found


def _is_past(moment: float) -> bool:
    return time.monotonic() >= moment


class Host:
    """A target with a folder of switches, and a folder in which commands leave their marks."""

    def __init__(self, root: Path, forked_modules: ForkedModules) -> None:
        self.root, self.folder = root, root / "switches"
        self._modules = forked_modules
        self.command = [sys.executable, "-c", RUN, str(ROOT / "playbooks")]

    def ask(self, state: str, name: str = "s1", **options: Any) -> dict[str, Any]:
        """What the module answers."""
        arguments = {"id": name, "state": state, "folder": str(self.folder), **options}
        return self._modules.run("dead_man_switch", arguments, deadline_s=DEADLINE_S * 2)

    def arm(self, script: str, name: str = "s1", after: int = NEVER_S, **options: Any) -> dict[str, Any]:
        """Arm a switch whose command is a script; it gets this folder as its argument."""
        source = "import os, pathlib, sys, time\nhere = pathlib.Path(sys.argv[1])\n" + textwrap.dedent(script)
        return self.ask("armed", name, after=after, script=source, arguments=[str(self.root)], **options)

    def result(self, name: str = "s1") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{name}.result").read_text())
        return found

    def process(self, name: str = "s1") -> psutil.Process:
        return psutil.Process(int(self.result(name)["process"].split("/")[1]))

    def processes(self) -> list[psutil.Process]:
        """All timers of this folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line = " ".join(process.info["cmdline"] or [])
            if f" {self.folder}/" in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def marks(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir() if path != self.folder)


@pytest.fixture
def host(tmp_path: Path, forked_modules: ForkedModules) -> Iterator[Host]:
    host = Host(tmp_path, forked_modules)
    yield host
    for process in host.processes():  # only where the test failed
        process.kill()


MARK = "(here / 'undone').touch()"


def test_a_switch_that_nobody_renews_fires_and_ends(host: Host) -> None:
    armed = host.arm(MARK, after=1)
    assert (armed["changed"], armed["msg"]) == (True, "the dead man's switch s1 is armed")
    until(lambda: host.marks() == ["undone"], "the command ran")
    until(lambda: not host.processes(), "the timer ended")
    assert host.result()["state"] == "fired"
    renewed = host.ask("renewed")
    assert renewed["failed"]
    assert renewed["fired"]
    assert "has fired at" in renewed["msg"]
    disarmed = host.ask("disarmed")
    assert (disarmed["changed"], disarmed["fired"]) == (True, True)
    assert "its command succeeded (try 1)" in disarmed["msg"]
    again = host.ask("disarmed")
    assert (again["changed"], again["fired"]) == (False, True)


def test_a_switch_that_is_renewed_does_not_fire_until_nobody_renews_it(host: Host) -> None:
    host.arm(MARK, after=4)
    end = time.monotonic() + 6
    while (now := time.monotonic()) < end:
        until(partial(_is_past, now + 0.5), "the time of the next renewal")
        renewed = host.ask("renewed")
        assert (renewed["changed"], renewed["fired"]) == (True, False), renewed["msg"]
    assert host.marks() == []
    until(lambda: host.marks() == ["undone"], "the command ran")


def test_a_switch_that_is_disarmed_never_fires(host: Host) -> None:
    host.arm(MARK)
    assert len(host.processes()) == 1
    disarmed = host.ask("disarmed")
    assert (disarmed["changed"], disarmed["fired"]) == (True, False)
    assert host.processes() == [], "the end of the process was waited for"
    assert list(host.folder.iterdir()) == []
    assert host.marks() == []
    assert host.ask("disarmed")["changed"] is False
    renewed = host.ask("renewed")
    assert renewed["failed"]
    assert "is not armed: nothing undoes the fault when the control node is lost" in renewed["msg"]


def test_to_disarm_where_nothing_was_ever_armed_changes_nothing(host: Host) -> None:
    assert host.ask("disarmed")["changed"] is False
    assert not host.folder.exists()


def test_the_same_switch_is_armed_once(host: Host) -> None:
    host.arm(MARK)
    process = host.result()["process"]
    assert host.arm(MARK)["changed"] is False
    assert host.ask("renewed")["changed"] is True
    assert host.arm(MARK)["changed"] is False
    assert host.result()["process"] == process
    other = host.arm("pass")
    assert "it is armed with another command or time" in other["msg"]
    assert len(host.processes()) == 1
    host.ask("disarmed")


def test_a_timer_that_was_killed_is_told_and_can_be_armed_again(host: Host) -> None:
    host.arm(MARK)
    host.process().kill()
    until(lambda: not host.processes(), "the end of the timer")
    renewed = host.ask("renewed")
    assert renewed["failed"]
    assert not renewed["fired"]
    assert "has no process any more" in renewed["msg"]
    assert host.arm(MARK)["changed"] is True
    host.process().kill()
    until(lambda: not host.processes(), "the end of the timer")
    disarmed = host.ask("disarmed")
    assert (disarmed["changed"], disarmed["fired"]) == (True, False)


def test_another_process_with_the_number_of_the_timer_is_not_taken_for_it(host: Host) -> None:
    host.arm(MARK)
    result = host.result()
    host.process().kill()
    until(lambda: not host.processes(), "the end of the timer")
    boot, _, start = result["process"].split("/")
    result["process"] = f"{boot}/{os.getpid()}/{start}"
    (host.folder / "s1.result").write_text(json.dumps(result))
    assert "has no process any more" in host.ask("renewed")["msg"]
    assert host.ask("disarmed")["changed"] is True


def test_two_switches_do_not_know_of_each_other(host: Host) -> None:
    host.arm("(here / 'one').touch()", "one", after=2)
    host.arm("(here / 'two').touch()", "two")
    until(lambda: host.marks() == ["one"], "the first fired")
    assert host.ask("renewed", "two")["changed"] is True
    host.ask("disarmed", "two")
    host.ask("disarmed", "one")
    assert host.marks() == ["one"]
    assert host.processes() == []


RUNS = "with (here / 'runs').open('a') as file: file.write('x')\n"


def test_a_command_that_fails_is_tried_again_until_it_succeeds(host: Host) -> None:
    host.arm(RUNS + "sys.exit((here / 'runs').stat().st_size < 3)", after=1, pause=0.1)
    until(lambda: not host.processes(), "the timer ended")
    result = host.result()
    assert (result["state"], result["tries"], result["last"]) == ("fired", 3, None)
    assert (host.root / "runs").read_text() == "xxx"


def test_a_command_that_never_succeeds_is_given_up_and_said(host: Host) -> None:
    host.arm(RUNS + "sys.exit(3)", after=1, tries=2, pause=0.1)
    until(lambda: not host.processes(), "the timer ended")
    assert (host.root / "runs").read_text() == "xx"
    disarmed = host.ask("disarmed")
    assert disarmed["fired"]
    assert f"its command did not succeed ({Path(sys.executable).name} ended with 3; tries: 2)" in disarmed["msg"]


def test_a_command_that_is_not_there_is_said(host: Host) -> None:
    host.ask("armed", after=1, command=["/nonexistent/program"], tries=1)
    until(lambda: not host.processes(), "the timer ended")
    assert "program cannot be started" in host.ask("disarmed")["msg"]


def test_a_switch_that_is_disarmed_while_its_command_runs_does_not_try_again(host: Host) -> None:
    script = RUNS + "while not (here / 'go').exists(): time.sleep(0.02)\nsys.exit(1)"
    host.arm(script, after=1, pause=0.1)
    until(lambda: host.marks() == ["runs"], "the command runs")
    with subprocess.Popen(host.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as disarming:
        assert disarming.stdin is not None
        disarming.stdin.write(json.dumps({"id": "s1", "state": "disarmed", "folder": str(host.folder)}))
        disarming.stdin.close()
        until(lambda: not (host.folder / "s1.json").exists(), "the lease is gone")
        assert disarming.poll() is None, "the end of the command is waited for"
        (host.root / "go").touch()
        assert disarming.stdout is not None
        answer = json.loads(disarming.stdout.read())
    assert (answer["changed"], answer["fired"]) == (True, True)
    assert "did not succeed" in answer["msg"]
    assert (host.root / "runs").read_text() == "x"
    assert host.processes() == []


def test_a_secret_reaches_the_command_and_nothing_else(host: Host) -> None:
    script = "(here / 'seen').write_text(os.environ['PASSWORD'])"
    answer = host.arm(script, after=2, environment={"PASSWORD": SECRET})
    assert SECRET not in json.dumps(answer)
    process = host.process()
    assert SECRET not in " ".join(process.cmdline())
    assert SECRET not in json.dumps(process.environ())
    for path in host.folder.iterdir():
        assert SECRET not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
    assert host.folder.stat().st_mode & 0o777 == 0o700
    until(lambda: not host.processes(), "the timer ended")
    assert (host.root / "seen").read_text() == SECRET
    assert all(SECRET not in path.read_text() for path in host.folder.iterdir())


def test_standard_input_reaches_the_command_and_nothing_else(host: Host) -> None:
    copy = "import pathlib, sys; pathlib.Path(sys.argv[1], 'seen').write_text(sys.stdin.read())"
    host.ask("armed", after=1, command=[sys.executable, "-c", copy, str(host.root)], stdin=SECRET)
    until(lambda: not host.processes(), "the timer ended")
    assert (host.root / "seen").read_text() == SECRET
    assert all(SECRET not in path.read_text() for path in host.folder.iterdir())


def test_the_timer_holds_nothing_of_the_one_who_armed_it(host: Host) -> None:
    host.arm(MARK)
    process = host.process()
    assert os.getsid(process.pid) == process.pid
    files = {str(each.readlink()) for each in Path(f"/proc/{process.pid}/fd").iterdir()}
    assert files == {"/dev/null"}
    assert process.cwd() == "/"
    assert host.ask("disarmed")["changed"] is True


def test_check_mode_tells_and_does_not_do(host: Host) -> None:
    pretend: dict[str, Any] = {"_ansible_check_mode": True}
    assert host.arm(MARK, **pretend)["changed"] is True
    assert not host.folder.exists()
    host.arm(MARK)
    assert host.arm(MARK, **pretend)["changed"] is False
    assert host.ask("renewed", **pretend)["changed"] is True
    assert json.loads((host.folder / "s1.json").read_text())["renewals"] == 0
    assert host.ask("disarmed", **pretend)["changed"] is True
    assert len(host.processes()) == 1
    assert host.ask("disarmed")["changed"] is True


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"after": 5}, "it needs a command or a script, and not both"),
        ({"after": 5, "command": ["true"], "script": "pass"}, "it needs a command or a script, and not both"),
        ({"after": 5, "script": "pass", "stdin": "x"}, "a script is read from standard input"),
        ({"command": ["true"]}, "after (seconds) and tries are whole numbers of 1 or more"),
        ({"after": 0, "command": ["true"]}, "after (seconds) and tries are whole numbers of 1 or more"),
        ({"after": 5, "command": ["true"], "tries": 0}, "after (seconds) and tries are whole numbers of 1 or more"),
        ({"after": 5, "command": ["true"], "name": "../escaped"}, "its id has letters, digits, dot, dash"),
    ],
)
def test_what_cannot_be_armed_is_refused(host: Host, options: dict[str, Any], says: str) -> None:
    answer = host.ask("armed", options.pop("name", "s1"), **options)
    assert answer["failed"]
    assert says in answer["msg"]
    assert not host.folder.exists()


def test_a_folder_of_somebody_else_is_refused(host: Host) -> None:
    host.folder = Path("/") if os.geteuid() else host.root / "theirs"
    if host.folder != Path("/"):
        host.folder.mkdir()
        os.chown(host.folder, 65534, -1)
    assert "belongs to somebody else" in host.arm(MARK)["msg"]


def test_a_timer_that_does_not_start_is_not_armed(host: Host) -> None:
    host.folder.mkdir()
    (host.folder / "s1.result").mkdir()  # the timer cannot say that it runs
    answer = host.arm(MARK)
    assert answer["failed"]
    assert "cannot be armed" in answer["msg"]
    assert host.processes() == []
    assert not (host.folder / "s1.json").exists()


# ---------------------------------------------------------------------- the switches of the faults, on the lab


@pytest.fixture(scope="module")
def of_the_faults(whole_lab: RunningLab) -> Iterator[tuple[Playbooks, list[str]]]:
    """Warm playbooks on the lab, and why they were cold."""
    redactor, cold = Redactor(), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLBOOK_LAB_STATE", str(whole_lab.lab.state))
        path = ROOT / "inventories/lab"
        warm = Warm(ROOT, (), Path(sys.executable).with_name("ansible-playbook"), cold.append, path)
        try:
            inventory = Inventory.resolve(path, ROOT, redactor, warm=warm)
            yield Playbooks(ROOT, inventory.path, inventory.connection_env, redactor, warm=warm), cold
        finally:
            warm.close()


@pytest.fixture
def playbooks(of_the_faults: tuple[Playbooks, list[str]], lab: RunningLab) -> Iterator[Playbooks]:
    found, cold = of_the_faults
    yield found
    assert cold == []


class Fault:
    """A fault of this repository on the lab, and its switch."""

    def __init__(self, playbooks: Playbooks, folder: Path, name: str, **variables: object) -> None:
        self.playbooks, self.name = playbooks, name
        self.variables = variables | {"drillbook_switch_id": name, "drillbook_switch_folder": str(folder)}

    def run(self, playbook: str, **variables: object) -> PlayResult:
        path = Path(f"playbooks/faults/{self.name}/{playbook}.yml")
        result = self.playbooks.run(path, self.variables | variables)
        assert result.unsaid() == ()
        return result

    def switch(self, state: str, after: int = NEVER_S) -> PlayResult:
        return self.run("switch", drillbook_switch=state, drillbook_switch_after=after)

    def injected_and_left(self) -> None:
        """The fault is there; then its switch is armed, and nobody renews it."""
        assert self.run("inject").changed
        assert self.switch("armed", after=1).changed


def test_a_killed_service_is_started_again(lab: RunningLab, playbooks: Playbooks, tmp_path: Path) -> None:
    fault = Fault(playbooks, tmp_path, "service_killed", target="worker-1")
    before = lab.pid("worker-1")
    fault.injected_and_left()
    lab.eventually("another worker-1", lambda: lab.pid("worker-1") not in (0, before))
    assert "has fired" in fault.switch("disarmed").tasks[-1].message


def test_a_switch_that_is_disarmed_starts_nothing(lab: RunningLab, playbooks: Playbooks, tmp_path: Path) -> None:
    fault = Fault(playbooks, tmp_path, "service_killed", target="worker-1")
    fault.switch("armed")
    fault.run("inject")
    assert fault.switch("renewed").changed
    assert fault.switch("disarmed").changed
    assert not fault.switch("disarmed").changed
    assert lab.pid("worker-1") == 0
    fault.run("undo")


def test_a_killed_primary_is_started_again_and_its_replica_is_left_alone(
    lab: RunningLab, playbooks: Playbooks, tmp_path: Path
) -> None:
    primary = lab.primary()
    (replica,) = {"redis-1", "redis-2"} - {primary}
    before, other = lab.pid(primary), lab.pid(replica)
    fault = Fault(playbooks, tmp_path, "redis_primary_killed")
    fault.injected_and_left()
    lab.eventually("another primary", lambda: lab.pid(primary) not in (0, before))
    assert lab.pid(replica) == other
    disarmed = fault.switch("disarmed")
    done = {task.host for task in disarmed.tasks if "its command succeeded (try 1)" in task.message}
    assert done == {"redis-1", "redis-2"}


def test_revoked_access_is_given_back_and_no_password_is_kept(
    lab: RunningLab, playbooks: Playbooks, tmp_path: Path
) -> None:
    redis = lab.contract["redis"]

    def enabled() -> list[bool]:
        found = []
        for name in redis["nodes"]:
            with lab.redis(name) as node:
                account: Any = node.acl_getuser(redis["app_user"])
                found.append("on" in account["flags"])
        return found

    fault = Fault(playbooks, tmp_path, "access_revoked")
    fault.run("inject")
    assert enabled() == [False, False]
    armed = fault.switch("armed", after=2)
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert redis["admin_password"] not in kept + armed.stdout
    lab.eventually("the account is on", lambda: enabled() == [True, True])
    assert "its command succeeded" in fault.switch("disarmed").tasks[-1].message


def test_a_cut_network_is_made_whole(lab: RunningLab, playbooks: Playbooks, tmp_path: Path) -> None:
    def faulty() -> list[str]:
        return [name for name, link in lab.proxy("GET", "/proxies").items() if link["faulty"]]

    fault = Fault(playbooks, tmp_path, "network_cut", client="api", server="redis")
    fault.run("inject")
    assert faulty()
    fault.switch("armed", after=1)
    lab.eventually("no link is cut", lambda: not faulty())
    assert "its command succeeded" in fault.switch("disarmed").tasks[-1].message


# ---------------------------------------------------------------------- packets that the kernel drops

NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]


def no_namespace() -> str | None:
    """Why this machine cannot cut its own network; None when it can."""
    if shutil.which("iptables", path="/usr/sbin:/sbin:/usr/bin:/bin") is None or shutil.which("unshare") is None:
        return "iptables or unshare is not installed (apt-get install iptables util-linux)"
    tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no user namespaces here: {tried.stderr.strip()}"


# the servers have two addresses; the last rule is somebody else's
IPTABLES = """\
- name: A cut that nobody watches
  hosts: clients
  gather_facts: false
  tasks:
    - name: Somebody else's rule
      ansible.builtin.iptables: {chain: OUTPUT, destination: 127.0.0.9, protocol: tcp, jump: DROP, comment: not ours}
- import_playbook: ROOT/playbooks/faults/network_cut/inject.yml
- name: The cut is there
  hosts: clients
  gather_facts: false
  tasks:
    - name: The rules
      ansible.builtin.command: {argv: [iptables, -S, OUTPUT]}
      register: rules
      failed_when: rules.stdout.count('drillbook cut clients servers') != 2
- import_playbook: ROOT/playbooks/faults/network_cut/switch.yml
- name: The cut is gone
  hosts: clients
  gather_facts: false
  tasks:
    - name: The rules
      ansible.builtin.command: {argv: [iptables, -S, OUTPUT]}
      register: rules
      until: "'drillbook' not in rules.stdout"
      retries: 60
      delay: 0.5
      failed_when: "'drillbook' in rules.stdout or 'not ours' not in rules.stdout"
"""
HOSTS = """\
all:
  vars:
    ansible_connection: local
    ansible_become: false
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    drillbook_network_fault: iptables
  children:
    clients: {hosts: {client-1: {}}}
    servers: {hosts: {server-1: {ansible_host: 127.0.0.2}, server-2: {ansible_host: 127.0.0.3}}}
"""


@pytest.mark.skipif(no_namespace() is not None, reason=str(no_namespace()))
@pytest.mark.parametrize("after", [1, NEVER_S], ids=["it fires", "it does not"])
def test_dropped_packets_pass_again_and_other_rules_stay(
    tmp_path: Path, forked_modules: ForkedModules, after: int
) -> None:
    text = IPTABLES if after == 1 else IPTABLES.replace("retries: 60", "retries: 2")
    (tmp_path / "play.yml").write_text(text.replace("ROOT", str(ROOT)))
    (tmp_path / "hosts.yml").write_text(HOSTS)
    playbooks, switches = ROOT / "playbooks", tmp_path / "switches"
    variables = {
        "client": "clients",
        "server": "servers",
        "drillbook_switch": "armed",
        "drillbook_switch_id": "cut",
        "drillbook_switch_after": after,
        "drillbook_switch_folder": str(switches),
    }
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(tmp_path),
        # Ansible asks the system for root's home: not the user's own, who is root in the namespace only
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_LIBRARY": str(playbooks / "library"),
        "ANSIBLE_MODULE_UTILS": str(playbooks / "module_utils"),
        "ANSIBLE_ROLES_PATH": str(playbooks / "roles"),
    }
    done = subprocess.run(
        [*NAMESPACE, "ansible-playbook", "-i", "hosts.yml", "play.yml", "-e", json.dumps(variables)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * 2,
        check=False,
    )
    host = Host(tmp_path, forked_modules)
    host.ask("disarmed", "cut-client-1")
    assert (done.returncode == 0) == (after == 1), done.stdout + done.stderr
    if after != 1:
        assert "The rules" in done.stdout.split("The cut is gone")[1]
    assert host.processes() == []
