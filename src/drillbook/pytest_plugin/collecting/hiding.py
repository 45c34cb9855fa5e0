"""The secrets of the inventory are known before anything is shown that may hold one: a part of the pytest plugin.

The rule: in a session with drills, whatever pytest prints of a test, a collection error, a warning or a title is
redacted, also before the first drill. The inventory is resolved for it where there is something to redact, and in no
session without drills.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.pytest_plugin.collecting.failure_repr import without_secrets
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem

if TYPE_CHECKING:
    from drillbook.evidence.redaction import Redactor

drills_key = pytest.StashKey[bool]()
"""On the session's configuration: whether there are drills in it."""
knows_key: pytest.StashKey[Callable[[pytest.Config], Redactor | None]] = pytest.StashKey()
"""Gives the redactor of the session, with the secrets of the inventory."""
Rename = Callable[[str, str], None]
"""Is told the old and the new node id."""


def knowing(config: pytest.Config) -> Redactor | None:
    """What takes the secrets out; None in a session that has no drills, and so no inventory."""
    return config.stash.get(knows_key, _nobody)(config)


def _nobody(_config: pytest.Config) -> None:
    return None


def hide(config: pytest.Config, report: Any) -> None:
    """Take the secrets out of what is shown of a test or a collection: error, captured output, properties."""
    properties = getattr(report, "user_properties", None)
    if not (report.longrepr or report.sections or properties):
        return
    redactor = knowing(config)
    if redactor is None:
        return
    report.longrepr = without_secrets(report.longrepr, redactor.text)
    report.sections = redactor.data(report.sections)
    if properties:
        report.user_properties = redactor.data(properties)
    if hasattr(report, "wasxfail"):
        report.wasxfail = redactor.text(report.wasxfail)


def rename(items: Sequence[pytest.Item], redact: Callable[[str], str], renamed: Rename, *, identity: bool) -> None:
    """Take secrets out of the titles by which pytest, JUnit and the evidence name scenarios; no two become one.

    `identity`: also out of the name by which the controls of one drill are told together.
    """
    taken = {item.nodeid for item in items}
    for item in items:
        if not isinstance(item, ScenarioItem):
            continue
        scenario = item.scenario
        item.scenario = replace(
            scenario,
            name=redact(scenario.name),
            feature_name=redact(scenario.feature_name),
            rule_name=scenario.rule_name and redact(scenario.rule_name),
            description=redact(scenario.description),
        )
        if identity:
            item.drill_nodeid = redact(item.drill_nodeid)
        old, new = item.nodeid, redact(item.nodeid)
        if new == old:
            continue
        number = 2
        while new in taken:
            new, number = f"{redact(old)} ({number})", number + 1
        taken.add(new)
        item.name, item.shown_nodeid = redact(item.name), new
        vars(item).pop("location", None)  # pytest keeps it once it was asked for
        renamed(old, new)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """What is shown of a module that cannot be imported may be a line with a secret in it."""
    report = yield
    if report.failed:
        hide(collector.config, report)
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on it is known whether there are drills."""
    found = any(isinstance(item, ScenarioItem) and item.scenario.is_drill for item in session.items)
    session.config.stash[drills_key] = found and not session.config.option.collectonly


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """Before the warnings are shown. On xdist's controller they have come from the workers."""
    recorded = terminalreporter.stats.get("warnings", ())
    redactor = knowing(config) if recorded else None
    if redactor is not None:
        for each in recorded:
            each.message = redactor.text(each.message)
    yield
