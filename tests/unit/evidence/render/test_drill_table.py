"""The table of many drills: what did not run, or is not proven, is never a pass."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drillbook.evidence.render.drill_table import Scenario, TableRow, Venue, as_json, longest_first, markdown, row_of
from drillbook.model.proof import Run
from drillbook.model.record import TimesRecord
from drillbook.model.verdict import Outcome
from tests.support.records import record, work

pytestmark = pytest.mark.unit

ONE = Scenario("features/x.feature::One", "features/x.feature", "One", ("R1", "R7"), 40.0)
CONTROLS = ("no-fault", "no-recovery", "recovery-twice")
RECORD = record(times=TimesRecord(recover_s=12.34), work=work())


def runs(drill: Outcome, *controls: Outcome) -> list[Run]:
    ended = zip(CONTROLS, controls, strict=False)
    return [
        Run(ONE.nodeid, "", drill, "why", "evidence/one"),
        *(Run(ONE.nodeid, control, outcome, "so") for control, outcome in ended),
    ]


STAGING = Venue("inventories/staging")
HELD = (Outcome.HELD,) * 3


def test_a_proven_drill() -> None:
    row = row_of(ONE, runs(Outcome.PASSED, *HELD), RECORD, "01.log")
    assert row == TableRow(("R1", "R7"), "One", "PASSED", 12.34, 0, 0, True, None, "evidence/one", "01.log")
    assert row.good
    assert markdown([row], 90.4, Venue("inventories/lab", 4)) == (
        "1 of 1 drills PASSED and proven, in 90 s on 4 labs side by side.\n\n"
        "| row | scenario | outcome | recovered | lost | twice | proven |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| R1, R7 | One | PASSED | 12.3 s | 0 | 0 | yes |\n"
    )


def test_the_table_of_a_staging_names_it() -> None:
    assert markdown([], 9, STAGING).startswith(
        "0 of 0 drills PASSED and proven, in 9 s on inventories/staging one after"
    )
    said = as_json([], 9, STAGING)
    assert (said["labs"], said["inventory"]) == (None, "inventories/staging")


def test_a_pytest_that_fails_after_its_last_run_is_told() -> None:
    row = row_of(ONE, runs(Outcome.PASSED, *HELD), RECORD, "01.log", 1)
    assert (row.outcome, row.good) == ("PASSED", False)
    assert row.against == "every run ended well, and their pytest with status 1: see 01.log"


@pytest.mark.parametrize(
    ("ended", "outcome", "why"),
    [
        ([], "not run", "the drill itself was not run"),
        (runs(Outcome.NOT_RECOVERED, *HELD), "NOT_RECOVERED", "the drill ended NOT_RECOVERED: why"),
        (runs(Outcome.PASSED, *HELD[:2]), "PASSED", "recovery-twice: this control was not run"),
        (runs(Outcome.PASSED, Outcome.BETRAYED, *HELD[1:]), "PASSED", "no-fault: BETRAYED: so"),
        (runs(Outcome.PASSED, *HELD)[1:], "not run", "the drill itself was not run"),
    ],
)
def test_what_is_not_proven(ended: Sequence[Run], outcome: str, why: str) -> None:
    row = row_of(ONE, ended, None, "01.log")
    assert (row.outcome, row.proven, row.against, row.good) == (outcome, False, why, False)
    text = markdown([row], 1, STAGING)
    assert text.startswith("0 of 1 drills PASSED and proven")
    assert f"| {outcome} | - | - | - | NO |" in text
    assert f"- One: {why}\n" in text
    assert as_json([row], 1, STAGING)["drills"][0]["proven"] is False


def test_the_longest_comes_first_and_the_unknown_before_it() -> None:
    timed = [Scenario(f"x::{took}", "x", "x", took_s=took) for took in (10.0, 40.0, None, 20.0)]
    assert [each.took_s for each in longest_first(timed)] == [None, 40.0, 20.0, 10.0]


def test_of_the_unknown_the_one_with_the_most_steps_comes_first() -> None:
    unequal = [Scenario(f"{feature}::{n}", feature, str(n), steps=n) for feature in "ab" for n in (5, 9)]
    assert [each.nodeid for each in longest_first(unequal)] == ["a::9", "b::9", "a::5", "b::5"]
