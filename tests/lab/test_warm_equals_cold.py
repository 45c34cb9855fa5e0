"""A warm run equals a cold one: events, statistics, files and exit status of one corpus of plays, run both ways.

What must differ (ids, times, temporary folders) is replaced by a word; all else is compared as it is.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from drillbook.target.ansible.events import Event
from drillbook.target.ansible.run import run_ansible
from drillbook.target.ansible.warm.client import Warm

pytestmark = pytest.mark.lab

CORPUS = Path(__file__).parent / "warm_corpus"
SCRIPTS = Path(sysconfig.get_path("scripts"))
COUNTS = ("counter", "start_line", "end_line")
"""The place of an event among those of other hosts: the result of an item is told by the thread that hears it, the
start of the next host by another.
"""
TIMES_AND_IDS = {
    "uuid",
    "parent_uuid",
    "pid",
    "created",
    "runner_ident",
    "start",
    "end",
    "delta",
    "duration",
    "started",
    "finished_at",
    "ansible_job_id",
    "atime",
    "mtime",
    "ctime",
    "inode",
    "results_file",
    "tmpdir",
    "backup_file",
    "stop",
    "_original_basename",
    *COUNTS,
}
REPLACED = [
    (re.compile(r"/tmp/drillbook\.(?:run|warm)-\w+(?:/artifacts/[0-9a-f-]+)?"), "PRIVATE"),
    (re.compile(r"\bansible-(?:local|tmp)-[\w.-]+"), "TEMPORARY"),
    (re.compile(r"\b(?:ansible_)?tmp[\w]{8}\b"), "TEMPORARY"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\bj\d+\.\d+\b"), "JOB"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]?\d*"), "TIME"),
    (re.compile(r"\d:\d\d:\d\d\.\d+"), "DURATION"),
    (re.compile(r"\b\d+\.\d{3,}\b"), "NUMBER"),
    (re.compile(r"Paused for [\d.]+ seconds"), "Paused"),
    (re.compile(r"0x[0-9a-f]{6,}"), "ADDRESS"),
]


@dataclass
class Ran:
    """A run, without what must differ."""

    status: str
    rc: int
    notes: tuple[str, ...]
    events: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


class Repository:
    """The corpus in a temporary folder, with a vault, and with a warm Ansible."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        shutil.copytree(CORPUS, root, dirs_exist_ok=True)
        (root / "password").write_text("the password of the vault\n")
        plain = root / "inventory/group_vars/web/vault.yml"
        plain.write_text("secret: correct-horse\n")
        subprocess.run(
            [SCRIPTS / "ansible-vault", "encrypt", plain],  # the password is where the plays find it
            check=True,
            capture_output=True,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
        self.reasons: list[str] = []
        self.warm = Warm(root, (), SCRIPTS / "ansible-playbook", self.reasons.append)

    def run(self, name: str, *, warm: bool, cancel_at: str = "", timeout_s: float = 120, **variables: object) -> Ran:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        events: list[dict[str, Any]] = []
        cancel = threading.Event()

        def on_event(event: Event) -> None:
            events.append(without_what_differs(event))
            if cancel_at and event.get("event_data", {}).get("task") == cancel_at:
                cancel.set()

        ended = run_ansible(
            self.root / f"playbooks/{name}.yml",
            self.root / "inventory",
            root=self.root,
            variables={"out": str(self.out), "extra": "of the command line"} | variables,
            timeout_s=timeout_s,
            cancel=cancel,
            on_event=on_event,
            warm=self.warm if warm else None,
        )
        files = {
            str(path.relative_to(self.root)): f"{path.stat().st_mode:o} {text(path.read_text())}"
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }
        return Ran(ended.status, ended.rc, ended.notes, events, files)

    @cached_property
    def everything(self) -> tuple[Ran, Ran]:
        """The longest play, warm and cold: 15 s of a processor, for all who look at it."""
        return self.both("everything")

    def both(self, name: str, **options: Any) -> tuple[Ran, Ran]:
        """The play warm and cold; the warm run is checked to have been one."""
        warm = self.run(name, warm=True, **options)
        assert self.reasons == []
        return warm, self.run(name, warm=False, **options)


def without_what_differs(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "..." if key in TIMES_AND_IDS or key.endswith("_uuid") else without_what_differs(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [without_what_differs(each) for each in value]
    return text(value) if isinstance(value, str) else value


def text(value: str) -> str:
    for pattern, word in REPLACED:
        value = pattern.sub(word, value)
    return value


def lines(ran: Ran) -> list[str]:
    """One line for each event, in order for each host, and for what is no host's: pytest shows which differ."""
    ordered = sorted(ran.events, key=lambda event: str(event.get("event_data", {}).get("host", "")))
    return [json.dumps(event, sort_keys=True, ensure_ascii=False) for event in ordered]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    root = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(root / "password"))
        made = Repository(root)
        try:
            yield made
        finally:
            made.warm.close()


@pytest.mark.parametrize(
    ("name", "rc", "seen"),
    [
        ("everything", 0, "not the built-in one"),
        ("letters", 0, "çé ✓"),
        ("ends", 0, "It ends itself"),
        ("fails", 2, "on purpose"),
        ("all_stop", 2, "false"),
        ("crashes", 2, "it crashes"),
        ("undefined", 2, "nothing_has_this_name"),
        ("no_include", 2, "nowhere.yml"),
        ("no_module", 4, "no_such_module"),
        ("no_yaml", 4, "YAML parsing failed"),
        ("no_role", 1, "nowhere"),
        ("unreachable", 4, "runner_on_unreachable"),
    ],
)
def test_a_play_is_the_same_warm_and_cold(repository: Repository, name: str, rc: int, seen: str) -> None:
    warm, cold = repository.everything if name == "everything" else repository.both(name)
    assert seen in "\n".join(lines(cold))  # the play did what it is here for
    assert lines(warm) == lines(cold)
    assert warm.files == cold.files
    assert (warm.status, warm.rc, warm.notes) == (cold.status, cold.rc, cold.notes)
    assert cold.rc == rc


def test_the_corpus_shows_what_it_is_for(repository: Repository) -> None:
    """Else two runs that both did nothing would be equal."""
    ran, _ = repository.everything
    said = "\n".join([*lines(ran), *ran.files.values()])
    for expected in ("group 1", "cba not the built-in one [1]", "QUIET", "from the role, for web-2", "handled b"):
        assert expected in said
    assert "not the built-in one: LANG, C.UTF-8" in said
    assert "correct-horse" not in said
    assert set(ran.files) == {f"out/{each}" for each in ("free-web-1", "free-web-2", "page-web-1", "page-web-2")}
    assert "DRILLBOOK_WARM_PAD" not in said


@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_a_run_that_is_ended_early_is_the_same(repository: Repository, way: str) -> None:
    hang = f"33{len(way)}.{os.getpid()}"
    # on a busy machine a cold Ansible needs several seconds before it says anything
    options: dict[str, Any] = {"cancel_at": "It hangs"} if way == "cancel" else {"timeout_s": 15}
    warm, cold = repository.both("hangs", hang=hang, **options)
    assert (warm.status, warm.rc, warm.notes) == (cold.status, cold.rc, cold.notes)
    assert warm.status == {"cancel": "canceled", "timeout": "timeout"}[way]
    # how much Ansible comes to say about its end is not the same twice
    warm_events, cold_events = ([e["event"] for e in ran.events if e["event"] != "verbose"] for ran in (warm, cold))
    assert warm_events == cold_events


def test_ids_of_tasks_do_not_repeat(repository: Repository) -> None:
    """Ansible draws half of an id while it is imported."""
    seen: list[str] = []

    def on_event(event: Event) -> None:
        seen.append(event.get("event_data", {}).get("task_uuid", ""))

    for _ in range(2):
        seen.append("next")
        run_ansible(
            repository.root / "playbooks/ends.yml",
            repository.root / "inventory",
            root=repository.root,
            timeout_s=120,
            on_event=on_event,
            warm=repository.warm,
        )
    first, second = (set(part) - {"", "next"} for part in split(seen, "next"))
    assert first
    assert not first & second


def split(words: list[str], at: str) -> Iterator[list[str]]:
    places = [index for index, word in enumerate(words) if word == at] + [len(words)]
    yield from (words[begin:end] for begin, end in itertools.pairwise(places))


def test_runs_at_the_same_time_do_not_mix(repository: Repository) -> None:
    """Several drills of a session may undo at once; each has its own folder, output and status."""
    results: dict[str, tuple[int, list[str]]] = {}

    def run(name: str) -> None:
        said: list[str] = []
        ended = run_ansible(
            repository.root / f"playbooks/{name}.yml",
            repository.root / "inventory",
            root=repository.root,
            variables={"out": str(repository.out), "extra": name},
            timeout_s=120,
            on_event=lambda event: said.append(event["stdout"]),
            warm=repository.warm,
        )
        results[name] = ended.rc, said

    threads = [threading.Thread(target=run, args=(name,)) for name in ("fails", "letters", "no_yaml")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert repository.reasons == []
    assert {name: rc for name, (rc, _said) in results.items()} == {"fails": 2, "letters": 0, "no_yaml": 4}
    assert any("on purpose" in said for said in results["fails"][1])
    assert not any("on purpose" in said for said in results["letters"][1])


OURS = """
- hosts: web-1
  gather_facts: false
  tasks:
    - {name: It says, our_module: {text: a word}, register: answer}
    - {name: It is told, ansible.builtin.debug: {msg: "it said {{ answer.said }}"}}
"""


def payloads(repository: Repository) -> int:
    return sum(not each.name.endswith(".lock") for each in repository.warm.folder.glob("payloads/*/ansiballz_cache/*"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("library/our_module.py", "said=shouted(", "said='not ' + shouted(", "it said not A WORD"),
        ("module_utils/ours.py", "text.upper()", "text.title()", "it said A Word"),
    ],
)
def test_a_module_is_packed_once_and_again_when_it_has_changed(
    repository: Repository, file: str, old: str, new: str, said: str
) -> None:
    playbooks = repository.root / "playbooks"
    (playbooks / "ours.yml").write_text(OURS)
    changed = playbooks / file
    before = changed.read_text()
    assert "it said A WORD" in "\n".join(lines(repository.run("ours", warm=True)))
    packed = payloads(repository)
    assert packed
    repository.run("ours", warm=True)
    assert payloads(repository) == packed
    changed.write_text(before.replace(old, new))
    try:
        warm, cold = repository.both("ours")
    finally:
        changed.write_text(before)
    assert said in "\n".join(lines(warm))
    assert lines(warm) == lines(cold)
    assert payloads(repository) == packed + 1


def test_two_modules_of_one_name_are_two(repository: Repository) -> None:
    """Ansible itself tells those that are no collection's apart only by their name."""
    (repository.root / "playbooks/ours.yml").write_text(OURS)
    folder = repository.root / "playbooks/elsewhere"
    (folder / "library").mkdir(parents=True)
    (folder / "ours.yml").write_text(OURS)
    module = (repository.root / "playbooks/library/our_module.py").read_text()
    (folder / "library/our_module.py").write_text(module.replace("said=shouted(", "said='elsewhere: ' + shouted("))
    for name, said in (("ours", "it said A WORD"), ("elsewhere/ours", "it said elsewhere: A WORD")) * 2:
        assert said in "\n".join(lines(repository.run(name, warm=True)))


def warm_modules(repository: Repository) -> int:
    return len((repository.warm.folder / "modules/ran").read_text().splitlines())


def test_modules_on_this_machine_run_in_forks_of_one_python(repository: Repository) -> None:
    (repository.root / "playbooks/ours.yml").write_text(OURS)
    repository.run("ours", warm=True)
    before = warm_modules(repository)
    repository.run("ours", warm=True)
    assert warm_modules(repository) == before + 1


WHOSE = """
- hosts: web-1
  gather_facts: false
  tasks:
    - {name: Whose, whose: {}, register: answer}
    - {name: It is told, ansible.builtin.debug: {msg: "errors are {{ answer.errors }}, the rest is {{ answer.other }}"}}
"""
WHOSE_MODULE = """
from ansible.module_utils import errors
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.whose import OTHER

AnsibleModule({}).exit_json(errors=getattr(errors, "WHOSE", "Ansible's"), other=OTHER)
"""


def test_a_module_finds_what_its_own_payload_holds(repository: Repository) -> None:
    """What modules share was imported from the payload of another one, which held Ansible's own `errors`."""
    playbooks = repository.root / "playbooks"
    (playbooks / "ours.yml").write_text(OURS)
    repository.run("ours", warm=True)
    (playbooks / "whose.yml").write_text(WHOSE)
    (playbooks / "library/whose.py").write_text(f"#!/usr/bin/python{WHOSE_MODULE}")
    (playbooks / "module_utils/whose.py").write_text("OTHER = 'of the repository'\n")
    own = playbooks / "module_utils/errors.py"
    found = find_spec("ansible.module_utils.errors")
    assert found is not None
    assert found.origin is not None
    of_ansible = Path(found.origin).read_text()
    try:
        for whose, said in (("", "Ansible's"), ("\nWHOSE = 'ours'\n", "ours"), ("\nWHOSE = 'new'\n", "new")):
            if whose:
                own.write_text(of_ansible + whose)
            before = warm_modules(repository)
            warm, cold = repository.both("whose")
            assert warm_modules(repository) == before + 1
            assert f"errors are {said}, the rest is of the repository" in "\n".join(lines(warm))
            assert lines(warm) == lines(cold)
    finally:
        own.unlink(missing_ok=True)
