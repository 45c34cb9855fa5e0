# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)
"""However a warm run, its server or pytest ends: nothing of it goes on, and nobody else's process is touched."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from drillbook.target.ansible.processes import is_alive
from drillbook.target.ansible.run import Ended, run_ansible
from drillbook.target.ansible.warm.client import _SHIM, Warm

from .support import ROOT, assert_that_only_the_service_is_left, sleeping

pytestmark = pytest.mark.lab

DEADLINE_S = 60
HOSTS = """\
[web]
web-1
web-2
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""
HANGS = """\
- hosts: web
  gather_facts: false
  tasks:
    - name: A service is started
      ansible.builtin.shell: setsid sleep {service} < /dev/null > /dev/null 2>&1 & echo $!
      when: inventory_hostname == "web-1"
    - name: It hangs, and hears no signal
      ansible.builtin.shell: |
        trap '' TERM INT HUP
        sleep {hang} & sleep {hang}; sleep {hang}
"""
IN_THE_BACKGROUND = """\
- hosts: web-1
  gather_facts: false
  tasks:
    - name: It is waited for in the background
      ansible.builtin.command: sleep {hang}
      async: 600
      poll: 1
"""


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll a condition to a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not so within {DEADLINE_S} s: {what}")
        time.sleep(0.02)  # a poll with a deadline, not a guess at how long something takes


class Repository:
    """A repository with a warm Ansible, and a play that hangs for seconds that no other process sleeps."""

    count = 0

    def __init__(self, root: Path, warm: Warm | None = None) -> None:
        self.root = root
        self.said: list[str] = []
        (root / "hosts.ini").write_text(HOSTS)
        self.begin()
        program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
        self.warm = Warm(root, (), program, self.said.append) if warm is None else warm

    def begin(self) -> None:
        """As for the first test."""
        Repository.count += 1
        own = f"{Repository.count}.{os.getpid()}"
        self.hang, self.service = f"34{own}", f"44{own}"
        self.play(HANGS)
        self.said.clear()
        self._others = psutil.Process().children()  # of the tests before this one

    def play(self, text: str) -> None:
        (self.root / "play.yml").write_text(text.format(hang=self.hang, service=self.service))

    @property
    def server(self) -> psutil.Process:
        assert self.warm.server is not None
        return psutil.Process(self.warm.server)

    @property
    def modules(self) -> psutil.Process:
        """The server that becomes the modules of the plays."""
        found: psutil.Process
        (found,) = [each for each in self.server.children() if "drillbook-warm-modules" in each.cmdline()]
        return found

    def children(self) -> list[psutil.Process]:
        """The processes that a run has started, without the server."""
        return [each for each in psutil.Process().children() if each not in (*self._others, self.server)]

    def run(self, cancel: threading.Event | None = None) -> Ended:
        return run_ansible(
            self.root / "play.yml",
            self.root / "hosts.ini",
            root=self.root,
            timeout_s=600,
            cancel=cancel,
            on_event=lambda _event: None,
            warm=self.warm,
        )

    def hanging(self, hosts: int = 2) -> list[psutil.Process]:
        """All processes of the run, once it hangs."""
        wait_for(lambda: len(sleeping(self.hang)) >= 2 * hosts, "the play hangs")
        seen = set(self.server.children(recursive=True)) | set(sleeping(self.hang))
        seen |= set(self.children())
        seen.discard(self.modules)
        assert len(seen) > 4 * hosts
        return sorted(seen, key=lambda process: int(process.pid))

    def shim(self) -> psutil.Process:
        found: psutil.Process
        (found,) = [each for each in psutil.Process().children() if any("shim.py" in word for word in each.cmdline())]
        return found

    def assert_that_only_the_service_is_left(self, seen: list[psutil.Process]) -> None:
        assert_that_only_the_service_is_left(seen, self.hang, self.service)

    def under_way(self) -> tuple[threading.Thread, list[Ended]]:
        ended: list[Ended] = []
        thread = threading.Thread(target=lambda: ended.append(self.run()))
        thread.start()
        return thread, ended


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path)
    yield made
    made.warm.close()
    assert not made.warm.folder.exists()
    for process in sleeping(made.hang) + sleeping(made.service):  # a failed test leaves none either
        process.kill()


