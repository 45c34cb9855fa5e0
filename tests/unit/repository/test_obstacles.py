"""What stops a playbook for certain, in a plan and in lint: each finding, and its twin that has none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from drillbook.model.phases import Phase, StepKind
from drillbook.repository.lint import obstacles
from drillbook.repository.lint.facts import Repository
from drillbook.repository.obstacles import of_file, of_playbook
from drillbook.repository.plan.plan import Intent
from drillbook.repository.plan.scenario_facts import ScenarioFacts, StepFacts
from drillbook.target.ansible.selection import ALL

pytestmark = pytest.mark.unit

FIX = "playbooks/recovery/fix.yml"
ASKS = """\
- hosts: all
  vars_prompt:
    - name: answer
      prompt: Sure?
"""


def found(root: Path, text: str, *given: str, path: str = FIX) -> list[str]:
    return [f"{each.line}: {each.code}" for each in of_file(root, path, textwrap.dedent(text), given)]


def tasks(*lines: str) -> str:
    return "- hosts: all\n  tasks:\n" + "".join(f"    - {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("task", "lines"),
    [
        ("pause:", ["3: asks"]),
        ("ansible.builtin.pause: {prompt: Well?}", ["3: asks"]),
        ("{pause: , args: {prompt: Well?}}", ["3: asks"]),
        ("{block: [{pause: {echo: false}}]}", ["3: asks"]),
        ("pause: {seconds: 5, prompt: Wait}", []),
        ("pause: minutes=1", []),
        ('ansible.builtin.pause: {minutes: "{{ length }}"}', []),
        ("{vars: {pause: 5}, ansible.builtin.debug: {}}", []),
        ("include_role: {name: nope}", ["3: no-role"]),
        ("ansible.builtin.import_role: {name: app}", []),
        ('ansible.builtin.include_role: {name: "{{ which }}"}', []),
        ("ansible.builtin.include_role: {name: some.where.role}", []),
    ],
)
def test_tasks_that_ask_and_roles_that_are_not_there(tmp_path: Path, task: str, lines: list[str]) -> None:
    (tmp_path / "playbooks/roles/app").mkdir(parents=True)
    assert found(tmp_path, tasks(task)) == lines


def test_a_prompt_is_answered_by_a_variable_of_the_run(tmp_path: Path) -> None:
    assert found(tmp_path, ASKS) == ["3: asks"]
    assert found(tmp_path, ASKS, "answer") == []
    assert found(tmp_path, ASKS, "other") == ["3: asks"]


def test_roles_are_looked_for_where_ansible_finds_them(tmp_path: Path) -> None:
    play = "- hosts: all\n  roles:\n    - beside\n    - {role: configured}\n    - ours\n    - nowhere\n"
    assert found(tmp_path, play) == ["2: no-role", "4: no-role", "2: no-role", "2: no-role"]
    (tmp_path / "ansible.cfg").write_text("[defaults]\nroles_path = shared\n")
    for place in ("playbooks/recovery/roles/beside", "shared/configured", "playbooks/roles/ours"):
        (tmp_path / place).mkdir(parents=True)
    assert found(tmp_path, play) == ["2: no-role"]
    assert found(tmp_path, play + "  collections: [some.where]\n") == []


def test_a_plan_looks_into_what_a_playbook_brings_in(tmp_path: Path) -> None:
    for path, text in {
        FIX: "- hosts: all\n  roles: [app]\n",
        "playbooks/roles/app/tasks/main.yml": "- pause:\n- include_role: {name: gone}\n",
        "playbooks/recovery/other.yml": "- hosts: all\n  tasks: [{pause: }]\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    told = [(path, each.line, each.code) for path, each in of_playbook(tmp_path, FIX, ())]
    main = "playbooks/roles/app/tasks/main.yml"
    assert told == [(main, 1, "asks"), (main, 2, "no-role")]


@pytest.mark.parametrize(
    ("play", "lines"),
    [
        ("{hosts: all, become: true, become_method: su}", ["1: asks"]),
        ("{hosts: all, tasks: [{command: id, become: true, become_method: ansible.builtin.su}]}", ["1: asks"]),
        ("{hosts: all, become: true, become_method: sudo}", []),
        ("{hosts: all, become: false, become_method: su}", []),
        ("{hosts: all, become_method: su, vars: {ansible_become_password: x}}", []),
    ],
)
def test_su_asks_where_the_inventory_has_no_password_for_it(tmp_path: Path, play: str, lines: list[str]) -> None:
    asked = [f"{each.line}: {each.code}" for each in of_file(tmp_path, FIX, f"- {play}", (), su_asks=True)]
    assert asked == lines
    assert found(tmp_path, f"- {play}") == []
    assert not list(of_file(tmp_path, FIX, f"- {play}", ["ansible_become_pass"], su_asks=True))


def step(variables: dict[str, object]) -> StepFacts:
    intent = Intent(StepKind.RECOVERY, "fix", variables, ALL)
    return StepFacts(7, "When it is run", StepKind.RECOVERY, Phase.RECOVERY, intents=(intent,))


def lint(*runs: dict[str, object]) -> list[str]:
    scenario = ScenarioFacts("x.feature", 1, "S", frozenset(), tuple(map(step, runs)))
    it = Repository(Path("/srv"), scenarios=(scenario,) if runs else (), playbooks={FIX: ASKS, "playbooks/x.yml": ASKS})
    return [str(each) for each in obstacles.check(it)]


def test_lint_knows_which_variables_a_recovery_is_given() -> None:
    said = (
        f"{FIX}:3: asks: vars_prompt asks for answer, and nobody answers in a drill: "
        "give the value with drill.recover(name, answer=...)"
    )
    assert lint() == [said]
    assert lint({"answer": "yes"}) == []
    assert lint({"answer": "yes"}, {}) == [said]
