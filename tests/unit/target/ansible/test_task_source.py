"""A condition that names no variable has looked at nothing; what cannot be read is taken for a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.target.ansible.task_source import asserts_nothing, denies_failure
from tests.support.unit import played, task

pytestmark = pytest.mark.unit


def at(folder: Path, text: str) -> str:
    """A task of these lines in a playbook, as Ansible names it."""
    path = folder / "play.yml"
    path.write_text(f"- hosts: all\n  tasks:\n    - name: One\n      {text}\n", encoding="utf-8")
    return f"{path}:3"


@pytest.mark.parametrize(
    "text",
    [
        "failed_when: false",
        "failed_when: no",
        "failed_when: 1 == 2",
        'failed_when: "{{ false }}"',
        "failed_when: [false, 1 is sameas 2]",
        "failed_when: false\n      secret: !vault x",
        "failed_when: false\n      changed_when: 'no'",  # a variable, and none that is defined
        "<<: {failed_when: false}",
    ],
)
def test_a_failure_that_is_denied(tmp_path: Path, text: str) -> None:
    assert denies_failure(at(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "failed_when: it.rc not in [0, 3]",
        'failed_when: "{{ never }}"',
        "failed_when: [false, it.rc == 2]",
        "failed_when: lookup('pipe', 'true') == 'x'",
        "failed_when: ((",
        "failed_when: false\n      changed_when: false",
        "failed_when: false\n      changed_when: off",
        "failed_when: false\n      changed_when: not true",
        'failed_when: false\n      changed_when: "{{ false }}"',
        "failed_when: false\n      changed_when: [false]",
        "failed_when: !unsafe 'false'",
        "failed_when: !vault x",
        "changed_when: false",
    ],
)
def test_a_failure_that_is_not(tmp_path: Path, text: str) -> None:
    assert not denies_failure(at(tmp_path, text))


@pytest.mark.parametrize("module", ["assert", "ansible.builtin.assert", "ansible.legacy.assert"])
@pytest.mark.parametrize("that", ["true", "[true, 1 == 1]", "\"'a' is string\""])
def test_an_assertion_of_nothing(tmp_path: Path, module: str, that: str) -> None:
    assert asserts_nothing(at(tmp_path, f"{module}: {{that: {that}}}"))


@pytest.mark.parametrize("text", ["assert: {that: it.stat.exists}", "assert: {that: [true, it]}", "assert: that=true"])
def test_an_assertion_of_something(tmp_path: Path, text: str) -> None:
    assert not asserts_nothing(at(tmp_path, text))


@pytest.mark.parametrize("where", ["", "nowhere.yml:3", "nowhere.yml:x", "nowhere.yml"])
def test_a_place_that_is_none(where: str) -> None:
    assert not denies_failure(where)
    assert not asserts_nothing(where)


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "play.yml"
    path.write_text("{", encoding="utf-8")
    assert not denies_failure(f"{path}:1")


def test_an_undo_that_ends_with_an_assertion_of_nothing() -> None:
    from drillbook.safety.undo import why_not_gone

    assert why_not_gone(played(task())) is None
    assert "names no variable" in str(why_not_gone(played(task(vacuous=True))))
