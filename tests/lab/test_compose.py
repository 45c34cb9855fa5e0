"""The lab in containers: a real engine, real limits, a way into each container. The machine is as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drillbook.clients import container_events
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing import container
from drillbook_lab.base.poll import until
from drillbook_lab.compose import needs
from drillbook_lab.compose.lab import ComposeLab
from drillbook_lab.compose.layout import CONTAINERS
from tests.hosts.support import of_the_lab, this_machine
from tests.support import ROOT

pytestmark = [
    pytest.mark.compose,
    pytest.mark.skipif(bool(needs.missing()), reason=f"no containers here: {'; '.join(needs.missing())}"),
]


class Containers:
    """Containers that are up, and ways to them."""

    def __init__(self, lab: ComposeLab, told: Mapping[str, Any], before: Mapping[str, str]) -> None:
        self.lab, self.told, self.before = lab, told, before

    def docker(self, *words: str) -> str:
        done = subprocess.run(
            [self.told["docker"]["command"], *words], capture_output=True, text=True, check=False, timeout=120
        )
        return (done.stdout + done.stderr).strip()

    def compose(self, *words: str) -> str:
        return self.docker("compose", "--file", self.told["docker"]["compose_file"], *words)

    def within(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [*self.lab.network(), *(f"{name}={value}" for name, value in environment.items()), *command]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)

    def endpoint(self, name: str) -> Endpoint:
        return Endpoint(name, EndpointKind.CONTAINER, self.told["docker"]["url"], container=name, timeout_s=10)

    def look(self, name: str) -> Mapping[str, Any]:
        engine = container.client(self.endpoint(name))
        try:
            return container.look(engine, name)[1]
        finally:
            engine.close()

    def start(self, name: str) -> None:
        self.docker("start", name)
        until(lambda: self.look(name)["state"] == "running", what=name, within_s=30)

    def play(self, folder: Path, *tasks: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run tasks in the container of the API, by our connection."""
        plugins = ROOT / "src/drillbook/target/ansible/plugins/connection"
        play = {"name": "x", "hosts": "all", "gather_facts": False, "tasks": list(tasks)}
        (folder / "play.yml").write_text(json.dumps([play]))
        known = {
            "ansible_host": "api",
            "ansible_connection": "container",
            "ansible_container_engine_url": self.told["docker"]["url"],
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": "/tmp",
        }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"shop": known}}}))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.json", "play.yml"]
        environment = {"ANSIBLE_CONNECTION_PLUGINS": str(plugins), "ANSIBLE_LOCALHOST_WARNING": "0"}
        words = [*self.lab.network(), *(f"{name}={value}" for name, value in environment.items()), *command]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, cwd=folder)


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    before = this_machine()
    lab = ComposeLab(tmp_path_factory.mktemp("c") / "compose")
    told = lab.up()
    yield Containers(lab, told, before)
    # its containers and its mounts are there without it
    os.kill(int((lab.state / "engine" / "pid").read_text()), signal.SIGKILL)
    lab.down()
    left = of_the_lab(this_machine(), told["id"])
    assert not any(left.values()), left
    assert [path.name for path in lab.state.iterdir()] == [".lock"]


def test_each_part_is_a_container_of_an_image_that_no_registry_has(containers: Containers) -> None:
    seen = containers.docker("ps", "--format", "{{.Names}} {{.Image}} {{.State}}").splitlines()
    assert {line.split()[0] for line in seen if line.endswith(" running")} == set(CONTAINERS)
    assert {line.split()[1].partition(":")[0] for line in seen} == {"drillbook/lab", "drillbook/api"}
    socket = Path(containers.told["docker"]["url"].removeprefix("unix://"))
    assert (socket.stat().st_uid, socket.stat().st_mode & 0o007) == (0, 0)
    assert containers.lab.state.stat().st_mode & 0o077 == 0


def test_the_machine_is_as_it_was(containers: Containers) -> None:
    now = this_machine()
    for name in ("links", "routes", "rules", "forwarding"):
        assert now[name] == containers.before[name], name
    prefix = containers.told["id"]
    seen = of_the_lab(now, prefix)
    assert [line.split()[:2] for line in seen["mounts"]] == [["nsfs", f"/run/netns/{prefix}"]]
    assert seen["cgroups"] != []
    # a twin: the engine has mounts and rules, and they are its own
    own = containers.within("sh", "-c", "/usr/sbin/iptables-save; ip -o link").stdout
    assert "DOCKER" in own
    assert "br-" in own


