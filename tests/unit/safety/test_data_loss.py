"""What destroys data, as the text of playbooks shows it; and what only seems to."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from drillbook.model.phases import Phase, StepKind
from drillbook.model.tags import accepted_loss
from drillbook.model.work_balance import Account
from drillbook.repository.lint.data_loss import check
from drillbook.repository.lint.facts import Repository
from drillbook.repository.plan.plan import Intent
from drillbook.repository.plan.scenario_facts import ScenarioFacts, StepFacts
from drillbook.safety.data_loss import destroyers, files_of, refusal, required
from tests.support import ROOT

pytestmark = pytest.mark.unit

FIX = "playbooks/recovery/fix.yml"


def play(*tasks: str, more: str = "") -> str:
    body = "".join(textwrap.indent(textwrap.dedent(task).strip("\n"), "    ") + "\n" for task in tasks)
    return f"- name: It is empty\n  hosts: all\n{more}  tasks:\n{body}"


def found(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [str(each) for each in destroyers(root, FIX)]


FLUSH = "- name: Empty\n  ansible.builtin.command: redis-cli FLUSHALL"
OTHER = "playbooks/other.yml"
MODULE = 'DOCUMENTATION = """flushall"""\n\n\ndef main(redis):\n    """Not a flushdb."""\n    # flushall\n'

DESTROYS: dict[str, tuple[dict[str, str], list[str]]] = {
    "declared": (
        {FIX: play("- ping:", more="  vars:\n    drillbook_destroys_data: true\n")},
        [f"{FIX}:4: drillbook_destroys_data: true"],
    ),
    "declared, as only the play will know": (
        {FIX: play("- ping:", more='  vars: {drillbook_destroys_data: "{{ really }}"}\n')},
        [f"{FIX}:3: drillbook_destroys_data: {{{{ really }}}}"],
    ),
    "declared of a task": (
        {FIX: play("- ping:\n  vars: {drillbook_destroys_data: yes}")},
        [f"{FIX}:5: drillbook_destroys_data: yes"],
    ),
    "declared, with a word that is neither true nor false": (
        {FIX: play("- ping:", more="  vars: {drillbook_destroys_data: perhaps}\n")},
        [f"{FIX}:3: drillbook_destroys_data: perhaps"],
    ),
    "declared, and nothing said": (
        {FIX: play("- ping:", more="  vars: {drillbook_destroys_data: }\n")},
        [f"{FIX}:3: drillbook_destroys_data: "],
    ),
    "a command": ({FIX: play(FLUSH)}, [f"{FIX}:5: FLUSHALL"]),
    "in small letters, in a list": (
        {FIX: play("- ansible.builtin.command:\n    argv: [redis-cli, flushdb, async]")},
        [f"{FIX}:5: flushdb"],
    ),
    "in a block of text": (
        {FIX: play("- ansible.builtin.shell: |\n    redis-cli ping\n    redis-cli flushall")},
        [f"{FIX}:6: flushall"],
    ),
    "in a block of tasks": (
        {FIX: play("- block:\n    - ansible.builtin.command: redis-cli flushall")},
        [f"{FIX}:5: flushall"],
    ),
    "tasks that it includes": (
        {FIX: play("- ansible.builtin.include_tasks: ../more/empty.yml"), "playbooks/more/empty.yml": FLUSH},
        ["playbooks/more/empty.yml:2: FLUSHALL"],
    ),
    "tasks of which only the play knows the name": (
        {FIX: play('- ansible.builtin.include_tasks: "{{ how }}.yml"'), "playbooks/recovery/hard.yml": FLUSH},
        ["playbooks/recovery/hard.yml:2: FLUSHALL"],
    ),
    "a playbook that it imports": (
        {FIX: "- ansible.builtin.import_playbook: ../other.yml\n", OTHER: play(FLUSH)},
        [f"{OTHER}:5: FLUSHALL"],
    ),
    "a role": (
        {FIX: "- hosts: all\n  roles:\n    - empty\n", "playbooks/roles/empty/tasks/main.yml": FLUSH},
        ["playbooks/roles/empty/tasks/main.yml:2: FLUSHALL"],
    ),
    "a role with its name in a mapping": (
        {FIX: "- hosts: all\n  roles: [{role: empty}]\n", "playbooks/roles/empty/tasks/main.yml": FLUSH},
        ["playbooks/roles/empty/tasks/main.yml:2: FLUSHALL"],
    ),
    "other tasks of a role": (
        {
            FIX: play("- ansible.builtin.include_role: {name: empty, tasks_from: hard}"),
            "playbooks/roles/empty/tasks/hard.yml": "- ansible.builtin.script: hard.sh\n",
            "playbooks/roles/empty/files/hard.sh": "# never FLUSHALL\nredis-cli FLUSHDB\n",
        },
        ["playbooks/roles/empty/files/hard.sh:2: FLUSHDB"],
    ),
    "a module of the repository": (
        {FIX: play("- empty_queue: {}"), "playbooks/library/empty_queue.py": MODULE + "    redis.flushall()\n"},
        ["playbooks/library/empty_queue.py:7: flushall"],
    ),
    "what a module imports": (
        {
            FIX: play("- empty_queue: {}"),
            "playbooks/library/empty_queue.py": "from ansible.module_utils.queues import empty\n",
            "playbooks/module_utils/queues.py": "def empty(queue):\n    queue.obliterate(force=True)\n",
        },
        ["playbooks/module_utils/queues.py:2: obliterate"],
    ),
    "a script": (
        {
            FIX: play('- ansible.builtin.command: node "{{ playbook_dir }}/../files/nuke.js" now'),
            "playbooks/files/nuke.js": "await queue.obliterate({ force: true })\n",
        },
        ["playbooks/files/nuke.js:1: obliterate"],
    ),
    **{
        statement: ({FIX: play(f"- ansible.builtin.shell: psql -c '{statement}'")}, [f"{FIX}:4: {what}"])
        for statement, what in (
            ("delete from jobs where true;", "delete from"),
            ("DROP TABLE jobs", "DROP TABLE"),
            ("drop database shop;", "drop database"),
            ("ALTER TABLE jobs DROP COLUMN value", "DROP COLUMN"),
            ("TRUNCATE TABLE jobs", "TRUNCATE TABLE"),
            ("truncate jobs;", "truncate"),
            ("TRUNCATE shop.jobs CASCADE", "TRUNCATE"),
            ("drop owned by app", "drop owned"),
        )
    },
    "memcached": ({FIX: play("- ansible.builtin.shell: echo flush_all | nc 127.0.0.1 11211")}, [f"{FIX}:4: flush_all"]),
    "a database by its program": ({FIX: play("- ansible.builtin.command: dropdb shop")}, [f"{FIX}:4: dropdb"]),
    "a restore over what is there": (
        {FIX: play("- ansible.builtin.command: pg_restore --clean -d shop shop.dump")},
        [f"{FIX}:4: pg_restore"],
    ),
    "a database by a module": (
        {FIX: play("- community.postgresql.postgresql_db: {name: shop, state: absent}")},
        [f"{FIX}:4: postgresql_db: state: absent"],
    ),
    "a table by a module, in one line": (
        {FIX: play("- postgresql_table: name=jobs truncate=yes")},
        [f"{FIX}:4: postgresql_table: truncate=yes"],
    ),
    "a database by a module, with args": (
        {FIX: play("- mysql_db:\n  args: {name: shop, state: absent}")},
        [f"{FIX}:4: mysql_db: state: absent"],
    ),
    "a script of SQL": (
        {
            FIX: play("- ansible.builtin.command: psql -f {{ playbook_dir }}/../files/down.sql"),
            "playbooks/files/down.sql": "-- drop table nothing\nDROP TABLE jobs;\n",
        },
        ["playbooks/files/down.sql:2: DROP TABLE"],
    ),
    "no YAML": ({FIX: "- {a\n\tflushall"}, [f"{FIX}:2: flushall"]),
}
DOES_NOT: dict[str, dict[str, str]] = {
    "a comment": {FIX: play("# never FLUSHALL\n- ping:")},
    "the name of a task": {FIX: play("- name: Nothing here is lost by a FLUSHALL\n  ping:")},
    "what an assertion says": {FIX: play("- ansible.builtin.fail: {msg: FLUSHALL is not for this queue}")},
    "a file that is cut": {FIX: play("- ansible.builtin.command: truncate -s 0 /var/log/app.log")},
    "a rule of a firewall": {FIX: play("- ansible.builtin.command: iptables -A INPUT -j DROP")},
    "a restore into nothing": {FIX: play("- ansible.builtin.command: pg_restore -d shop_new shop.dump")},
    "a database that is made": {FIX: play("- postgresql_db: {name: shop, state: present}")},
    "a right to delete": {FIX: play("- postgresql_privs: {privs: 'DELETE,TRUNCATE', role: app}")},
    "a right that is taken away": {FIX: play("- redis_account: {rules: ['+@all', '-flushall', '-FLUSHDB']}")},
    "a longer name": {FIX: play("- ping:\n  vars: {flushall_allowed: x, mode: no_flushdb_here}")},
    "declared harmless, in another word of Ansible's": {
        FIX: play("- ping:", more='  vars: {drillbook_destroys_data: "f"}\n')
    },
    "declared harmless, with a number": {FIX: play("- ping:", more="  vars: {drillbook_destroys_data: 0.0}\n")},
    "declared harmless": {FIX: play("- ping:", more="  vars: {drillbook_destroys_data: false}\n")},
    "what a module says of itself": {
        FIX: play("- empty_queue: {}"),
        "playbooks/library/empty_queue.py": MODULE + "    redis.ping()\n",
    },
    "other tasks of a role": {
        FIX: play("- ansible.builtin.include_role: {name: redis, tasks_from: start}"),
        "playbooks/roles/redis/tasks/start.yml": "- ping:\n",
        "playbooks/roles/redis/tasks/empty.yml": FLUSH,
    },
    "a file outside of the repository": {FIX: play("- ansible.builtin.include_tasks: ../../../outside.yml")},
    "no such file": {},
}


@pytest.mark.parametrize(("files", "places"), DESTROYS.values(), ids=list(DESTROYS))
def test_it_destroys(tmp_path: Path, files: dict[str, str], places: list[str]) -> None:
    assert found(tmp_path, files) == places


@pytest.mark.parametrize("files", DOES_NOT.values(), ids=list(DOES_NOT))
def test_it_only_seems_to(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / "outside.yml").write_text(FLUSH)
    assert found(tmp_path / "repository", files) == []


def test_this_repository_s_playbooks_as_they_were_before_the_guard() -> None:
    root = ROOT
    for name in ("start", "give_access_back", "restore_network"):
        assert destroyers(root, f"playbooks/recovery/redis/{name}.yml") == ()


# ------------------------------------------------------------------ how many


def balance(lost: int, twice: int = 0, acknowledged: int = 10) -> Account:
    jobs = tuple(f"job-{number}" for number in range(lost))
    return Account(acknowledged, acknowledged, 0, 0, acknowledged - lost, jobs, dict.fromkeys("x" * twice, 2), (), ())


@pytest.mark.parametrize(
    ("account", "lost", "sound"),
    [
        (balance(0), 0, True),
        (balance(3), 3, True),
        (balance(3), 2, False),
        (balance(3), 4, False),
        (balance(3), 0, False),
        (balance(3, twice=1), 3, False),
        (balance(0, acknowledged=0), 0, False),
    ],
)
def test_exactly_so_many(account: Account, lost: int, sound: bool) -> None:
    assert account.sound_but_for(lost) is sound
    assert account.sound == account.sound_but_for(0)


@pytest.mark.parametrize(
    ("tags", "count"),
    [
        ({"rto:10m"}, None),
        ({"accepts-data-loss:0"}, 0),
        ({"accepts-data-loss:200", "rto:10m"}, 200),
    ],
)
def test_the_tag(tags: set[str], count: int | None) -> None:
    assert accepted_loss(tags) == count


def test_what_is_right_at_the_end() -> None:
    assert required(None, may_be_whole=False) == ((0,), "all acknowledged work is completed exactly once")
    assert required(0, may_be_whole=True) == ((0,), "all acknowledged work is completed exactly once")
    assert required(5, may_be_whole=False) == (
        (5,),
        "exactly 5 acknowledged jobs are lost (@accepts-data-loss:5), all others completed exactly once",
    )
    assert required(5, may_be_whole=True)[0] == (5, 0)


# ------------------------------------------------------------------ what lint says


def linted(root: Path, text: str, tags: set[str], uncertain: str | None = None) -> list[str]:
    found(root, {FIX: text})
    step = StepFacts(
        7, "When it is run", StepKind.RECOVERY, Phase.RECOVERY, intents=(Intent(StepKind.RECOVERY, "fix", {}),)
    )  # fmt: skip
    other = StepFacts(5, "When it breaks", StepKind.FAULT, Phase.FAULT, uncertain=uncertain)
    scenario = ScenarioFacts("features/x.feature", 3, "It breaks", frozenset(tags), (other, step))
    return [str(each) for each in check(Repository(root, scenarios=(scenario,)))]


def test_lint(tmp_path: Path) -> None:
    sentence = refusal("FLUSHALL", "It breaks", "features/x.feature:3")
    assert linted(tmp_path, play(FLUSH), set()) == [f"{FIX}:5: destroys-data: {sentence}"]
    assert linted(tmp_path, play(FLUSH), {"accepts-data-loss:5"}) == []
    assert linted(tmp_path, play("- ping:"), set()) == []
    (said,) = linted(tmp_path, play("- ping:"), {"accepts-data-loss:5"})
    assert said.startswith("features/x.feature:3: nothing-destroys: @accepts-data-loss:5: no playbook of 'It breaks'")
    assert linted(tmp_path, play("- ping:"), {"accepts-data-loss:5"}, uncertain="it loops") == []


def test_what_a_playbook_brings_in_is_looked_for_again_when_a_file_has_changed(tmp_path: Path) -> None:
    playbook, tasks = tmp_path / "playbooks/recovery/fix.yml", tmp_path / "playbooks/recovery/tasks.yml"
    playbook.parent.mkdir(parents=True)
    playbook.write_text("- hosts: all\n  tasks:\n    - ansible.builtin.include_tasks: tasks.yml\n")
    name, brought_in = "playbooks/recovery/fix.yml", "playbooks/recovery/tasks.yml"
    assert files_of(tmp_path, name) == files_of(tmp_path, name) == (name,)
    tasks.write_text("- our_module: {}\n")
    assert files_of(tmp_path, name) == (name, brought_in)
    library = tmp_path / "playbooks/library"
    library.mkdir()
    (library / "our_module.py").touch()
    assert files_of(tmp_path, name) == ("playbooks/library/our_module.py", name, brought_in)
    playbook.write_text("- hosts: all\n")
    os.utime(playbook, (1, 1))
    assert files_of(tmp_path, name) == (name,)
