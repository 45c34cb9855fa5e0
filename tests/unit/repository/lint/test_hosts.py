"""A part of a play's pattern that names nobody is said, since Ansible ignores it; its twin names somebody."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.hosts import check
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import Environment, EnvironmentKind

pytestmark = pytest.mark.unit

INVENTORY = Inventory(
    Path("/srv/inventories/x"),
    Environment("x", EnvironmentKind.LAB),
    groups={"web": ("web-1", "web-2"), "all": ("web-1", "web-2"), "ungrouped": ()},
    hostvars={"web-1": {}, "web-2": {}},
)


def found(hosts: str, *, more: str = "", path: str = "playbooks/recovery/fix.yml") -> list[str]:
    texts = {path: f"- name: It is fixed\n  hosts: {hosts}\n  tasks: [{{{more}}}]\n"}
    repository = Repository(Path("/srv"), playbooks=texts, inventory=INVENTORY, inventory_name="inventories/x")
    return [str(each) for each in check(repository)]


@pytest.mark.parametrize(
    "hosts",
    [
        "web",
        "all",
        "localhost",
        "web-1,web-2",
        "[web-1, web-2]",
        "web:!web-2",
        "'web:&all'",
        "'web-*'",
        "'web[0]'",
        "'web[0:1],web-2'",
        "'~web-\\d'",
        "'{{ target }}'",
        "'*'",
    ],
)
def test_all_parts_name_somebody(hosts: str) -> None:
    assert found(hosts) == []


@pytest.mark.parametrize(
    ("hosts", "part"),
    [
        ("web-1,web-22", "web-22"),
        ("[web-1, webb]", "webb"),
        ("web:!db", "db"),
        ("web:&db", "db"),
        ("'web-1,wib*'", "wib*"),
        ("'webb[0]'", "webb"),
    ],
)
@pytest.mark.parametrize("path", ["playbooks/recovery/fix.yml", "playbooks/faults/cut/undo.yml"])
def test_a_part_names_nobody(hosts: str, part: str, path: str) -> None:
    says = f"unknown-host: {part!r} names no host or group of inventories/x: Ansible ignores it"
    assert found(hosts, path=path) == [f"{path}:2: {says} (warning)"]


def test_what_a_playbook_may_make_is_a_note() -> None:
    (said,) = found("late", more="ansible.builtin.add_host: {name: late}")
    assert said.endswith("unless the playbook makes it (add_host, group_by) (note)")
