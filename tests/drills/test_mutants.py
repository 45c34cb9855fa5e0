"""The harness mutants: each way in which a drill could pass falsely ends otherwise, with a reason that names it.

The bar is all of them. Other ways are kept where their subject is: test_verdicts.py (whole drills), test_silence.py
(histories that once passed), tests/unit: model/test_work_balance.py (an empty ledger), pytest_plugin/test_refusals.py.
"""

from __future__ import annotations

import os
import re
from xml.etree import ElementTree

import pytest

from .conftest import Mini, Ran
from .mutants import PASSED, STATUS, Edit, Mutant, added, body, step, swapped
from .mutants.dataloss import DATALOSS
from .mutants.machinery import BROKEN, FIXTURE, MACHINERY, hook
from .mutants.playbooks import FIX, PLAYBOOKS
from .mutants.steps import STEPS
from .mutants.surroundings import SURROUNDINGS

pytestmark = pytest.mark.lab

TABLES = {
    "steps": STEPS,
    "dataloss": DATALOSS,
    "machinery": MACHINERY,
    "playbooks": PLAYBOOKS,
    "surroundings": SURROUNDINGS,
}
MUTANTS = [
    pytest.param(mutant, id=f"{subject}-{mutant.name.replace(' ', '-')}")
    for subject, table in TABLES.items()
    for mutant in table
]


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage makes a drill a third slower, and there are a hundred: the other tests are measured."""
    for name in tuple(os.environ):
        if name.startswith("COVERAGE_PROCESS"):
            monkeypatch.delenv(name)


def changed(mini: Mini, edits: tuple[Edit, ...], args: tuple[str, ...] = ()) -> Ran:
    """Run the changed repository."""
    for edit in edits:
        edit(mini)
    return mini.pytest("features", "--junitxml=junit.xml", *args)


def passed_in_junit(mini: Mini) -> list[str]:
    """The test cases of which JUnit says nothing bad."""
    path = mini.root / "junit.xml"
    cases = ElementTree.parse(path).iter("testcase") if path.exists() else ()
    return [case.get("name", "") for case in cases if case.find("failure") is None and case.find("error") is None]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_it_does_not_pass(mini: Mini, mutant: Mutant) -> None:
    ran = changed(mini, mutant.edits, mutant.args)
    assert ran.status in STATUS[mutant.ends], ran.output
    assert re.search(mutant.why, ran.output), ran.output
    assert not re.search(r"\d passed", ran.output), ran.output
    assert not passed_in_junit(mini), ran.output
    assert all(drill["outcome"] != PASSED for drill in ran.drills()), ran.output
    assert mini.broken is mutant.broken


def test_a_fixture_that_fails_after_the_drill(mini: Mini) -> None:
    """The record is closed by then, and is judged once more."""
    ran = changed(mini, (hook("resource()", "yield", BROKEN, how=FIXTURE),))
    assert ran.status == 11, ran.output
    assert "a fixture failed after the drill: RuntimeError: the hook is broken" in ran.output
    assert ran.drill["outcome"] == "INVALID"
    assert ran.drill["reason"].startswith("a fixture failed after the drill: ")
    assert ran.drill["axes"]["restored"]["holds"] is True
    assert not re.search(r"\d passed|^PASSED", ran.output, re.MULTILINE), ran.output
    assert not passed_in_junit(mini)


def test_a_drill_that_is_left_out_is_named_and_fails_only_where_it_is_required(mini: Mini) -> None:
    feature = "Feature: Y\n\n  Scenario: It is calm\n    Given it is calm\n"
    edits = (step("it is calm", "pass", kind="given"), swapped("steps/web.py", "one_more(drill)", "one_more()"))
    ran = changed(mini, (*edits, added("features/y.feature", feature)), ("-k", "calm"))
    assert ran.status == 0, ran.output
    assert "1 passed, 1 deselected" in ran.output
    assert "not run: features/web.feature::It breaks" in ran.output
    required = mini.pytest("features", "-k", "calm", "--require-drills")
    assert required.status == 11, required.output


PROBE = """\
    - name: Look
      ansible.builtin.command: "false"
      register: it
      changed_when: false
      failed_when: false
    - name: Go on where one of two answers is right
      ansible.builtin.shell: exit 3
      register: it
      changed_when: true
      failed_when: it.rc not in [0, 3]
"""

TWINS: dict[str, tuple[Edit, ...]] = {
    "unchanged": (),
    "the wall clock is set back in the middle": (
        body(
            "down",
            "drill.eventually(WEB.silent(), within=deadline)",
            "import time",
            "now = time.time",
            "time.time = lambda: now() - 86400",
        ),
    ),
    "an ordinary probe in the recovery": (added(FIX, PROBE),),
}


@pytest.mark.parametrize("edits", TWINS.values(), ids=TWINS)
def test_the_good_twin_passes(mini: Mini, edits: tuple[Edit, ...]) -> None:
    ran = changed(mini, edits)
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == PASSED
    assert passed_in_junit(mini)
