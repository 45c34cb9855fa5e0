# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)
"""Playbooks run by the real Ansible: each pitfall of ansible-runner, with a play that would fall into it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pexpect
import psutil
import pytest

from drillbook.errors import PlaybookError
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.playbooks import Playbooks
from drillbook.target.ansible.result import PlayResult, TaskStatus
from drillbook.target.ansible.selection import Selection
from drillbook.target.ansible.warm.client import Warm
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import Environment, EnvironmentKind

from .support import ROOT, assert_that_only_the_service_is_left, sleeping

pytestmark = pytest.mark.lab

HOSTS = """\
[web]
web-1
web-2
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""
SECRET = "correct-horse-battery"
SHELL_SECRET = "only-of-the-callers-shell"


class Repository:
    """A drill repository in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.redactor = Redactor()
        self.warm: Warm | None = None
        self.write("inventory/hosts.ini", HOSTS)
        self.inventory = Inventory(root / "inventory", Environment("test", EnvironmentKind.LAB))

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def playbooks(self, **options: object) -> Playbooks:
        inventory = self.inventory
        return Playbooks(
            self.root,
            inventory.path,
            inventory.connection_env,
            self.redactor,
            warm=self.warm,
            **options,  # type: ignore[arg-type]
        )

    def run(self, text: str, variables: dict[str, object] | None = None, **options: object) -> PlayResult:
        self.write("playbooks/play.yml", text)
        return self.playbooks().run(Path("playbooks/play.yml"), variables or {}, **options)  # type: ignore[arg-type]


@contextmanager
def warm_or_cold(root: Path, *, warm: bool) -> Iterator[Repository]:
    """A repository whose plays are forks of a server; or are not."""
    repository = Repository(root)
    if not warm:
        yield repository
        return
    cold: list[str] = []
    repository.warm = Warm(root, (), Path(sys.executable).with_name("ansible-playbook"), cold.append)
    try:
        yield repository
        assert cold == []
    finally:
        repository.warm.close()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """For what Ansible and our reading of it do in either way: a cold start takes three times the processor's time.

    A test of the start itself, of the environment, of ansible.cfg or of how processes end takes a cold one.
    """
    with warm_or_cold(tmp_path_factory.mktemp("repository"), warm=True) as repository:
        yield repository


@pytest.fixture
def fresh(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


ALL_KINDS = """\
- name: Everything that may happen
  hosts: web
  gather_facts: false
  tasks:
    - name: Nothing changes
      ansible.builtin.command: echo {{ greeting }} {{ api_token }}
      changed_when: false
    - name: Something changes
      ansible.builtin.command: "true"
      when: inventory_hostname == "web-1"
    - name: A block
      block:
        - name: It fails and is rescued
          ansible.builtin.command: ls /nonexistent-for-the-rescue
      rescue:
        - name: The rescue
          ansible.builtin.debug:
            msg: saved
    - name: It fails and is ignored
      ansible.builtin.fail:
        msg: "ignored because of {{ api_token }}"
      ignore_errors: true
    - name: It is hidden
      ansible.builtin.fail:
        msg: the-hidden-message
      no_log: true
      ignore_errors: true
    - name: Only pretended
      ansible.builtin.file:
        path: "{{ playbook_dir }}/pretended"
        state: touch
        mode: "0600"
      check_mode: true
    - name: The environment
      ansible.builtin.command: env
      changed_when: false
      register: env
    - name: It fails
      ansible.builtin.fail:
        msg: on purpose
      when: inventory_hostname == "web-2"
- name: Nobody is there
  hosts: nobody
  tasks: []
