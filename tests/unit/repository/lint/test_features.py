"""What lint says of features and steps: each finding, and its twin that has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from drillbook.errors import InventoryError
from drillbook.model.phases import Phase, StepKind
from drillbook.repository.lint.facts import DefinitionFacts, Repository
from drillbook.repository.lint.features import check
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.repository.plan.plan import CheckPlan, Intent
from drillbook.repository.plan.scenario_facts import ScenarioFacts, StepFacts
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import Environment, EnvironmentKind, Work
from tests.support.unit import endpoint

pytestmark = pytest.mark.unit

LOOK = CheckPlan("at once", "the web service answers", "web")
GIVEN = StepFacts(
    4, "Given it is well", StepKind.GIVEN, Phase.BASELINE, "steps/a.py:1", endpoints=("web",), checks=(LOOK,)
)
BREAKS = StepFacts(
    5, "When it breaks", StepKind.FAULT, Phase.FAULT, "steps/a.py:5", intents=(Intent(StepKind.FAULT, "cut", {}),)
)
HURTS = StepFacts(6, "Then it hurts", StepKind.THEN, Phase.SYMPTOMS, "steps/a.py:9", checks=(LOOK,))
FIX = StepFacts(
    7,
    "When it is fixed",
    StepKind.RECOVERY,
    Phase.RECOVERY,
    "steps/a.py:13",
    intents=(Intent(StepKind.RECOVERY, "a/fix", {}),),
)
WELL = StepFacts(8, "Then it is well", StepKind.THEN, Phase.CRITERIA, "steps/a.py:17", checks=(LOOK,))
SOUND = ScenarioFacts("features/x.feature", 3, "It breaks", frozenset({"rto:1m"}), (GIVEN, BREAKS, HURTS, FIX, WELL))
PLAYBOOKS = ("playbooks/faults/cut/inject.yml", "playbooks/faults/cut/undo.yml", "playbooks/recovery/a/fix.yml")


def inventory(**more: Any) -> Inventory:
    endpoints = {
        "web": endpoint("web", "http://127.0.0.1/"),
        "db": endpoint("db", "http://127.0.0.1/", probe=False),
    }
    environment = Environment("lab", EnvironmentKind.LAB)
    return Inventory(Path("inventories"), environment, endpoints=MappingProxyType(endpoints), **more)


def repository(*scenarios: ScenarioFacts, **changes: Any) -> Repository:
    values: dict[str, Any] = {
        "root": Path("/srv"),
        "features": ("features/x.feature",),
        "scenarios": scenarios or (SOUND,),
        "playbooks": dict.fromkeys(PLAYBOOKS, ""),
        "inventory": inventory(),
        "inventory_name": "inventories",
    }
    return Repository(**(values | changes))


def found(repository: Repository) -> list[str]:
    return [str(each) for each in check(repository)]


def with_step(old: StepFacts, **changes: Any) -> ScenarioFacts:
    return replace(SOUND, steps=tuple(replace(each, **changes) if each is old else each for each in SOUND.steps))


def tagged(*tags: str) -> ScenarioFacts:
    return replace(SOUND, tags=frozenset({"rto:1m", *tags}))


def test_a_sound_repository_has_no_findings() -> None:
    assert found(repository()) == []


X = "features/x.feature"
CASES: dict[str, tuple[ScenarioFacts, str]] = {
    "no @rto": (
        replace(SOUND, tags=frozenset()),
        f"{X}:3: no-rto: the drill 'It breaks' has no @rto: no recovery is too late (warning)",
    ),
    "no such fault": (
        with_step(BREAKS, intents=(Intent(StepKind.FAULT, "cut", {}), Intent(StepKind.FAULT, "nope", {}))),
        f"{X}:5: no-playbook: 'When it breaks' names a fault that is not there: no playbooks/faults/nope/inject.yml",
    ),
    "no such recovery": (
        with_step(FIX, intents=(Intent(StepKind.RECOVERY, "a/fix", {}), Intent(StepKind.RECOVERY, "b", {}))),
        f"{X}:7: no-playbook: 'When it is fixed' names a recovery that is not there: no playbooks/recovery/b.yml",
    ),
    "no such message": (
        with_step(FIX, messages=("begin",)),
        (
            f"{X}:7: no-playbook: 'When it is fixed' names a message that is not there: "
            "no playbooks/communication/begin.yml"
        ),
    ),
    "a fault that is none": (
        replace(SOUND, steps=(GIVEN, BREAKS, replace(BREAKS, line=9, text="And so on", intents=()), HURTS, FIX, WELL)),
        f"{X}:9: does-nothing: 'And so on' is a fault that does not call drill.inject (steps/a.py:5)",
    ),
    "no baseline check": (
        with_step(GIVEN, checks=()),
        (
            f"{X}:4: no-check: no step of the baseline hands a check to the drill: nobody looks whether the system is "
            "healthy"
        ),
    ),
    "no symptom": (
        with_step(HURTS, checks=()),
        (
            f"{X}:6: no-check: no step of the symptoms hands a check to the drill: nothing shows that the incident was "
            "there"
        ),
    ),
    "no criterion": (
        with_step(WELL, checks=()),
        (
            f"{X}:8: no-check: no step of the criteria hands a check to the drill: nothing shows that the "
            "system is well again"
        ),
    ),
    "no endpoint of that name": (
        with_step(GIVEN, endpoints=("web", "wbe")),
        (
            f"{X}:4: no-endpoint: 'Given it is well' looks at 'wbe', which is no endpoint that inventories samples "
            "(there: web; steps/a.py:1)"
        ),
    ),
    "an endpoint that is not sampled": (
        with_step(GIVEN, endpoints=("db",)),
        (
            f"{X}:4: no-endpoint: 'Given it is well' looks at 'db', which is no endpoint that inventories samples "
            "(there: web; steps/a.py:1)"
        ),
    ),
    "a tag that names no endpoint": (
        tagged("abort-when:wbe"),
        f"{X}:3: no-endpoint: @abort-when:wbe names no endpoint that inventories samples (there: web)",
    ),
    "work without its settings": (
        with_step(GIVEN, work=True),
        f"{X}:4: no-work: 'Given it is well' submits work, and inventories has no drillbook_work",
    ),
    "a step that raises": (
        with_step(HURTS, error="TypeError: x", checks=()),
        f"{X}:6: step-fails: 'Then it hurts' fails before anything is looked at: TypeError: x (steps/a.py:9)",
    ),
    "self-healing without its off": (
        tagged("self-healing"),
        (
            f"{X}:3: no-self-healing-off: 'It breaks' is @self-healing, and no tag @self-healing-off:NAME names "
            "the fault that switches the self-healing off: no control can show that the self-healing recovers the "
            "system"
        ),
    ),
    "self-healing switched off by nothing": (
        tagged("self-healing", "self-healing-off:nope"),
        (
            f"{X}:3: no-playbook: @self-healing-off:nope names a fault that is not there: no "
            "playbooks/faults/nope/inject.yml"
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_with_a_scenario(name: str) -> None:
    scenario, sentence = CASES[name]
    assert found(repository(scenario)) == [sentence]


TWINS: dict[str, ScenarioFacts] = {
    "a check that is not known": with_step(HURTS, checks=(), uncertain="known only in the drill"),
    "a recovery that is left to the system": replace(
        SOUND, steps=(GIVEN, BREAKS, HURTS, replace(FIX, intents=(), left_alone=True), FIX, WELL)
    ),
    "a tag that names an endpoint": tagged("abort-when:web"),
    "self-healing with its off": tagged("self-healing", "self-healing-off:cut"),
    "an ordinary test": replace(
        SOUND, tags=frozenset(), steps=tuple(replace(each, phase=None) for each in SOUND.steps)
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_and_its_twin(name: str) -> None:
    assert found(repository(TWINS[name])) == []


def test_work_with_its_settings() -> None:
    work = Work("http://x", "db", "select 1")
    assert found(repository(with_step(GIVEN, work=True), inventory=inventory(work=work))) == []


def test_endpoints_are_not_judged_without_an_inventory() -> None:
    scenario = with_step(GIVEN, endpoints=("wbe",))
    assert found(repository(scenario, inventory=None, inventory_problem=InventoryError("no"))) == []


def test_what_collection_refuses() -> None:
    refused = (Finding("features/y.feature", 3, "refused", "'Given x' is not defined"),)
    assert found(repository(refused=refused)) == [
        "features/y.feature:3: refused: 'Given x' is not defined",
        f"{X}:1: unused: not looked at: what no scenario uses, since a feature was refused (note)",
    ]


# ------------------------------------------------------------------ what nobody uses


def test_what_nobody_uses() -> None:
    more = {**dict.fromkeys(PLAYBOOKS, ""), "playbooks/faults/b/inject.yml": "", "playbooks/recovery/c/d.yml": ""}
    definitions = (
        DefinitionFacts("steps/a.py", 1, "it is well", used=True),
        DefinitionFacts("steps/a.py", 30, "nobody says it", used=False),
    )
    assert found(repository(playbooks=more, definitions=definitions)) == [
        "steps/a.py:30: unused-step: no scenario says 'nobody says it' (warning)",
        "playbooks/faults/b/inject.yml:1: unused-fault: no scenario uses the fault 'b' (warning)",
        "playbooks/recovery/c/d.yml:1: unused-recovery: no scenario uses the recovery 'c/d' (warning)",
    ]


def test_what_a_used_playbook_imports_is_used_and_so_is_what_that_imports() -> None:
    used = next(path for path in PLAYBOOKS if path.startswith("playbooks/recovery/"))
    more = {
        **dict.fromkeys(PLAYBOOKS, ""),
        used: "- import_playbook: ../part.yml\n",
        "playbooks/recovery/part.yml": "- ansible.builtin.import_playbook: deep/part.yml\n",
        "playbooks/recovery/deep/part.yml": "",
        "playbooks/recovery/other.yml": "- import_playbook: of_other.yml\n",
        "playbooks/recovery/of_other.yml": "",
    }
    assert found(repository(playbooks=more)) == [
        "playbooks/recovery/other.yml:1: unused-recovery: no scenario uses the recovery 'other' (warning)",
        "playbooks/recovery/of_other.yml:1: unused-recovery: no scenario uses the recovery 'of_other' (warning)",
    ]


def test_a_fault_that_switches_self_healing_off_is_used() -> None:
    more = {**dict.fromkeys(PLAYBOOKS, ""), "playbooks/faults/off/inject.yml": ""}
    assert found(repository(tagged("self-healing", "self-healing-off:off"), playbooks=more)) == []


def test_use_is_not_judged_by_a_part_of_the_features() -> None:
    definitions = (DefinitionFacts("steps/a.py", 30, "nobody says it", used=False),)
    assert found(repository(definitions=definitions, whole=False)) == [
        f"{X}:1: unused: not looked at: what no scenario uses, since only some features were named (note)"
    ]


def test_a_fault_that_was_not_looked_into() -> None:
    scenario = with_step(BREAKS, intents=(), uncertain="it calls subprocess.run() (steps/a.py:6)")
    assert found(repository(scenario)) == [
        (
            f"{X}:5: not-looked-into: 'When it breaks' was not looked into, so its playbook is not known: it calls "
            "subprocess.run() (steps/a.py:6) (warning)"
        ),
        (
            f"{X}:1: unused: not looked at: faults and recoveries that no scenario uses, since some steps' are "
            "not known (note)"
        ),
    ]


def test_findings_sort_by_place() -> None:
    one, two = Finding("a", 9, "x", "s"), Finding("a", 10, "a", "s", Severity.NOTE)
    assert sorted([two, one]) == [one, two]
