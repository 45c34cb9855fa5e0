"""Titles in which there is a secret, and what is shown of a report before the first drill."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.evidence.redaction import Redactor
from drillbook.model.scenario import Scenario
from drillbook.pytest_plugin.collecting.hiding import drills_key, hide, knows_key, rename
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.roll_call import RollCall

pytestmark = pytest.mark.unit

SECRETS = ("first-swordfish", "other-swordfish")


@pytest.fixture
def redactor() -> Redactor:
    known = Redactor()
    for each in SECRETS:
        known.add("token", each)
    return known


def item(title: str, feature: str = "Web") -> ScenarioItem:
    made: Any = ScenarioItem.__new__(ScenarioItem)
    made.name, made.scenario = title, Scenario("x.feature", 3, feature, None, title, "", frozenset(), (), ())
    made.shown_nodeid = made.drill_nodeid = f"x.feature::{title}"
    made.__dict__["location"] = ("x.feature", 2, title)
    return cast(ScenarioItem, made)


def test_a_title_with_a_secret_is_shown_under_another_one_and_no_two_become_one(redactor: Redactor) -> None:
    items = [item(f"It takes {each}") for each in SECRETS] + [item("It goes on", feature=f"Of {SECRETS[0]}")]
    renamed: list[tuple[str, str]] = []
    rename(items, redactor.text, lambda old, new: renamed.append((old, new)), identity=True)
    first = "x.feature::It takes [REDACTED:token]"
    assert [each.nodeid for each in items] == [first, f"{first} (2)", "x.feature::It goes on"]
    assert [new for _, new in renamed] == [first, f"{first} (2)"]
    assert "swordfish" not in str([(each.name, each.scenario, each.drill_nodeid) for each in items])
    assert ["location" in vars(each) for each in items] == [False, False, True]


def test_the_inventory_is_not_asked_for_where_there_is_nothing_to_redact() -> None:
    asked: list[object] = []
    config = SimpleNamespace(stash={knows_key: asked.append})
    report = SimpleNamespace(longrepr=None, sections=[], user_properties=[])
    hide(cast(Any, config), report)
    assert asked == []
    report.sections = [("Captured stdout call", "it")]
    hide(cast(Any, config), report)
    assert asked == [config]


def test_all_of_a_report_is_redacted(redactor: Redactor) -> None:
    config = SimpleNamespace(stash={knows_key: lambda _config: redactor})
    secret = SECRETS[0]
    report = SimpleNamespace(
        longrepr=f"it was {secret}",
        sections=[("Captured stdout call", secret)],
        user_properties=[("token", secret)],
        wasxfail=secret,
    )
    hide(cast(Any, config), report)
    assert "swordfish" not in str(report)
    assert report.longrepr == "it was [REDACTED:token]"


def test_the_controller_of_xdist_knows_from_its_workers_that_there_are_drills() -> None:
    """What it shows of warnings has come from them, and may have a secret in it."""
    config: Any = SimpleNamespace(stash={})
    roll = RollCall(config, [])
    roll.pytest_testnodedown(SimpleNamespace(workeroutput={}))
    assert config.stash == {drills_key: False}
    roll.pytest_testnodedown(SimpleNamespace(workeroutput={"drillbook_collected": {"x.feature::S": True}}))
    assert config.stash == {drills_key: True}