@pytest.fixture(scope="module")
def server_of_several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    made = Repository(tmp_path_factory.mktemp("lasting"))
    yield made
    made.warm.close()


@pytest.fixture
def lasting(server_of_several: Repository) -> Iterator[Repository]:
    """With a server that outlives the test: it starts in 1 s of a processor."""
    server_of_several.begin()
    yield server_of_several
    for process in sleeping(server_of_several.hang) + sleeping(server_of_several.service):
        process.kill()
    assert is_alive(server_of_several.server)


def test_a_cancelled_run_ends_and_the_server_goes_on(lasting: Repository) -> None:
    seen: list[psutil.Process] = []
    cancel = threading.Event()

    def watch() -> None:
        seen.extend(lasting.hanging())
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    ended = lasting.run(cancel)
    lasting.assert_that_only_the_service_is_left(seen)
    assert (ended.status, ended.rc, ended.notes) == ("canceled", 254, ())
    lasting.play("- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n")
    assert lasting.run().status == "successful"
    assert lasting.said == []  # it was warm


def test_a_run_that_is_ended_before_its_play_has_begun(repository: Repository) -> None:
    """The server is still importing Ansible; the shim waits for it."""
    cancel = threading.Event()
    cancel.set()
    assert repository.run(cancel).status == "canceled"
    assert repository.children() == []
    repository.play("- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n")
    assert repository.run().status == "successful"
    others = [each for each in repository.server.children() if each != repository.modules]
    assert [each for each in others if "drillbook-warm-ansible" not in each.cmdline()] == []


def test_a_fork_that_is_killed_while_it_waits_costs_no_run(lasting: Repository) -> None:
    lasting.play("- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n")
    assert lasting.run().status == "successful"

    def waiting() -> list[psutil.Process]:
        return [each for each in lasting.server.children() if each != lasting.modules]

    wait_for(waiting, "a fork waits")
    for each in waiting():
        each.kill()
    assert lasting.run().status == "successful"
    assert lasting.said == []


def test_the_socket_is_private_and_what_is_no_shim_is_refused(lasting: Repository) -> None:
    path = lasting.warm.folder / "socket"
    assert [each.stat().st_mode & 0o777 for each in (path.parent, path)] == [0o700, 0o600]
    with socket.socket(socket.AF_UNIX) as other:
        other.settimeout(DEADLINE_S)
        other.connect(str(path))
        other.sendall(b"\0\0\0\5hello")
        assert b"does not understand" in other.recv(200)
    lasting.play("- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n")
    assert lasting.run().status == "successful"
    assert lasting.said == []


def test_a_background_job_ends_with_its_run(lasting: Repository) -> None:
    lasting.play(IN_THE_BACKGROUND)
    cancel = threading.Event()

    def watch() -> None:
        wait_for(lambda: sleeping(lasting.hang), "the job runs")
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    assert lasting.run(cancel).status == "canceled"
    assert sleeping(lasting.hang) == []


