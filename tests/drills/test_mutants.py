"""The harness mutants: each way in which a drill could pass falsely ends otherwise, with a reason that names it.

The bar is all of them. Here are those that need a session of their own; test_mutants_of_pytest.py has those of pytest
and its hooks, test_mutants_shared.py those that share a session. Other ways are kept where their subject is:
test_verdicts.py (whole drills), test_silence.py (histories that once passed), tests/unit: model/test_work_balance.py
(an empty ledger), pytest_plugin/test_refusals.py.
"""

from __future__ import annotations

import re

import pytest

from .conftest import Mini
from .mutants import PASSED, Edit, Mutant, added, body, step, swapped
from .mutants.alone import assert_that_it_does_not_pass, changed, passed_in_junit
from .mutants.machinery import BROKEN, FIXTURE, hook
from .mutants.playbooks import FIX
from .mutants.tables import parameters

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("mutant", parameters("steps", "dataloss", "playbooks", "surroundings", shared=False))
def test_it_does_not_pass(mini: Mini, mutant: Mutant) -> None:
    assert_that_it_does_not_pass(mini, mutant)


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
    # what Ansible warns of is told
    "an ordinary probe in the recovery": (added(FIX, PROBE), swapped(FIX, "hosts: all", "hosts: all,web-22")),
}


@pytest.mark.parametrize("edits", TWINS.values(), ids=TWINS)
def test_the_good_twin_passes(mini: Mini, edits: tuple[Edit, ...]) -> None:
    ran = changed(mini, edits)
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == PASSED
    assert passed_in_junit(mini)
    misspelt = "web-22" in (mini.root / FIX).read_text()
    assert ("Could not match supplied host pattern, ignoring: web-22" in ran.output) is misspelt
