"""What the gate says: for people, for programs, and for GitHub, each with the command that makes it pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from drillbook.evidence.gate.judging import Asked, Change, Standing, State
from drillbook.evidence.gate.telling import as_annotations, as_json, lines
from drillbook.model.record import ArtefactKind, EngineRecord
from tests.unit.evidence.gate.test_judging import proof

pytestmark = pytest.mark.unit

NOW = datetime(2026, 12, 1, tzinfo=UTC)
CUT = Asked("features/r.feature::It's cut", "features/r.feature", 9, "It's cut", ("row:R1",), "s")
FULL = Asked("features/r.feature::It is full", "features/r.feature", 30, "It is full", ("row:R2",), "s")
CHANGE = Change(ArtefactKind.PLAYBOOK, "playbooks/a,b.yml", "The playbook playbooks/a,b.yml has not been drilled.")
CHANGED = Standing(CUT, State.CHANGED, (CHANGE.sentence,), proof(2), (CHANGE,))
NEVER = Standing(FULL, State.NEVER, ("It was never\nproven: 100 %.",))
FRESH = Standing(FULL, State.FRESH, (), proof(2))
COMMAND = """drillbook drills 'features/r.feature::It'"'"'s cut'"""


def test_a_refusal_says_what_is_wrong_and_what_puts_it_right() -> None:
    assert lines([CHANGED, FRESH]) == [
        "NOT PROVEN  It's cut (features/r.feature:9)",
        "    The playbook playbooks/a,b.yml has not been drilled.",
        f"    {COMMAND}",
        "1 of 2 scenarios are proven as they are here, 1 are not: drillbook drills --stale",
    ]
    assert lines([FRESH]) == ["1 of 1 scenarios are proven as they are here."]


def test_a_proof_by_shorter_windows_is_said_to_be_one() -> None:
    ci = {"profile": "ci", "full": False, "immediate_s": 3.0}
    short = replace(FRESH, proof=replace(proof(2), timings=ci))
    assert lines([short, CHANGED, FRESH])[-2:] == [
        "2 of 3 scenarios are proven as they are here, 1 are not: drillbook drills --stale",
        "1 of them verified by windows that are shorter than the full ones: profile ci.",
    ]
    full = replace(FRESH, proof=replace(proof(2), timings=ci | {"full": True}))
    assert lines([full]) == ["1 of 1 scenarios are proven as they are here."]
    assert as_json([short], EngineRecord("0.1.0", "e"), NOW, 1.0, [])["scenarios"][0]["proof"]["timings"] == ci


def test_a_title_with_a_secret_is_told_as_its_proof_has_it() -> None:
    hidden = replace(proof(2), scenario="features/r.feature::It's [REDACTED:t]", name="It's [REDACTED:t]")
    standing = replace(CHANGED, asked=CUT.shown([hidden]))
    said = "\n".join([*lines([standing]), *as_annotations([standing])])
    said += str(as_json([standing], EngineRecord("0.1.0", "e"), NOW, 86400.0, []))
    assert "cut" not in said
    assert "NOT PROVEN  It's [REDACTED:t] (features/r.feature:9)" in said
    assert CUT.shown([]) == CUT


def test_of_many_changes_the_first_are_told() -> None:
    many = replace(CHANGED, sentences=tuple(f"The file {number} changed." for number in range(20)))
    assert len(lines([many])) == 1 + 8 + 1 + 1 + 1
    assert "    12 further files have changed." in lines([many])


def test_a_title_moves_no_cursor() -> None:
    assert "\x1b" not in "".join(lines([replace(NEVER, asked=replace(FULL, name="\x1b[2J"))]))


def test_programs_read_the_same() -> None:
    said = as_json([CHANGED, FRESH], EngineRecord("0.1.0", "e"), NOW, 86400.0 * 30, ["x cannot be read"])
    assert (said["passed"], said["asked"], said["fresh"], said["max_age_days"]) == (False, 2, 1, 30.0)
    changed, fresh = said["scenarios"]
    assert changed["state"] == "changed"
    assert changed["changed"] == [{"kind": "playbook", "path": "playbooks/a,b.yml"}]
    assert changed["command"] == COMMAND
    assert changed["proof"]["age_days"] == 2.0
    assert (fresh["state"], fresh["command"], fresh["sentences"]) == ("fresh", None, [])
    assert said["unreadable"] == ["x cannot be read"]
    assert as_json([FRESH], EngineRecord("0.1.0", "e"), NOW, 1.0, [])["passed"]


def test_github_shows_a_change_at_its_file_and_all_else_at_the_scenario() -> None:
    other = replace(CHANGED, asked=FULL)
    assert as_annotations([CHANGED, other, NEVER, FRESH]) == [
        (
            "::error file=features/r.feature,line=30,title=Not proven::It is full: It was never%0Aproven: 100 %25. "
            "drillbook drills 'features/r.feature::It is full'"
        ),
        (
            "::error file=playbooks/a%2Cb.yml,line=1,title=Not proven::The playbook playbooks/a,b.yml has not been "
            "drilled. 2 scenarios: drillbook drills --stale"
        ),
    ]
    assert as_annotations([FRESH]) == []


def test_a_change_of_one_scenario_names_its_command() -> None:
    (said,) = as_annotations([CHANGED])
    assert said.endswith(COMMAND)
    of_feature = replace(CHANGE, kind=ArtefactKind.FEATURE, path="features/r.feature")
    assert "file=features/r.feature,line=9," in as_annotations([replace(CHANGED, changes=(of_feature,))])[0]
