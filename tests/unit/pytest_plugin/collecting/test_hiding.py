"""Titles in which there is a secret, and what is shown of a report before the first drill."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.evidence.redaction import Redactor
from drillbook.model.scenario import Scenario
from drillbook.pytest_plugin import repository_plugin
from drillbook.pytest_plugin.collecting.hiding import (
    drills_key,
    hide,
    knows_key,
    pytest_make_collect_report,
    pytest_terminal_summary,
    refused_key,
    rename,
)
from drillbook.pytest_plugin.collecting.nodes import FeatureFile, ScenarioItem
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
    made.parent, made._obj = None, lambda: None
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
    assert [each.drill_nodeid for each in items] == [each.nodeid for each in items], "their runs are no one proof"
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


@pytest.mark.parametrize("told", [True, False])
def test_the_warnings_are_shown_without_secrets(redactor: Redactor, *, told: bool) -> None:
    warning = SimpleNamespace(message=f"UserWarning: it takes {SECRETS[0]}")
    reporter: Any = SimpleNamespace(stats={"warnings": [warning]} if told else {})
    asked: list[object] = []

    def knows(config: object) -> Redactor:
        asked.append(config)
        return redactor

    hooked = pytest_terminal_summary(reporter, cast(Any, SimpleNamespace(stash={knows_key: knows})))
    next(hooked)
    assert ("swordfish" not in warning.message) is told
    assert bool(asked) is told, "without warnings nobody reads the inventory"


def test_the_controller_of_xdist_knows_from_its_workers_that_there_are_drills() -> None:
    """What it shows of warnings has come from them, and may have a secret in it."""
    config: Any = SimpleNamespace(stash={})
    roll = RollCall(config, [])
    roll.pytest_testnodedown(SimpleNamespace(workeroutput={}))
    assert config.stash[drills_key] is False
    roll.pytest_testnodedown(SimpleNamespace(workeroutput={"drillbook_collected": {"x.feature::S": True}}))
    assert config.stash[drills_key] is True


def test_a_refused_file_is_told_without_the_paths_of_this_machine(redactor: Redactor, tmp_path: Path) -> None:
    stash: dict[Any, Any] = {knows_key: lambda _config: redactor}
    collector: Any = FeatureFile.__new__(FeatureFile)
    collector.config = SimpleNamespace(rootpath=tmp_path, stash=stash)
    report = SimpleNamespace(
        failed=True, nodeid=f"{SECRETS[0]}.feature", longrepr=f"{tmp_path}/steps/a.py:3: {SECRETS[0]}", sections=[]
    )
    hooked = pytest_make_collect_report(collector)
    next(hooked)
    with pytest.raises(StopIteration):
        hooked.send(cast(Any, report))
    assert (report.nodeid, report.longrepr) == ("[REDACTED:token].feature", "steps/a.py:3: [REDACTED:token]")
    assert stash[drills_key]


@pytest.mark.parametrize("lists", [True, False])
def test_a_list_reads_the_inventory_only_for_a_feature_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, redactor: Redactor, *, lists: bool
) -> None:
    monkeypatch.setattr(repository_plugin, "known_secrets", lambda _config: redactor)  # which reads it
    config: Any = SimpleNamespace(stash={}, option=SimpleNamespace(collectonly=lists))
    assert (repository_plugin._known(config) is None) is lists
    config.stash[refused_key] = True
    assert repository_plugin._known(config) is redactor