"""


@pytest.fixture(scope="module")
def everything(repository: Repository) -> Iterator[SimpleNamespace]:
    """One run with one result of each kind, and what was seen of it from outside."""
    told: list[str] = []
    command_lines: list[str] = []
    private: dict[str, object] = {}
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def on_task(name: str) -> None:
        told.append(name)
        if name != "Something changes":
            return
        ours = {each.pid for each in psutil.Process().children(recursive=True)}  # others may run plays here
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            command_lines.append(" ".join(words))
            for word in words:
                if process.pid in ours and word.startswith("@") and word.endswith("/env/extravars"):
                    folder = Path(word[1:]).parents[1]
                    private["modes"] = {
                        str(path.relative_to(folder)): path.stat().st_mode & 0o777
                        for path in (folder, Path(word[1:]), folder / "env")
                    }
                    private["command"] = next(folder.glob("artifacts/*/command")).read_text()
                    private["events"] = len(list(folder.glob("artifacts/*/job_events/*.json")))
                    private["folder"] = folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SHELL_SECRET)
        patch.setenv("ANSIBLE_FORCE_COLOR", "1")
        patch.setenv("DRILLBOOK_OF_OURS", "reaches the play")
        patch.setenv("PATH", "/usr/bin:/bin")  # the environment of Python is not activated
        repository.write("playbooks/everything.yml", ALL_KINDS)
        repository.redactor.add("api_token", SECRET)
        result = repository.playbooks(on_task=on_task).run(
            Path("playbooks/everything.yml"), {"greeting": "hello", "api_token": SECRET}
        )
    after = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield SimpleNamespace(
        result=result, told=told, command_lines=command_lines, private=private, handlers=(before, after)
    )


def of(result: PlayResult, task: str, host: str = "web-1") -> TaskStatus:
    (status,) = [each.status for each in result.tasks if (each.task, each.host) == (task, host)]
    return status


def test_each_kind_of_result_is_told_from_the_others(everything: SimpleNamespace) -> None:
    result = everything.result
    assert of(result, "Nothing changes") is TaskStatus.OK
    assert of(result, "Something changes") is TaskStatus.CHANGED
    assert of(result, "Something changes", "web-2") is TaskStatus.SKIPPED
    assert of(result, "It fails and is rescued") is TaskStatus.RESCUED
    assert of(result, "It fails and is ignored") is TaskStatus.IGNORED
    assert of(result, "It fails", "web-1") is TaskStatus.SKIPPED
    assert of(result, "It fails", "web-2") is TaskStatus.FAILED
    assert (result.status, result.rc, result.successful) == ("failed", 2, False)
    assert result.hosts["web-1"].rescued == 1
    assert result.hosts["web-2"].failed == 1
    assert result.last_tasks["web-2"].task == "It fails"
    assert result.first_change.task == "Something changes"


def test_everything_that_is_no_clean_success_is_said(everything: SimpleNamespace) -> None:
    said = everything.result.unsaid()
    line = ALL_KINDS[: ALL_KINDS.index("- name: It fails\n")].count("\n") + 1
    assert f'Failed: "It fails" on web-2 (playbooks/everything.yml:{line}): on purpose' in said
    assert any(each.startswith('Failed, and rescued: "It fails and is rescued" on web-1') for each in said)
    assert any(each.startswith('Failed, and ignored: "It fails and is ignored" on web-2') for each in said)
    assert 'The task "Only pretended" ran in check mode: it changed nothing.' in said


def test_what_a_failed_command_printed_is_in_its_message(everything: SimpleNamespace) -> None:
    (task,) = [each for each in everything.result.tasks if each.task.endswith("rescued") and each.host == "web-1"]
    assert "/nonexistent-for-the-rescue" in task.message


def test_times_are_those_of_the_monotonic_clock_in_order(everything: SimpleNamespace) -> None:
    result = everything.result
    assert all(result.started_s <= task.started_s <= task.ended_s <= result.ended_s for task in result.tasks)
    starts = [task.started_s for task in result.tasks if task.host == "web-1"]
    assert starts == sorted(starts)


def test_every_task_is_told_as_it_starts(everything: SimpleNamespace) -> None:
    assert everything.told[:2] == ["Nothing changes", "Something changes"]


def test_events_are_written_because_the_handler_says_so(everything: SimpleNamespace) -> None:
    assert everything.private["events"] > 3


def test_a_secret_is_on_no_command_line_and_in_no_result(everything: SimpleNamespace) -> None:
    assert any("extravars" in line for line in everything.command_lines)  # the play was seen
    assert not [line for line in everything.command_lines if SECRET in line]
    assert SECRET not in everything.private["command"]
    assert SECRET not in repr(everything.result)
    assert "[REDACTED:api_token]" in everything.result.stdout


def test_what_no_log_hides_stays_hidden(everything: SimpleNamespace) -> None:
    """Core 2.19 prints the message of a failed task that says no_log."""
    assert "the-hidden-message" not in repr(everything.result)
    assert "the-hidden-message" not in repr(everything.result.unsaid())


def test_the_shell_of_the_caller_does_not_leak(everything: SimpleNamespace) -> None:
    assert SHELL_SECRET not in everything.private["command"]
    assert "AWS_SECRET_ACCESS_KEY" not in everything.private["command"]
    assert "DRILLBOOK_OF_OURS" in everything.private["command"]
    assert "\x1b" not in everything.result.stdout


def test_the_private_directory_is_private_and_gone(everything: SimpleNamespace) -> None:
    assert everything.private["modes"] == {".": 0o700, "env/extravars": 0o600, "env": 0o700}
    assert not everything.private["folder"].exists()


def test_signal_handlers_are_left_as_they_were(everything: SimpleNamespace) -> None:
    before, after = everything.handlers
    assert before == after


def test_a_record_is_json(everything: SimpleNamespace) -> None:
    import json

    record = json.loads(json.dumps(everything.result.as_record()))
    assert record["hosts"]["web-1"]["ignored"] == 2
    assert {task["status"] for task in record["tasks"]} >= {"ok", "changed", "failed", "ignored", "rescued", "skipped"}


def test_the_environment_of_a_play_is_the_white_list(fresh: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SHELL_SECRET)
    monkeypatch.setenv("KUBECONFIG", "/named/by/pass_env")
    fresh.write(
        "playbooks/play.yml",
        """\
        - hosts: web-1
          gather_facts: true
          tasks:
            - ansible.builtin.command: env
              changed_when: false
              register: env
            - ansible.builtin.copy:
                content: "{{ env.stdout }}\\n{{ ansible_env }}"
                dest: "{{ playbook_dir }}/env"
                mode: "0600"
        """,
    )
    fresh.playbooks(pass_env=["KUBECONFIG"]).run(Path("playbooks/play.yml"))
    seen = (fresh.root / "playbooks/env").read_text()
    assert SHELL_SECRET not in seen
    assert "KUBECONFIG=/named/by/pass_env" in seen
    assert "HOME=" in seen


def test_nothing_of_one_run_is_in_the_next(warmed: Repository) -> None:
    """ansible-runner writes env/ once, and prefers the file: the second run would print the variable of the first."""
    text = """\
        - hosts: web-1
          gather_facts: false
          tasks:
            - name: Which
              ansible.builtin.debug:
                msg: "{{ which }} {{ only_of_the_first | default('gone') }}"
        """
    first = warmed.run(text, {"which": "one", "only_of_the_first": "here"})
    second = warmed.run(text, {"which": "two"})
    assert [first.tasks[0].message, second.tasks[0].message] == ["one here", "two gone"]


def test_a_run_that_matches_no_host_says_so(warmed: Repository) -> None:
    result = warmed.run("- hosts: nobody\n  tasks: []\n")
    assert (result.rc, result.matched, result.changed) == (0, False, False)
    assert result.unsaid() == ("No host matched: playbooks/play.yml did nothing.",)
    assert any("nobody" in warning for warning in result.warnings)


@pytest.mark.parametrize("ends", ["- meta: end_play", "- meta: end_host", "[]"])
def test_a_run_that_is_over_before_its_tasks_is_not_told_as_one_without_hosts(warmed: Repository, ends: str) -> None:
    result = warmed.run(f"- hosts: web-1\n  gather_facts: false\n  tasks:\n    {ends}\n")
    assert result.successful and not result.plays_without_hosts
    (said,) = result.unsaid()
    assert said.startswith("No task ran: playbooks/play.yml has none, tags left them out, or it ended before them")


def test_variables_of_any_json_kind_and_paths_arrive(warmed: Repository) -> None:
    result = warmed.run(
        """\
        - hosts: web-1
          gather_facts: false
          tasks:
            - ansible.builtin.assert:
                that:
                  - number == 3
                  - flag is true
                  - words == ["a", "b"]
                  - path == "/srv/x"
                  - quoted == wanted
              vars:
                wanted: >-
                  it's "q"
        """,
        {"number": 3, "flag": True, "words": ["a", "b"], "path": Path("/srv/x"), "quoted": 'it\'s "q"'},
    )
    assert result.unsaid() == ()


def test_the_ansible_cfg_of_the_repository_is_honoured(fresh: Repository) -> None:
    fresh.write("elsewhere/said/tasks/main.yml", "- ansible.builtin.debug:\n    msg: from the role elsewhere\n")
    fresh.write("ansible.cfg", "[defaults]\nroles_path = elsewhere\n")
    result = fresh.run("- hosts: web-1\n  gather_facts: false\n  roles: [said]\n")
    assert [task.message for task in result.tasks] == ["from the role elsewhere"]


def test_roles_and_modules_of_the_repository_are_found(warmed: Repository) -> None:
    warmed.write("playbooks/roles/said/tasks/main.yml", "- our_module:\n")
    warmed.write(
        "playbooks/library/our_module.py",
        """\
        from ansible.module_utils.basic import AnsibleModule
        AnsibleModule({}).exit_json(changed=True, msg="from our module")
        """,
    )
    result = warmed.run("- hosts: web-1\n  gather_facts: false\n  roles: [said]\n")
    assert [task.message for task in result.tasks] == ["from our module"]
    assert result.changed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- hosts: [\n", r"play\.yml cannot be run: YAML parsing failed.*\(playbooks/play\.yml:\d+:\d+\)"),
        ("- hosts: web\n  roles: [nowhere]\n", r"the role 'nowhere' was not found.*\(playbooks/play\.yml:2:\d+\)"),
    ],
)
def test_a_playbook_that_is_none_is_one_sentence_with_file_and_line(warmed: Repository, text: str, why: str) -> None:
    with pytest.raises(PlaybookError, match=why) as raised:
        warmed.run(text)
    assert "\n" not in str(raised.value)


def test_a_file_that_fails_in_the_middle_is_a_failed_play_that_says_so(warmed: Repository) -> None:
    warmed.write("playbooks/bad.yml", "- foo: [\n")
    result = warmed.run(
        "- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_tasks: bad.yml\n"
    )
    assert not result.successful
    assert any("YAML parsing failed" in said and "playbooks/bad.yml" in said for said in result.unsaid())


# Ending a play early: nothing of it may go on.

SLEEPS = """\
- hosts: web
  gather_facts: false
  tasks:
    - name: A service is started
      ansible.builtin.shell: |
        setsid sleep {service} < /dev/null > /dev/null 2>&1 & echo $!
      when: inventory_hostname == "web-1"
    - name: It hangs
      ansible.builtin.shell: |
        trap '' TERM INT HUP
        sleep {hang} & sleep {hang}; sleep {hang}
