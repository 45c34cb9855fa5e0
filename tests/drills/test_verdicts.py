"""The verdicts of whole drills on real parts: one that passes, and the ways in which it must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import xmlschema

from .conftest import Mini

pytestmark = pytest.mark.lab

JUNIT = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "data/junit.xsd"))

GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 20 seconds the service is down",
    'When the recovery playbook "fix" is run',
    "Then within 20 seconds the service is up",
)


def test_a_sound_drill_passes(mini: Mini) -> None:
    ran = mini.pytest("features/web.feature", "--junitxml=junit.xml")
    assert ran.status == 0, ran.output
    assert "1 passed" in ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert all(axis["holds"] is True for axis in ran.drill["axes"].values())
    assert ran.drill["times"]["detect_s"] > 0
    assert ran.drill["times"]["rto_met"] is True
    assert [step["status"] for step in ran.drill["steps"]] == ["passed"] * 6
    assert [line["state"] for line in mini.journal()] == ["planned", "injected", "undoing", "closed"]
    junit = (mini.root / "junit.xml").read_text()
    assert 'value="PASSED: recovered in' in junit
    assert 'failures="0"' in junit
    JUNIT.validate(str(mini.root / "junit.xml"))


def test_a_feature_is_run_twice_in_a_row(mini: Mini) -> None:
    assert mini.pytest().status == 0
    assert mini.pytest().status == 0


def test_a_fault_that_changes_nothing(mini: Mini) -> None:
    mini.replace(
        "playbooks/faults/breakage/inject.yml",
        'ansible.builtin.copy: {content: x, dest: "{{ flag }}", mode: "0644"}',
        "ansible.builtin.debug: {msg: nothing}",
    )
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert (
        "INVALID: the fault 'breakage' did not happen: playbooks/faults/breakage/inject.yml changed nothing"
        in ran.output
    )
    assert ran.drill["outcome"] == "INVALID"


def test_a_fault_that_matches_no_host(mini: Mini) -> None:
    mini.replace("playbooks/faults/breakage/inject.yml", "hosts: all", "hosts: nobody")
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "matched no host" in ran.output
    assert ran.drill["outcome"] == "INVALID"


def test_a_symptom_that_is_never_there(mini: Mini) -> None:
    mini.replace("playbooks/faults/breakage/inject.yml", 'dest: "{{ flag }}"', 'dest: "{{ flag }}.elsewhere"')
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "the web service does not answer: observed status 200, required no healthy answer within 20 s" in ran.output
    assert ran.drill["axes"]["valid"]["holds"] is False


def test_a_recovery_that_is_skipped(mini: Mini) -> None:
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n      when: false")
    ran = mini.pytest()
    assert ran.status == 1, ran.output
    assert (
        "NOT_RECOVERED: the recovery 'fix' did not run clean: playbooks/recovery/fix.yml changed nothing" in ran.output
    )
    assert not mini.broken, "the undo puts back what the recovery did not"


def test_a_recovery_that_does_the_wrong_thing(mini: Mini) -> None:
    mini.replace(
        "playbooks/recovery/fix.yml",
        'ansible.builtin.file: {path: "{{ flag }}", state: absent}',
        'ansible.builtin.file: {path: "{{ flag }}.other", state: touch, mode: "0644"}',
    )
    mini.feature(*GOOD[:-1], "Then within 2 seconds the service is up")
    ran = mini.pytest()
    assert ran.status == 1, ran.output
    assert (
        "NOT_RECOVERED: the web service answers: observed status 503, required a healthy answer within 2 s"
        in ran.output
    )


IGNORED = """\
    - name: Fails
      ansible.builtin.command: "false"
      ignore_errors: true
"""
RESCUED = """\
    - name: Rescued
      block:
        - name: Fails
          ansible.builtin.command: "false"
      rescue:
        - name: Nothing
          ansible.builtin.debug: {msg: x}
