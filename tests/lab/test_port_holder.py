"""Who holds a port is found by the socket, and only that process is ended."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.modules import ForkedModules

pytestmark = pytest.mark.lab

LISTENS = """\
import socket
held = socket.create_server(("127.0.0.1", 0))
print(held.getsockname()[1], flush=True)
input()
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTENS


class Process:
    """A Python that listens on a port of its own."""

    def __init__(self, program: str = LISTENS) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def twins() -> Iterator[tuple[Process, Process]]:
    """Two processes that look alike and differ in their ports."""
    made = Process(), Process()
    yield made
    for each in made:
        each.close()


def test_the_one_that_listens_there_is_found(forked_modules: ForkedModules, twins: tuple[Process, Process]) -> None:
    one, _ = twins
    found = forked_modules.run("port_holder", {"port": one.port})
    assert [each["pid"] for each in found["holders"]] == [one.process.pid]
    assert "create_server" in found["holders"][0]["command"]
    assert (found["changed"], found["ended"]) == (False, [])
    assert one.process.poll() is None


def test_it_is_ended_and_its_twin_is_not(forked_modules: ForkedModules, twins: tuple[Process, Process]) -> None:
    one, other = twins
    ended = forked_modules.run("port_holder", {"port": one.port, "state": "free"})
    assert (ended["changed"], ended["ended"]) == (True, [one.process.pid])
    assert one.process.wait(10) == -15
    assert other.process.poll() is None
    again = forked_modules.run("port_holder", {"port": one.port, "state": "free"})
    assert (again["changed"], again["holders"]) == (False, [])


def test_whoever_may_hold_it_is_spared(forked_modules: ForkedModules, twins: tuple[Process, Process]) -> None:
    one, _ = twins
    spared = forked_modules.run("port_holder", {"port": one.port, "state": "free", "spare": [one.process.pid, 0]})
    assert (spared["changed"], spared["ended"]) == (False, [])
    assert one.process.poll() is None


def test_one_that_does_not_heed_it_is_killed(forked_modules: ForkedModules) -> None:
    stubborn = Process(STUBBORN)
    try:
        forked_modules.run("port_holder", {"port": stubborn.port, "state": "free", "patience": 1})
        assert stubborn.process.wait(10) == -9
    finally:
        stubborn.close()


def test_a_client_of_the_port_does_not_hold_it(forked_modules: ForkedModules, twins: tuple[Process, Process]) -> None:
    one, _ = twins
    with socket.create_connection(("127.0.0.1", one.port)):
        found = forked_modules.run("port_holder", {"port": one.port})
    assert [each["pid"] for each in found["holders"]] == [one.process.pid]


def test_the_network_is_that_of_the_process_that_is_named(
    forked_modules: ForkedModules, twins: tuple[Process, Process]
) -> None:
    one, other = twins
    here = forked_modules.run("port_holder", {"port": one.port, "network_of": other.process.pid})
    assert [each["pid"] for each in here["holders"]] == [one.process.pid]
    gone = forked_modules.run("port_holder", {"port": one.port, "network_of": 2**22 + 1})
    assert gone["failed"]
    assert "there is no process" in gone["msg"]