"""


class Watched:
    """A play that hangs, and the processes that were part of it when it did."""

    def __init__(self, number: int) -> None:
        own = f"{number}.{os.getpid()}"  # seconds that no other process sleeps
        self.hang, self.service = f"32{own}", f"42{own}"
        self.others = psutil.Process().children(recursive=True)  # of the tests before this one
        self.seen: list[psutil.Process] = []
        self.hanging = threading.Event()

    @property
    def text(self) -> str:
        return SLEEPS.format(hang=self.hang, service=self.service)

    def watch(self) -> None:
        """Wait until both hosts hang, and remember every process of the play."""
        while len(sleeping(self.hang)) < 4:
            threading.Event().wait(0.05)
        mine = [each for each in psutil.Process().children(recursive=True) if each not in self.others]
        self.seen = mine + sleeping(self.hang)
        self.hanging.set()

    def assert_that_only_the_service_is_left(self) -> None:
        assert len(self.seen) > 6
        assert_that_only_the_service_is_left(self.seen, self.hang, self.service)


def test_a_cancelled_play_ends_with_all_its_processes(fresh: Repository) -> None:
    watched = Watched(1)
    cancel = threading.Event()

    def watch() -> None:
        watched.watch()
        cancel.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    result = fresh.run(watched.text, cancel=cancel)
    watched.assert_that_only_the_service_is_left()
    assert (result.status, result.rc) == ("canceled", 254)
    assert result.unsaid()[0] == "The playbook playbooks/play.yml was cancelled."
    assert {task.host for task in result.tasks if task.status is TaskStatus.UNFINISHED} == {"web-1", "web-2"}
    assert result.touched == ("web-1", "web-2")


def test_a_play_that_takes_too_long_ends_with_all_its_processes(
    fresh: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(2)
    monkeypatch.setattr("drillbook.target.ansible.run.time.monotonic", _jump_after(watched.hanging))
    watcher = threading.Thread(target=watched.watch, daemon=True)
    watcher.start()
    result = fresh.run(watched.text, timeout_s=3_600)
    monkeypatch.undo()
    watched.assert_that_only_the_service_is_left()
    assert (result.status, result.rc) == ("timeout", 254)
    assert result.unsaid()[0] == "The playbook playbooks/play.yml was ended because it took too long."


def _jump_after(event: threading.Event):  # type: ignore[no-untyped-def]
    """A clock that is an hour ahead once `event` is set: the time-out comes when the play hangs, not after so many
    seconds.
    """
    from time import monotonic

    return lambda: monotonic() + (3_601 if event.is_set() else 0)


INTERRUPTED = """\
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.lab.test_playbook_real import Repository, Watched
import os, signal, threading
watched = Watched({number})
def watch():
    watched.watch()
    os.kill(os.getpid(), signal.SIGINT)
    while not any(thread.name == "ansible-stop" for thread in threading.enumerate()):
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)  # while the play is being ended
threading.Thread(target=watch, daemon=True).start()
try:
    Repository(Path({root!r})).run(watched.text)
