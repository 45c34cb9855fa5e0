"""What lint says of playbooks: each finding, and its twin that has none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.playbooks import check

pytestmark = pytest.mark.unit

UNDO = "playbooks/faults/cut/undo.yml"
FIX = "playbooks/recovery/fix.yml"
INJECT = "- hosts: all\n  tasks: [{name: Cut, ansible.builtin.command: cut}]\n"


def found(undo: str, **others: str) -> list[str]:
    """What is said of an undo, and of further files (`/` for `__`)."""
    texts = {"playbooks/faults/cut/inject.yml": INJECT, UNDO: textwrap.dedent(undo)}
    texts |= {f"playbooks/{name.replace('__', '/')}.yml": textwrap.dedent(text) for name, text in others.items()}
    return [str(each) for each in check(Repository(Path("/srv"), playbooks=texts))]


def play(*tasks: str, more: str = "") -> str:
    body = "".join(textwrap.indent(textwrap.dedent(task).strip("\n"), "    ") + "\n" for task in tasks)
    return f"- name: It is whole\n  hosts: all\n{more}  tasks:\n{body}"


LOOK = "- name: Look\n  ansible.builtin.stat: {path: /x}\n  register: it"
GONE = "- name: Gone\n  ansible.builtin.assert: {that: not it.stat.exists}"
SOUND = play(LOOK, GONE)

ENDS_WELL: dict[str, str] = {
    "a sound undo": SOUND,
    "two plays": SOUND + SOUND,
    "a list of conditions": play("- ansible.builtin.assert:\n    that:\n      - true\n      - not it.stat.exists"),
    "the short name": play(LOOK, "- assert: {that: it.x}"),
    "in a block": play("- block:\n    - ansible.builtin.command: x\n    - assert: {that: it.x}"),
    "in the always of a block": play(
        "- block: [{ansible.builtin.command: x}]\n  always:\n    - ansible.builtin.assert: {that: it.x}"
    ),
    "what is the name of a variable": play('- ansible.builtin.assert: {that: "yes"}'),
    "in post_tasks": SOUND.replace("  tasks:", "  post_tasks:") + "  tasks:\n    - ansible.builtin.command: x\n",
    "with a vault": play(LOOK, GONE, more="  vars:\n    x: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      61\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS_WELL)
def test_an_undo_that_ends_with_an_assertion(name: str) -> None:
    assert found(ENDS_WELL[name]) == []


NO_ASSERT = "the play 'It is whole' does not end with ansible.builtin.assert: nothing shows that the fault is gone"
CANNOT_FAIL = (
    "the last assertion of the play 'It is whole' cannot fail: say in `that` what is so when the fault is gone"
)
CLEANS = SOUND.replace("/x", '"/work/{{ drillbook_work_prefix }}"')


def test_a_cleanup_is_held_to_what_an_undo_is() -> None:
    assert found(SOUND, cleanup__work=CLEANS) == []
    assert found(SOUND, cleanup__work=play(LOOK)) == [f"playbooks/cleanup/work.yml:4: undo-proves-nothing: {NO_ASSERT}"]
    (said,) = found(SOUND, cleanup__work=play(LOOK + "\n  ignore_errors: true", GONE))
    assert said.startswith("playbooks/cleanup/work.yml:7: ignored: ignore_errors")


def test_a_cleanup_that_no_drill_runs_is_said() -> None:
    (said,) = found(SOUND, cleanup__works=CLEANS)
    assert said == (
        "playbooks/cleanup/works.yml:1: unused-cleanup: no drill runs it: the playbook that removes a drill's work is "
        "playbooks/cleanup/work.yml (warning)"
    )
    assert found(SOUND, cleanup__work=f"- import_playbook: works.yml\n{CLEANS}", cleanup__works=CLEANS) == []


ENDS_BADLY: dict[str, tuple[str, int, str]] = {
    "no assertion": (play(LOOK), 4, NO_ASSERT),
    "an assertion before the end": (play(GONE, LOOK), 6, NO_ASSERT),
    "only the first play": (SOUND + play(LOOK), 12, NO_ASSERT),
    "roles only": ("- name: It is whole\n  hosts: all\n  roles: [service]\n", 1, NO_ASSERT),
    "imported tasks": (play(LOOK, "- ansible.builtin.import_tasks: gone.yml"), 7, NO_ASSERT),
    "not in the always of its block": (
        play(
            "- block:\n    - assert: {that: it.x}\n  always:\n    - ansible.builtin.command: x"
        ), 7, NO_ASSERT,
    ),
    "no condition": (play("- ansible.builtin.assert: {quiet: true}"), 4, CANNOT_FAIL),
    "an empty condition": (play("- ansible.builtin.assert: {that: []}"), 4, CANNOT_FAIL),
    "true": (play("- ansible.builtin.assert: {that: true}"), 4, CANNOT_FAIL),
    "only truths": (play('- ansible.builtin.assert: {that: ["true", True, 1]}'), 4, CANNOT_FAIL),
    "true, as a template": (play('- ansible.builtin.assert: {that: "{{ true }}"}'), 4, CANNOT_FAIL),
    "no task": (
        "- name: It is whole\n  hosts: all\n",
        1,
        "the play 'It is whole' has no task: nothing shows that the fault is gone",
    ),
    "no play": ("[]\n", 1, "the undo has no play: nothing shows that the fault is gone"),
    "never made": (
        play(LOOK, GONE + "\n  when: false"),
        9,
        "the last assertion of the play 'It is whole' never runs: `when` is false",
    ),
    "an import that cannot be looked into": (
        "- import_playbook: '{{ x }}.yml'\n",
        1,
        "it imports {{ x }}.yml, which cannot be looked into: end the undo with an assertion of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS_BADLY)
def test_an_undo_that_proves_nothing(name: str) -> None:
    undo, line, sentence = ENDS_BADLY[name]
    assert found(undo) == [f"{UNDO}:{line}: undo-proves-nothing: {sentence}"]


def test_an_imported_playbook_is_looked_into() -> None:
    importing = "- ansible.builtin.import_playbook: ../shared/undo.yml\n"
    with_inject = {"faults__shared__inject": INJECT}
    assert found(importing, faults__shared__undo=SOUND, **with_inject) == []
    said = found(importing, faults__shared__undo=play(LOOK), **with_inject)
    assert set(said) == {f"playbooks/faults/shared/undo.yml:4: undo-proves-nothing: {NO_ASSERT}"}


RUNNING = "- name: It is whole\n  ansible.builtin.assert:\n    that: {that}\n"
BY_ROLE = play("- ansible.builtin.include_role:\n    name: service\n    tasks_from: running")


def test_an_undo_may_end_with_the_assertion_of_a_role() -> None:
    assert found(BY_ROLE, roles__service__tasks__running=RUNNING.format(that="it.x")) == []
    assert found(BY_ROLE, roles__service__tasks__running=LOOK) == [f"{UNDO}:1: undo-proves-nothing: {NO_ASSERT}"]
    assert found(BY_ROLE) == [f"{UNDO}:4: undo-proves-nothing: {NO_ASSERT}"]
    assert found(BY_ROLE, roles__service__tasks__running=RUNNING.format(that="true")) == [
        f"playbooks/roles/service/tasks/running.yml:2: undo-proves-nothing: {CANNOT_FAIL}"
    ]


@pytest.mark.parametrize(
    ("first", "second", "clean"),
    [("web", "web", True), ("web", "queue:web", True), ("web:queue", "queue", False), ("'{{ target }}'", "all", False)],
)
def test_a_play_without_an_assertion_is_covered_by_a_later_one_on_its_hosts(
    first: str, second: str, clean: bool
) -> None:
    undo = play(LOOK).replace("hosts: all", f"hosts: {first}") + SOUND.replace("hosts: all", f"hosts: {second}")
    assert found(undo) == ([] if clean else [f"{UNDO}:4: undo-proves-nothing: {NO_ASSERT}"])


SILENCES: dict[str, tuple[str, str]] = {
    "ignore_errors": ("ignore_errors: true", "ignored: ignore_errors: Ansible calls a failure here successful"),
    "ignore_errors, templated": (
        'ignore_errors: "{{ x }}"',
        "ignored: ignore_errors: Ansible calls a failure here successful",
    ),
    "ignore_unreachable": (
        "ignore_unreachable: yes",
        "ignored: ignore_unreachable: Ansible calls a failure here successful",
    ),
    "failed_when": ("failed_when: false", "never-fails: failed_when: false: this task cannot fail"),
    "failed_when, as text": ('failed_when: "False"', "never-fails: failed_when: false: this task cannot fail"),
    "failed_when, as a list": ("failed_when: [false]", "never-fails: failed_when: false: this task cannot fail"),
    "check_mode": (
        "check_mode: true",
        "check-mode: check_mode: a task in check mode changes nothing, and Ansible calls it successful",
    ),
}
FILES = ("faults/cut/inject", "recovery/fix", "recovery/redis/fix")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", SILENCES)
def test_what_passes_by_silence(name: str, file: str) -> None:
    key, said = SILENCES[name]
    task = f"- name: Try\n  ansible.builtin.command: x\n  {key}"
    expected = [f"playbooks/{file}.yml:6: {said}"]
    assert found(SOUND, **{file.replace("/", "__"): play(task)}) == expected
    in_a_block = play(f"- block:\n    - ansible.builtin.command: x\n      {key}")
    assert found(SOUND, **{file.replace("/", "__"): in_a_block}) == expected


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("# allowed: it may be away", "; allowed: it may be away (note)"),
        ("# allowed:", ""),
        ("# it is allowed", ""),
    ],
)
def test_what_the_line_itself_gives_a_reason_for_is_a_note(comment: str, told: str) -> None:
    task = f"- name: Try\n  ansible.builtin.command: x\n  ignore_unreachable: true {comment}"
    said = f"{FIX}:6: ignored: ignore_unreachable: Ansible calls a failure here successful{told}"
    assert found(SOUND, recovery__fix=play(task)) == [said]


def test_of_a_play_and_of_a_role() -> None:
    assert found(SOUND, recovery__fix=play(LOOK, more="  ignore_errors: true\n")) == [
        f"{FIX}:3: ignored: ignore_errors: Ansible calls a failure here successful"
    ]
    tasks = "- name: Try\n  ansible.builtin.command: x\n  ignore_errors: true\n"
    assert found(SOUND, roles__service__tasks__main=tasks) == [
        "playbooks/roles/service/tasks/main.yml:3: ignored: ignore_errors: Ansible calls a failure here successful"
    ]
    assert found(SOUND, roles__service__defaults__main="ignore_errors: true\n") == []


@pytest.mark.parametrize(
    "keys",
    [
        "ignore_errors: false",
        'ignore_errors: "f"',
        'ignore_unreachable: "N"',
        'ignore_errors: "{{ false }}"',
        "failed_when: it.rc != 0",
        "failed_when: [false, it.rc != 0]",
        'failed_when: "no"',  # a variable, and none that is defined: the task always fails
        "check_mode: false",
    ],
)
def test_and_what_does_not(keys: str) -> None:
    assert found(SOUND, recovery__fix=play(f"- ansible.builtin.command: x\n  {keys}")) == []


def test_an_empty_rescue() -> None:
    said = [f"{FIX}:5: empty-rescue: an empty rescue hides what failed in the block"]
    for empty in ("[]", ""):
        assert found(SOUND, recovery__fix=play(f"- block: [{{ansible.builtin.command: x}}]\n  rescue: {empty}")) == said
    full = "- block: [{ansible.builtin.command: x}]\n  rescue: [{ansible.builtin.fail: {msg: x}}]"
    assert found(SOUND, recovery__fix=play(full)) == []


@pytest.mark.parametrize("word", ["meta", "ansible.builtin.meta"])
def test_an_end_before_the_assertion(word: str) -> None:
    early = play(LOOK, f"- {word}: end_play\n  when: it.stat.exists", GONE)
    assert found(early) == [f"{UNDO}:7: ends-early: meta: end_play before the assertion: the play may end without it"]
    assert found(SOUND, recovery__fix=play(LOOK, f"- {word}: end_play")) == [], "it asserts nothing"
    assert found(SOUND, recovery__fix=play(LOOK, GONE, f"- {word}: end_play")) == []
    assert found(play(LOOK, f"- {word}: flush_handlers", GONE)) == []


def test_a_fault_without_its_half() -> None:
    only_inject = Repository(Path("/srv"), playbooks={"playbooks/faults/cut/inject.yml": INJECT})
    assert [str(each) for each in check(only_inject)] == [
        f"{UNDO}:1: no-undo: the fault has no undo.yml: a fault is a folder with inject.yml and undo.yml"
    ]
    only_undo = Repository(Path("/srv"), playbooks={UNDO: SOUND})
    assert [str(each) for each in check(only_undo)] == [
        (
            "playbooks/faults/cut/inject.yml:1: no-inject: the fault has no inject.yml: a fault is a folder with "
            "inject.yml and undo.yml"
        )
    ]


def test_what_is_no_yaml() -> None:
    (said,) = found(SOUND, recovery__fix="- hosts: all\n  tasks: [\n")
    assert said.startswith(f"{FIX}:3: yaml: the file is no YAML that Ansible could read: ")


@pytest.mark.parametrize(
    "path",
    [
        "playbooks/recovery/roll_back.yaml",
        "playbooks/communication/mail/all.yaml",
        "playbooks/faults/cut/switch.yaml",
        "playbooks/faults/net/inject.yaml",
    ],
)
def test_a_playbook_that_nobody_would_find_is_named(path: str) -> None:
    sentence = (
        f"{path}:1: misnamed: Drillbook does not find a playbook with this name: rename it to {Path(path).stem}.yml"
    )
    texts = {"playbooks/faults/cut/inject.yml": INJECT, UNDO: SOUND, path: INJECT}
    assert sentence in [str(each) for each in check(Repository(Path("/srv"), playbooks=texts))]
    found = [str(each) for each in check(Repository(Path("/srv"), playbooks=texts | {path[:-5] + ".yml": INJECT}))]
    assert sentence not in found


def test_a_playbook_that_another_imports_may_have_its_name() -> None:
    texts = {FIX: "- import_playbook: more.yaml\n", "playbooks/recovery/more.yaml": play(LOOK)}
    assert [str(each) for each in check(Repository(Path("/srv"), playbooks=texts))] == []
