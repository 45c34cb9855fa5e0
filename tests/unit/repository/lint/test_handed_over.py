"""Which values of the variables that steps hand over ansible-lint is given, and with which playbooks."""

from __future__ import annotations

import pytest

from drillbook.model.phases import StepKind
from drillbook.repository.lint.handed_over import HandedOver, runs
from drillbook.repository.plan.plan import Intent
from drillbook.target.ansible.selection import ALL

pytestmark = pytest.mark.unit

HOSTS = "- hosts: '{{ victim }}'\n  tasks: [{name: Wait, ansible.builtin.pause: {seconds: '{{ length }}'}}]\n"
IMPORTS = "- hosts: all\n  tasks:\n    - {name: It is told, ansible.builtin.import_tasks: {file: '{{ tasks }}.yml'}}\n"
CUT, KILL = "playbooks/faults/cut", "playbooks/recovery/kill.yml"
TEXTS = {f"{CUT}/inject.yml": HOSTS, f"{CUT}/undo.yml": HOSTS, KILL: IMPORTS}


def fault(**variables: object) -> Intent:
    return Intent(StepKind.FAULT, "cut", variables, ALL)


def recovery(**variables: object) -> Intent:
    return Intent(StepKind.RECOVERY, "kill", variables, ALL)


def handed(*intents: Intent) -> list[HandedOver]:
    return runs(intents, {"drillbook_switch": "armed"}, lambda playbook: [TEXTS.get(playbook, "")])


def test_each_value_that_leads_elsewhere_is_handed_over() -> None:
    first, *further = handed(fault(victim="a", length=1), fault(victim="b", length=2), fault(victim="c", length=1))
    assert first == HandedOver((), {"drillbook_switch": "armed", "victim": "a", "length": 1})
    both = (f"{CUT}/inject.yml", f"{CUT}/undo.yml")
    assert [(each.playbooks, each.variables["victim"]) for each in further] == [(both, "b"), (both, "c")]


def test_what_leads_nowhere_is_handed_over_once() -> None:
    assert len(handed(fault(victim="a", length=1), fault(victim="a", length=2))) == 1
    assert len(handed(recovery(victim="a"), recovery(victim="b"))) == 1


def test_playbooks_whose_values_agree_share_a_run() -> None:
    _, *further = handed(fault(victim="a"), recovery(tasks="x"), fault(victim="b"), recovery(tasks="y"))
    (shared,) = further
    assert shared.playbooks == (f"{CUT}/inject.yml", f"{CUT}/undo.yml", KILL)
    assert (shared.variables["victim"], shared.variables["tasks"]) == ("b", "y")


def test_a_playbook_that_cannot_be_read_is_left_to_others() -> None:
    assert len(runs([fault(victim="a"), fault(victim="b")], {}, lambda _: ["- {"])) == 1