"""


@pytest.mark.parametrize(("spoiled", "word"), [(IGNORED, "ignored"), (RESCUED, "rescued")], ids=["ignored", "rescued"])
def test_a_recovery_that_hides_a_failure(mini: Mini, spoiled: str, word: str) -> None:
    playbook = mini.root / "playbooks/recovery/fix.yml"
    playbook.write_text(playbook.read_text() + spoiled)
    ran = mini.pytest()
    assert ran.status == 1, ran.output
    assert "NOT_RECOVERED" in ran.output
    assert word in ran.drill["reason"]


def test_a_step_that_skips_itself(mini: Mini) -> None:
    mini.feature(*GOOD, "And the step skips itself")
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "skipped itself: nothing is proven" in ran.output
    assert "1 failed" in ran.output
    assert "skipped" not in ran.output.splitlines()[-1]


def test_a_check_that_crashes_is_unknown_and_not_a_failure_of_the_system(mini: Mini) -> None:
    mini.feature(*GOOD, "And the check crashes")
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "RuntimeError: the check has a bug" in ran.drill["reason"]


def test_an_assertion_of_a_users_own_step(mini: Mini) -> None:
    mini.feature(*GOOD, "And an assertion fails")
    ran = mini.pytest()
    assert ran.status == 1, ran.output
    assert ran.drill["outcome"] == "NOT_RECOVERED"
    assert "the sum is wrong" in ran.output


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (("Given nobody looks", *GOOD[1:]), "the baseline was not looked at"),
        ((GOOD[0], "When nothing is broken", "Then nobody looks at it", *GOOD[3:]), "0 of 1 faults took effect"),
        ((*GOOD[:2], "Then nobody looks at it", *GOOD[3:]), "no symptom was looked at"),
        ((*GOOD[:4], "Then nobody looks at it"), "no success criterion was looked at"),
    ],
)
def test_steps_that_do_nothing_prove_nothing(mini: Mini, steps: tuple[str, ...], reason: str) -> None:
    mini.feature(*steps)
    ran = mini.pytest()
    assert ran.status != 0, ran.output
    assert "passed" not in ran.output.splitlines()[-1]
    reasons = [text for axis in ran.drill["axes"].values() for text in axis["reasons"]]
    assert any(reason in text for text in reasons), reasons


def test_a_test_case_with_properties_is_no_junit(mini: Mini) -> None:
    """The twin of the validation: what pytest writes for user_properties is refused."""
    mini.pytest("features", "--junitxml=junit.xml")
    path = mini.root / "junit.xml"
    text = path.read_text()
    assert " /></testsuite>" in text, "the test case of a passed drill is empty"
    path.write_text(text.replace(" /></testsuite>", "><properties /></testcase></testsuite>"))
    with pytest.raises(xmlschema.XMLSchemaException):
        JUNIT.validate(str(path))


def test_a_late_recovery_misses_the_rto(mini: Mini) -> None:
    mini.feature(*GOOD, tags="@rto:100ms")
    ran = mini.pytest()
    assert ran.status == 1, ran.output
    assert "the RTO is 0.1 s" in ran.drill["reason"]
    assert ran.drill["times"]["rto_met"] is False


def test_an_undo_that_fails(mini: Mini) -> None:
    mini.replace("playbooks/faults/breakage/undo.yml", "that: not it.stat.exists", "that: false")
    ran = mini.pytest("features", "--junitxml=junit.xml")
    assert ran.status == 12, ran.output
    assert "1 error" in ran.output
    assert "passed" not in ran.output.splitlines()[-1]
    assert ran.drill["outcome"] == "NOT_RESTORED"
    JUNIT.validate(str(mini.root / "junit.xml"))
    assert ran.drill["axes"]["recovered"]["holds"] is True, "the axes are independent"
    again = mini.pytest()
    assert again.status == 12, "no drill starts over an open fault"
    assert "No drill starts over it" in again.output
    assert len(again.drills()) == 1


def test_an_undo_without_an_assertion_proves_nothing(mini: Mini) -> None:
    mini.replace(
        "playbooks/faults/breakage/undo.yml",
        "    - name: Gone\n      ansible.builtin.assert: {that: not it.stat.exists}\n",
        "",
    )
    ran = mini.pytest()
    assert ran.status == 12, ran.output
    assert "does not end with an assertion" in ran.output


def test_a_fault_without_an_undo_never_happens(mini: Mini) -> None:
    (mini.root / "playbooks/faults/breakage/undo.yml").unlink()
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "no playbooks/faults/breakage/undo.yml: a fault is a folder with inject.yml and undo.yml" in ran.output
    assert not mini.broken


def test_an_unhealthy_baseline(mini: Mini) -> None:
    (mini.root / "flag").write_text("broken before")
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "observed status 503" in ran.drill["reason"]
    assert ran.drill["faults"] == []


@pytest.mark.parametrize("tag", ["@skip", "@xfail"])
def test_a_drill_is_not_skipped_or_expected_to_fail_in_silence(mini: Mini, tag: str) -> None:
    mini.feature(*GOOD, tags=tag)
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "INVALID" in ran.output
    assert not re.search("passed|skipped|xfailed", ran.output.splitlines()[-1])


def test_production_is_refused(mini: Mini) -> None:
    mini.replace("inventories/hosts.yml", "kind: staging", "kind: production")
    refused = mini.pytest()
    assert refused.status == 13, refused.output
    assert "--allow-production mini" in refused.output
    assert "inventories/hosts.yml:6): nothing is broken there" in " ".join(refused.output.split())
    untagged = mini.pytest("features", "--allow-production", "mini")
    assert untagged.status == 13, untagged.output
    mini.feature(*GOOD, tags="@production-safe")
    allowed = mini.pytest("features", "--allow-production", "mini")
    assert allowed.status == 0, allowed.output


def test_an_inventory_that_does_not_say_what_it_is(mini: Mini) -> None:
    mini.replace("inventories/hosts.yml", "    drillbook_environment: {name: mini, kind: staging}\n", "")
    ran = mini.pytest()
    assert ran.status == 13, ran.output
    assert "drillbook_environment" in ran.output
    assert "Traceback" not in ran.output
