"""An undo proves each host that its fault changed, or may have changed; real plays say which those are."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from drillbook.safety.undo import why_not_gone
from drillbook.target.ansible.result import TaskStatus

from .test_playbook_real import Repository, warm_or_cold

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with warm_or_cold(tmp_path_factory.mktemp("repository"), warm=True) as repository:
        yield repository


def play(*tasks: str, hosts: str = "web", more: str = "") -> str:
    """A play of these tasks; `more` are its keywords."""
    lines = "".join(f"    - {task}\n" for task in tasks)
    looked = "{so: '{{ playbook_dir is exists }}'}"
    return f"- hosts: {hosts}\n  gather_facts: false\n  vars: {looked}\n{more}  tasks:\n{lines}"


CHANGE = "{ansible.builtin.command: 'true'%s}"
ASSERT = "{ansible.builtin.assert: {that: so}%s}"
ON_1 = ", when: inventory_hostname == 'web-1'"
TO_2 = ", delegate_to: web-2"

TOUCHED = {
    "all": (play(CHANGE % ""), ("web-1", "web-2")),
    "one, by when": (play(CHANGE % ON_1), ("web-1",)),
    "one, by run_once": (play(CHANGE % ", run_once: true"), ("web-1",)),
    "another, by delegation": (play(CHANGE % TO_2, hosts="web-1"), ("web-2",)),
    "others, by an item each": (
        play(CHANGE % ", delegate_to: '{{ item }}', loop: [web-2, web-1]", hosts="web-1"),
        ("web-2", "web-1"),
    ),
    "none": (play(CHANGE % ", changed_when: false"), ()),
    "none but Ansible's own memory": (
        play("{ansible.builtin.set_fact: {x: 1}, changed_when: true}", "{ansible.builtin.add_host: {name: web-9}}"),
        (),
    ),
    "one, which may have": (play(CHANGE % ", failed_when: inventory_hostname == 'web-2'" + ""), ("web-1", "web-2")),
    "one that was not reached": (
        play(
            CHANGE % ON_1 + "",
            "{ansible.builtin.ping: , vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, "
            "ansible_port: 1}, when: inventory_hostname == 'web-2'}",
        ),
        ("web-1", "web-2"),
    ),
}


@pytest.mark.parametrize(("text", "hosts"), TOUCHED.values(), ids=list(TOUCHED))
def test_the_hosts_that_a_fault_touched(repository: Repository, text: str, hosts: tuple[str, ...]) -> None:
    begun: list[str] = []
    result = repository.run(text, on_host=begun.append)
    assert sorted(result.touched) == sorted(hosts)
    assert begun == list(dict.fromkeys(begun)), "each is told once"
    assert set(begun) == {task.host for task in result.tasks}


PROVEN = {
    "on all": play(CHANGE % "", ASSERT % ""),
    "one after the other": play(CHANGE % "", ASSERT % "", more="  serial: 1\n"),
    "for one by its delegate": play(CHANGE % TO_2, ASSERT % "", hosts="web-1"),
    "by two plays": play(ASSERT % "", hosts="web-1") + play(ASSERT % "", hosts="web-2"),
}
UNPROVEN = {
    "run_once": play(CHANGE % ", run_once: true", ASSERT % ", run_once: true"),
    "a narrower pattern": play(CHANGE % "", ASSERT % "", hosts="web-1"),
    "a pattern that leaves it out": play(CHANGE % "", ASSERT % "", hosts="web:!web-2"),
    "delegated, and skipped": play(CHANGE % TO_2 + "", ASSERT % "", hosts="web-1").replace(
        "'true'", "'true', when: not so"
    ),
    "end_play for all but the first": play(
        CHANGE % "", ASSERT % "", "{ansible.builtin.meta: end_batch}", hosts="web-1"
    ),
}
OTHERWISE = {
    "when leaves it out": (play(CHANGE % ON_1, ASSERT % ON_1), "ran no task on web-2"),
    "end_host": (
        play(CHANGE % "", "{ansible.builtin.meta: end_host, when: inventory_hostname == 'web-2'}", ASSERT % ""),
        "does not end with an assertion that held on web-2",
    ),
    "serial, and it fails on the first": (
        play(CHANGE % "", ASSERT % ", vars: {so: false}", more="  serial: 1\n"),
        "Assertion failed",
    ),
}


@pytest.mark.parametrize("text", PROVEN.values(), ids=list(PROVEN))
def test_an_undo_proves_both_hosts(repository: Repository, text: str) -> None:
    assert why_not_gone(repository.run(text), ("web-1", "web-2")) is None


@pytest.mark.parametrize("text", UNPROVEN.values(), ids=list(UNPROVEN))
def test_an_undo_proves_nothing_on_one_of_them(repository: Repository, text: str) -> None:
    result = repository.run(text)
    assert why_not_gone(result, ("web-1",)) is None
    says = "the undo playbooks/play.yml proved nothing on web-2, which the fault changed"
    assert why_not_gone(result, ("web-1", "web-2")) == says


@pytest.mark.parametrize(("text", "says"), OTHERWISE.values(), ids=list(OTHERWISE))
def test_an_undo_that_is_not_made_on_one_of_them(repository: Repository, text: str, says: str) -> None:
    assert says in str(why_not_gone(repository.run(text), ("web-1", "web-2")))


def test_a_task_without_a_result_is_not_finished(repository: Repository) -> None:
    cancel = threading.Event()

    def begins(host: str) -> None:
        if host == "web-2":
            cancel.set()

    text = play("{ansible.builtin.command: sleep 600, when: inventory_hostname == 'web-2'}")
    result = repository.run(text, on_host=begins, cancel=cancel)
    assert "web-2" in result.touched
    assert [task.status for task in result.tasks if task.host == "web-2"] == [TaskStatus.UNFINISHED]
    assert any(sentence.startswith('Not finished: "ansible.builtin.command" on web-2') for sentence in result.unsaid())
