"""The verdicts of whole drills on real parts. The many ways in which one could pass falsely are in test_mutants.py."""

from __future__ import annotations

import json
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
    ran = mini.pytest("features/web.feature", "--junitxml=junit.xml", "--summary=summary.json")
    assert ran.status == 0, ran.output
    assert "1 passed" in ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert all(axis["holds"] is True for axis in ran.drill["axes"].values())
    assert ran.drill["times"]["detect_s"] > 0
    assert ran.drill["times"]["rto_met"] is True
    assert [step["status"] for step in ran.drill["steps"]] == ["passed"] * 6
    states = [line["state"] for line in mini.journal()]
    assert states == ["planned", "planned", "injected", "undoing", "closed"], "the second says on which host it begins"
    junit = (mini.root / "junit.xml").read_text()
    assert 'value="PASSED: recovered in' in junit
    assert 'failures="0"' in junit
    assert f'#recover_s" value="{ran.drill["times"]["recover_s"]}"' in junit
    JUNIT.validate(str(mini.root / "junit.xml"))
    summary = json.loads((mini.root / "summary.json").read_text())
    assert (summary["exit_status"], summary["worst"], summary["not_run"]) == (0, "PASSED", [])
    assert summary["drills"][0]["numbers"]["recover_s"] == ran.drill["times"]["recover_s"]


def test_a_feature_is_run_twice_in_a_row(mini: Mini) -> None:
    assert mini.pytest().status == 0
    assert mini.pytest().status == 0


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
    lines = ran.output.splitlines()
    # behind it stands only that the guardian has its turn now
    at = lines.index("evidence: unsigned (no key was given: see 'drillbook keygen' and drillbook_key)")
    assert "error" in lines[at - 1] and "passed" not in lines[at - 1]
    assert ran.drill["outcome"] == "NOT_RESTORED"
    JUNIT.validate(str(mini.root / "junit.xml"))
    assert ran.drill["axes"]["recovered"]["holds"] is True, "the axes are independent"
    assert ran.drill["reason"].endswith(": undo it with 'drillbook restore'")
    assert ran.output.count("undo it with 'drillbook restore'") >= 2, "while it ran, and in the summary"
    again = mini.pytest()
    assert again.status == 12, "no drill starts over an open fault"
    assert (
        "No drill starts over it: put right what keeps the undo, then undo it with 'drillbook restore'" in again.output
    )
    assert len(again.drills()) == 1


def test_production_is_refused(mini: Mini) -> None:
    mini.replace("inventories/hosts.yml", "kind: staging", "kind: production")
    refused = mini.pytest()
    assert refused.status == 13, refused.output
    assert "--allow-production mini" in refused.output
    assert "inventories/hosts.yml:6): Drillbook breaks nothing there" in " ".join(refused.output.split())
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


def test_what_held_all_the_time_is_not_the_first_sign_of_health(mini: Mini) -> None:
    mini.feature(*GOOD[:4], "Then the moon is up", *("And " + step.partition(" ")[2] for step in GOOD[4:]))
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    healthy = next(each for each in ran.drill["timeline"] if each["event"] == "first_healthy")
    assert healthy["source"] == "the web service answers"