except KeyboardInterrupt:
    watched.assert_that_only_the_service_is_left()
    print("interrupted, and nothing is left")
"""


def test_ctrl_c_twice_ends_all_processes_and_then_goes_on(tmp_path: Path) -> None:
    program = INTERRUPTED.format(tests=str(ROOT), root=str(tmp_path), number=3)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "interrupted, and nothing is left", done.stderr


def test_pytest_exit_in_the_main_thread_ends_all_processes(tmp_path: Path) -> None:
    program = INTERRUPTED.format(tests=str(ROOT), root=str(tmp_path), number=4)
    program = program.replace("SIGINT", "SIGTERM").replace(
        "import os, signal, threading",
        "import os, signal, threading, pytest\n"
        "def leave(*_): pytest.exit('terminated')\n"
        "signal.signal(signal.SIGTERM, leave)",
    )
    program = program.replace("except KeyboardInterrupt", "except pytest.exit.Exception")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "interrupted, and nothing is left", done.stderr


def test_a_background_job_of_ansible_ends_with_its_play(fresh: Repository) -> None:
    text = """\
        - hosts: web-1
          gather_facts: false
          tasks:
            - name: It is waited for in the background
              ansible.builtin.command: sleep {hang}
              async: 600
              poll: 1
        """
    cancel = threading.Event()
    watched = Watched(5)

    def watch() -> None:
        while not sleeping(watched.hang):
            threading.Event().wait(0.05)
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    fresh.run(text.format(hang=watched.hang), cancel=cancel)
    assert sleeping(watched.hang) == []


def test_a_caller_that_fails_in_on_task_leaves_nothing_and_is_heard(fresh: Repository) -> None:
    def on_task(name: str) -> None:
        raise LookupError(name)

    fresh.write("playbooks/play.yml", "- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n")
    others = psutil.Process().children()  # of the tests before this one
    with pytest.raises(LookupError):
        fresh.playbooks(on_task=on_task).run(Path("playbooks/play.yml"))
    assert [each for each in psutil.Process().children() if each not in others] == []


def test_a_terminal_that_is_kept_open_does_not_hide_the_result(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ansible-runner waits 5 seconds for the end of the output, and then raises pexpect.TIMEOUT (its issue 1343)."""
    expect = pexpect.spawn.expect
    timeouts: set[object] = set()

    def expect_until_the_end(child: pexpect.spawn, pattern: object, *args: object, **options: object) -> object:
        timeouts.add(options.get("timeout"))
        found = expect(child, pattern, *args, **options)
        if pattern is pexpect.EOF:
            raise pexpect.TIMEOUT("as if something held the terminal")
        return found

    monkeypatch.setattr(pexpect.spawn, "expect", expect_until_the_end)
    play = """\
        - hosts: web-1
          gather_facts: false
          tasks:
            - ansible.builtin.assert: {{that: {works}}}
        """
    for works, status, rc in [(True, "successful", 0), (False, "failed", 2)]:
        result = repository.run(play.format(works=works))
        assert (result.status, result.rc, len(result.tasks)) == (status, rc, 1)
        assert any("keeps its terminal open" in warning for warning in result.warnings)
    assert (
        0.25 in timeouts
    )  # the settings have reached ansible-runner: it ignores those that it is given as an argument