def test_another_run_goes_on_when_one_is_cancelled(lasting: Repository, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Repository(tmp_path / "other", lasting.warm)
    cancel = threading.Event()
    first = threading.Thread(target=lambda: lasting.run(cancel))
    second = threading.Thread(target=lambda: other.run(stop))
    stop = threading.Event()
    first.start()
    second.start()
    try:
        wait_for(lambda: len(sleeping(lasting.hang)) >= 4 and len(sleeping(other.hang)) >= 4, "both hang")
        cancel.set()
        first.join()
        assert sleeping(lasting.hang) == []
        assert len(sleeping(other.hang)) == 4
    finally:
        cancel.set()
        stop.set()
        second.join()
    for service in sleeping(lasting.service) + sleeping(other.service):
        service.kill()


def test_the_run_ends_when_its_shim_is_killed(lasting: Repository) -> None:
    thread, ended = lasting.under_way()
    seen = lasting.hanging()
    lasting.shim().kill()
    thread.join()
    assert (ended[0].status, ended[0].rc) == ("failed", 254)
    lasting.assert_that_only_the_service_is_left(seen)


def test_the_run_ends_when_the_server_is_killed_and_the_next_is_cold(repository: Repository) -> None:
    thread, ended = repository.under_way()
    seen, modules = repository.hanging(), repository.modules
    repository.server.kill()
    thread.join()
    assert (ended[0].status, ended[0].rc) == ("failed", 254)
    repository.assert_that_only_the_service_is_left(seen)
    wait_for(lambda: not is_alive(modules), "the server of modules ends, which is the session's and not the run's")
    repository.play("- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n")
    assert [repository.run().status, repository.run().status] == ["successful", "successful"]
    assert repository.said == ["playbooks start a cold Ansible: the warm server has ended"]


def test_a_module_ends_with_its_shim(lasting: Repository) -> None:
    """As it would if the Python that was started for it were killed."""
    thread, ended = lasting.under_way()
    seen = lasting.hanging()
    of_modules = [
        each
        for each in lasting.server.children(recursive=True)
        if each.cmdline()[-1].rpartition("/")[2].startswith("AnsiballZ_") and str(_SHIM) in each.cmdline()
    ]
    assert len(of_modules) == 2
    for each in of_modules:
        each.kill()
    thread.join()
    assert (ended[0].status, ended[0].rc) == ("failed", 2)
    lasting.assert_that_only_the_service_is_left(seen)


def test_modules_are_cold_when_their_server_was_killed(repository: Repository) -> None:
    repository.play("- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: echo done\n")
    ran = repository.warm.folder / "modules/ran"
    assert repository.run().status == "successful"
    assert len(ran.read_text().splitlines()) == 1
    assert repository.said == []
    repository.modules.kill()
    assert [repository.run().status, repository.run().status] == ["successful", "successful"]
    assert len(ran.read_text().splitlines()) == 1
    assert repository.said == ["modules start a Python each: their server has ended"]


def test_closing_ends_what_still_runs(repository: Repository) -> None:
    thread, ended = repository.under_way()
    seen = [*repository.hanging(), repository.server, repository.modules]
    repository.warm.close()
    thread.join()
    repository.assert_that_only_the_service_is_left(seen)
    assert ended[0].status == "failed"


OWNER = """\
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.lab.test_warm_ends import Repository
repository = Repository(Path({root!r}))
print(repository.hang, repository.service, repository.server.pid, repository.warm.folder, flush=True)
try:
    repository.run()
except KeyboardInterrupt:
    repository.warm.close()
    print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_goes_on_when_the_process_that_owns_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM without a handler ends a process as abruptly as SIGKILL does."""
    program = textwrap.dedent(OWNER).format(tests=str(ROOT), root=str(tmp_path))
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    hang, service, server, folder = owner.stdout.readline().split()
    wait_for(lambda: len(sleeping(hang)) >= 4, "the play hangs")
    seen = psutil.Process(owner.pid).children(recursive=True) + sleeping(hang)
    assert int(server) in {process.pid for process in seen}
    owner.send_signal(number)
    owner.wait(DEADLINE_S)
    owner.stdout.close()
    services = sleeping(service)
    wait_for(lambda: not [each for each in seen if each not in services and is_alive(each)], "all have ended")
    assert sleeping(hang) == []
    assert len(services) == 1  # what a finished task has started is the system's
    services[0].kill()
    wait_for(lambda: not Path(folder).exists(), "the private folder is gone")


def test_nothing_is_left_when_the_owner_is_killed_before_the_server_is_ready(tmp_path: Path) -> None:
    program = textwrap.dedent(OWNER).format(tests=str(ROOT), root=str(tmp_path))
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    _hang, _service, server, folder = owner.stdout.readline().split()
    process = psutil.Process(int(server))
    owner.kill()
    owner.wait(DEADLINE_S)
    owner.stdout.close()
    wait_for(lambda: not is_alive(process), "the server has ended")
    wait_for(lambda: not Path(folder).exists(), "the private folder is gone")