def test_a_container_that_runs_is_reached_and_a_stopped_one_is_unreachable(
    containers: Containers, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("a line\n")
    tasks = (
        {"name": "a file goes there", "ansible.builtin.copy": {"src": "a", "dest": "/tmp/a", "mode": "0600"}},
        {"name": "it is read", "ansible.builtin.command": "cat /tmp/a", "register": "read"},
        {"name": "it is the same", "ansible.builtin.assert": {"that": "read.stdout == 'a line'"}},
        {"name": "it comes back", "ansible.builtin.fetch": {"src": "/tmp/a", "dest": "back", "flat": True}},
    )
    done = containers.play(tmp_path, *tasks)
    assert "unreachable=0    failed=0" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "back").read_text() == "a line\n"
    failing = containers.play(tmp_path, {"name": "no", "ansible.builtin.command": "false"})
    assert "unreachable=0    failed=1" in failing.stdout
    containers.docker("stop", "api")
    try:
        stopped = containers.play(tmp_path, tasks[1])
    finally:
        containers.start("api")
    assert "unreachable=1    failed=0" in stopped.stdout
    assert "the container api does not run" in stopped.stdout + stopped.stderr


def test_an_engine_starts_what_crashed_and_leaves_alone_what_was_killed_by_hand(containers: Containers) -> None:
    """`sink` has the restart policy `always`."""
    before = containers.look("sink")
    pid = containers.docker("inspect", "--format", "{{.State.Pid}}", "sink")
    since = time.monotonic()
    subprocess.run(["kill", "-KILL", pid], check=True)
    until(lambda: containers.look("sink")["restarts"] == before["restarts"] + 1, what="a restart", within_s=30)
    until(lambda: containers.look("sink")["state"] == "running", what="the container", within_s=30)
    assert len(container_events(containers.endpoint("sink"), "die", since)) == 1
    containers.docker("kill", "sink")
    try:
        until(lambda: containers.look("sink")["state"] == "exited", what="its end", within_s=30)
        assert containers.look("sink")["exit_code"] == 137
        assert len(container_events(containers.endpoint("sink"), "kill", since)) == 1
        # an engine decides it when the container ends: the one start is that after the crash
        assert len(container_events(containers.endpoint("sink"), "start", since)) == 1
        assert containers.look("sink")["restarts"] == before["restarts"] + 1
    finally:
        containers.start("sink")


def test_an_api_that_hangs_is_called_unhealthy(containers: Containers) -> None:
    until(lambda: containers.look("api")["health"] == "healthy", what="the API", within_s=60)
    pid = containers.docker("inspect", "--format", "{{.State.Pid}}", "api")
    subprocess.run(["kill", "-STOP", pid], check=True)
    try:
        until(lambda: containers.look("api")["health"] == "unhealthy", what="the API to hang", within_s=60)
        assert containers.look("api")["state"] == "running"
    finally:
        subprocess.run(["kill", "-CONT", pid], check=True)
    until(lambda: containers.look("api")["health"] == "healthy", what="the API", within_s=60)


def test_a_container_that_wants_more_memory_than_it_may_have_is_killed(containers: Containers) -> None:
    before = containers.look("worker-3")
    assert before["memory"]["limit_bytes"] == 256 * 1024 * 1024
    since = time.monotonic()
    said = containers.docker("exec", "worker-3", "python3", "-c", "held = bytearray(512 * 1024 * 1024)")
    assert "Traceback" not in said
    # the one that asked for too much is killed, and the worker itself goes on
    told = container_events(containers.endpoint("worker-3"), "oom", since)
    assert len(told) >= 1
    assert containers.look("worker-3")["state"] == "running"
    assert container_events(containers.endpoint("worker-2"), "oom", since) == []


def test_a_drill_on_containers_passes(containers: Containers, tmp_path: Path) -> None:
    drill = [sys.executable, "-m", "pytest", "containers/containers.feature", "-k", "crashes", "-p", "no:cacheprovider"]
    where = ["--inventory", "inventories/compose", "--evidence", str(tmp_path / "evidence")]
    state = str(containers.lab.state.parent)
    name = f"compose-{containers.told['id']}"
    done = containers.within(*drill, *where, DRILLBOOK_LAB_STATE=state, DRILLBOOK_LAB_NAME=name)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "PASSED: recovered in" in done.stdout