def test_a_missing_ansible_is_one_sentence(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillbook.target.ansible.environment.sysconfig.get_path", lambda name: "/nonexistent")
    with pytest.raises(PlaybookError, match="There is no /nonexistent/ansible-playbook: install"):
        repository.run("- hosts: web\n")


def test_the_working_directory_of_the_caller_does_not_matter(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nroles_path = nowhere\nno_such = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", os.environ["HOME"])
    result = repository.run(
        "- hosts: web-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {var: ansible_config_file}\n"
    )
    assert result.successful
    assert str(tmp_path) not in result.stdout


def test_several_threads_run_plays_at_once_and_ending_one_leaves_the_others_alone(fresh: Repository) -> None:
    play = """\
        - hosts: web
          gather_facts: false
          tasks:
            - name: "{{ who }} waits for the others"
              ansible.builtin.wait_for: {path: "{{ playbook_dir }}/go", sleep: 1}
            - name: "{{ who }} is done"
              ansible.builtin.debug: {msg: "{{ who }}"}
        """
    path = fresh.write("playbooks/play.yml", play)
    playbooks, cancel = fresh.playbooks(), threading.Event()
    results: dict[str, PlayResult] = {}
    waiting = {who: threading.Event() for who in ("first", "second", "ended")}

    def run(who: str) -> None:
        results[who] = playbooks.run(
            path, {"who": who}, cancel=cancel if who == "ended" else None, on_task=lambda _: waiting[who].set()
        )

    threads = {who: threading.Thread(target=run, args=(who,)) for who in waiting}
    for thread in threads.values():
        thread.start()
    assert all(each.wait(60) for each in waiting.values()), "all three are under way at once"
    cancel.set()
    threads["ended"].join()
    fresh.write("playbooks/go", "")
    for thread in threads.values():
        thread.join()
    assert {who: result.status for who, result in results.items()} == {
        "first": "successful",
        "second": "successful",
        "ended": "canceled",
    }
    for who in ("first", "second"):
        assert {task.task.split()[0] for task in results[who].tasks} == {who}
        assert [task.message for task in results[who].tasks if task.action.endswith("debug")] == [who, who]


def test_what_a_play_decrypts_is_a_secret_wherever_it_stood(fresh: Repository) -> None:
    fresh.write("password", "it\n")
    fresh.write("ansible.cfg", "[defaults]\nvault_password_file = password\n")
    program = Path(sys.executable).parent / "ansible-vault"

    def encrypted(*arguments: str) -> str:
        command = [str(program), *arguments]
        return subprocess.run(command, cwd=fresh.root, check=True, capture_output=True, text=True).stdout

    inline = encrypted("encrypt_string", "of-the-vars-file", "--name", "filed")
    fresh.write("playbooks/vars/more.yml", inline)
    fresh.write(
        "playbooks/roles/app/defaults/main.yml", encrypted("encrypt_string", "of-the-role", "--name", "of_role")
    )
    fresh.write("playbooks/roles/app/tasks/main.yml", "- ansible.builtin.debug: {var: of_role}\n")
    fresh.write("playbooks/group_vars/all.yml", "beside: {user: of-the-group-vars, port: 5432}\n")
    fresh.write("playbooks/key", "of-a-file")
    encrypted("encrypt", "playbooks/group_vars/all.yml", "playbooks/key")
    told: list[str] = []
    result = fresh.run(
        """\
        - name: It shows what was encrypted
          hosts: web-1
          gather_facts: false
          vars_files: [vars/more.yml]
          roles: [app]
          tasks:
            - name: "Shown: {{ filed }}"
              ansible.builtin.command: "echo {{ beside.user }} {{ lookup('ansible.builtin.file', 'key') }}"
              changed_when: false
              failed_when: true
        """,
        on_task=told.append,
    )
    secrets = ("of-the-vars-file", "of-the-role", "of-the-group-vars", "of-a-file")
    shown = f"{result} {told}"
    assert [each for each in secrets if each in shown] == []
    for label in (
        "playbooks/vars/more.yml:1",
        "playbooks/roles/app/defaults/main.yml:1",
        "beside.user",
        "playbooks/key",
    ):
        assert f"[REDACTED:{label}]" in shown
    assert fresh.redactor.too_short == set()  # the port is none


def test_a_pause_for_a_person_fails_at_once_and_one_for_a_time_does_not(warmed: Repository) -> None:
    result = warmed.run(
        """\
        - name: It waits
          hosts: web-1
          gather_facts: false
          tasks:
            - name: A moment
              ansible.builtin.pause: {seconds: 1}
            - name: For whom
              ansible.builtin.pause: {prompt: "Is the site up?"}
        """,
        timeout_s=60,
    )
    assert [(each.task, each.status) for each in result.tasks] == [
        ("A moment", TaskStatus.OK),
        ("For whom", TaskStatus.FAILED),
    ]
    assert 'Is the site up?:", and nobody answers in a drill: give it `seconds`' in result.tasks[1].message


PROMPT = """\
- name: It asks
  hosts: web-1
  gather_facts: false
  vars_prompt: [{name: answer, prompt: Sure, default: "no"}]
  tasks: [{ansible.builtin.debug: {var: answer}}]
"""


def test_a_prompt_is_refused_at_once_and_answered_by_a_variable(repository: Repository) -> None:
    with pytest.raises(PlaybookError, match=r"vars_prompt asks for answer.*: give the value with drill\.recover"):
        repository.run(PROMPT, timeout_s=60)
    assert '"answer": "yes"' in repository.run(PROMPT, {"answer": "yes"}).stdout


@pytest.mark.parametrize(
    ("play", "task"),
    [("", "debugger: always"), ("  debugger: on_failed\n", ""), ("  strategy: ansible.builtin.debug\n", "")],
)
def test_the_debugger_of_a_task_waits_for_nobody(warmed: Repository, play: str, task: str) -> None:
    text = (
        f"- hosts: web-1\n  gather_facts: false\n{play}  tasks:\n    - ansible.builtin.command: 'false'\n      {task}\n"
    )
    result = warmed.run(text, timeout_s=60)
    assert (result.status, [each.status for each in result.tasks]) == ("failed", [TaskStatus.FAILED])


def test_a_part_of_a_playbook_is_run_on_a_part_of_the_hosts(warmed: Repository) -> None:
    text = """\
    - name: Several
      hosts: web
      gather_facts: false
      tasks:
        - {name: One, tags: [one], ansible.builtin.debug: {}}
        - {name: Two, tags: [two, slow], ansible.builtin.debug: {}}
        - {name: Three, tags: [two], ansible.builtin.debug: {}}
    """
    selection = Selection.of(tags=["one", "two"], skip_tags="slow", limit="web-2")
    result = warmed.run(text, selection=selection)
    assert [(each.task, each.host) for each in result.tasks] == [("One", "web-2"), ("Three", "web-2")]


def test_a_role_that_is_not_there_has_its_reason_without_paths_of_the_machine(warmed: Repository) -> None:
    play = "- {hosts: web-1, gather_facts: false, tasks: [{name: In, ansible.builtin.include_role: {name: nope}}]}\n"
    (said,) = warmed.run(play).unsaid()[:1]
    assert said.startswith(
        "Failed: \"In\" on web-1 (playbooks/play.yml:1): the role 'nope' was not found in playbooks/roles:"
    )
    assert str(warmed.root) not in said
    assert str(Path.home()) not in said


def test_the_roles_of_the_repository_are_found_behind_those_of_ansible_cfg(fresh: Repository) -> None:
    fresh.write("ansible.cfg", "[defaults]\nroles_path = shared:~/no-roles\n")
    for place, said in (("shared/both", "shared"), ("playbooks/roles/both", "ours"), ("playbooks/roles/own", "own")):
        fresh.write(f"{place}/tasks/main.yml", f"- ansible.builtin.debug: {{msg: of {said}}}\n")
    fresh.write("playbooks/recovery/x.yml", "- {name: P, hosts: web-1, gather_facts: false, roles: [both, own]}\n")
    result = fresh.playbooks().run(Path("playbooks/recovery/x.yml"))
    assert [each.message for each in result.tasks] == ["of shared", "of own"]
