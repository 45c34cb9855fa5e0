"""Which files take part in a drill: what its steps, its playbooks and its tags bring in, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.engine.keeping.artefacts import Artefacts
from drillbook.evidence.artefacts import digest
from drillbook.model.phases import StepKind
from drillbook.model.record import ArtefactKind, ArtefactRecord
from drillbook.model.scenario import Scenario
from drillbook.safety.data_loss import changes
from tests.support.records import record

pytestmark = pytest.mark.unit

FILES = {
    "features/x.feature": "Feature: x\n",
    "conftest.py": "",
    "steps/redis.py": "from steps._client import ask\nfrom . import _more\nimport json\n",
    "steps/_client.py": "import steps._deep\n",
    "steps/_deep.py": "",
    "steps/_more.py": "",
    "steps/other.py": "",
    "inventories/lab/hosts.yml": "all: {}\n",
    "inventories/lab/group_vars/all.yml": "a: 1\n",
    "inventories/other/hosts.yml": "all: {}\n",
    "ansible.cfg": "[defaults]\n",
    "runbooks/redis.md": "# Redis\n\n## Start Redis\n\nStart it.\n\n## Else\n\nElse.\n",
    "playbooks/faults/cut/inject.yml": "- hosts: all\n  tasks:\n    - our_command: {}\n",
    "playbooks/faults/cut/undo.yml": "- hosts: all\n  tasks:\n    - ansible.builtin.assert: {that: true}\n",
    "playbooks/faults/healing/inject.yml": "- hosts: all\n",
    "playbooks/faults/healing/undo.yml": "- hosts: all\n",
    "playbooks/library/our_command.py": "from ansible.module_utils.our_client import x\n",
    "playbooks/module_utils/our_client.py": "",
    "playbooks/library/not_ours.py": "",
    "playbooks/recovery/fix.yml": (
        "- hosts: all\n  roles: [service]\n  tasks:\n    - ansible.builtin.template: {src: redis.conf.j2, dest: /x}\n"
    ),
    "playbooks/recovery/redis.conf.j2": "port 1\n",
    "playbooks/recovery/other.yml": "- hosts: all\n",
    "playbooks/roles/service/tasks/main.yml": "- ansible.builtin.debug: {msg: x}\n",
    "playbooks/roles/service/files/of_nobody.sh": "true\n",
    "playbooks/roles/other/tasks/main.yml": "[]\n",
    "playbooks/communication/told.yml": "- hosts: all\n",
}
STEPS, PLAYBOOK = ArtefactKind.STEPS, ArtefactKind.PLAYBOOK


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def scenario(*tags: str) -> Scenario:
    return Scenario("features/x.feature", 3, "x", None, "It breaks", "", frozenset(tags), (), ())


def known(root: Path, *tags: str) -> list[ArtefactRecord]:
    made = Artefacts(root, [root / "inventories/lab"])
    acts = [
        *changes(StepKind.FAULT, "cut"),
        *changes(StepKind.RECOVERY, "fix"),
        *changes(StepKind.RECOVERY, "misspelt"),
    ]
    return made.known(scenario(*tags), [root / "steps/redis.py"], acts)


def test_what_takes_part_is_named_and_nothing_else(root: Path) -> None:
    found = known(root, "runbook:redis.md#start-redis", "row:R1")
    assert {each.path: each.kind.value for each in found} == {
        "ansible.cfg": "inventory",
        "conftest.py": "steps",
        "features/x.feature": "feature",
        "inventories/lab/group_vars/all.yml": "inventory",
        "inventories/lab/hosts.yml": "inventory",
        "playbooks/faults/cut/inject.yml": "playbook",
        "playbooks/faults/cut/undo.yml": "playbook",
        "playbooks/library/our_command.py": "module",
        "playbooks/module_utils/our_client.py": "module_util",
        "playbooks/recovery/fix.yml": "playbook",
        "playbooks/recovery/redis.conf.j2": "template",
        "playbooks/roles/service/files/of_nobody.sh": "role",
        "playbooks/roles/service/tasks/main.yml": "role",
        "runbooks/redis.md": "runbook",
        "steps/_client.py": "steps",
        "steps/_deep.py": "steps",
        "steps/_more.py": "steps",
        "steps/redis.py": "steps",
    }
    assert [each.path for each in found] == sorted(each.path for each in found)
    assert {each.path: each.sha256 for each in found} == {
        each.path: digest(FILES[each.path].encode()) for each in found
    }
    assert [(each.clause, each.clause_sha256) for each in found if each.kind is ArtefactKind.RUNBOOK] == [
        ("start-redis", digest(b"## Start Redis\n\nStart it.\n"))
    ]


def test_each_clause_has_its_own_digest_and_a_tag_without_one_names_all_of_the_file(root: Path) -> None:
    tags = ("runbook:redis.md", "runbook:redis.md#else", "runbook:redis.md#nowhere", "runbook:none.md#x")
    clauses = [each.clause for each in known(root, *tags) if each.kind is ArtefactKind.RUNBOOK]
    assert clauses == [None, "else"]


def test_the_fault_that_a_control_needs_is_named_by_its_tag(root: Path) -> None:
    assert "playbooks/faults/healing/inject.yml" in {each.path for each in known(root, "self-healing-off:healing")}


def test_what_nobody_foresaw_is_named_before_it_is_run(root: Path) -> None:
    made = record(artefacts=known(root))
    before = list(made.artefacts)
    artefacts = Artefacts(root, [])
    artefacts.add(made, "playbooks/recovery/fix.yml")
    assert made.artefacts == before
    artefacts.add(made, "playbooks/communication/told.yml")
    artefacts.add(made, "playbooks/faults/healing/inject.yml")
    assert {each.path for each in made.artefacts} - {each.path for each in before} == {
        "playbooks/communication/told.yml",
        "playbooks/faults/healing/inject.yml",
        "playbooks/faults/healing/undo.yml",
    }
    assert [each.path for each in made.artefacts] == sorted(each.path for each in made.artefacts)


def test_what_was_named_first_stands_although_the_file_changes_meanwhile(root: Path) -> None:
    made = record(artefacts=known(root))
    before = list(made.artefacts)
    (root / "playbooks/recovery/fix.yml").write_text("- hosts: all\n  roles: [service, other]\n")
    Artefacts(root, []).add(made, "playbooks/recovery/fix.yml")
    assert [each for each in made.artefacts if each in before] == before
    assert "playbooks/roles/other/tasks/main.yml" in {each.path for each in made.artefacts}


def test_a_file_outside_of_the_repository_is_not_named(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "hosts.yml").write_text("all: {}\n")
    (elsewhere / "steps.py").touch()
    found = Artefacts(root, [elsewhere / "hosts.yml"]).known(scenario(), [elsewhere / "steps.py"], [])
    assert [each.path for each in found] == ["ansible.cfg", "conftest.py", "features/x.feature"]
