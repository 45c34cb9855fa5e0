"""Learns the inventory's secrets before anything is shown that may hold one: a part of the pytest plugin.

The rule: in a session with drills, all that pytest prints about a test, a collection error, a warning or a title is
redacted, even before the first drill. The inventory is resolved for this when there is something to redact, and never
in a session without drills.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.evidence.machine_paths import without_machine
from drillbook.pytest_plugin.collecting.failure_repr import in_each_text, without_secrets
from drillbook.pytest_plugin.collecting.nodes import FeatureFile, ScenarioItem

if TYPE_CHECKING:
    from drillbook.evidence.redaction import Redactor

drills_key = pytest.StashKey[bool]()
"""On the session's configuration: whether there are drills in it."""
knows_key: pytest.StashKey[Callable[[pytest.Config], Redactor | None]] = pytest.StashKey()
"""Gives the redactor of the session, with the secrets of the inventory."""
unseen_key = pytest.StashKey[bool]()
"""Set when nobody sees the session's output: its starter takes the secrets out of what it shows itself."""
refused_key = pytest.StashKey[bool]()
"""Set when a feature was refused: its error may quote a secret."""
Rename = Callable[[str, str], None]
"""Gets the old and the new node id."""


def knowing(config: pytest.Config) -> Redactor | None:
    """The function that takes secrets out; None in a session without drills, and so without an inventory."""
    return config.stash.get(knows_key, _nobody)(config)


def _nobody(_config: pytest.Config) -> None:
    return None


def hide(config: pytest.Config, report: Any) -> None:
    """Take the secrets out of what is shown about a test or a collection: error, captured output, properties."""
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
    """Take secrets out of the titles by which pytest, JUnit and the evidence name scenarios; all titles stay distinct.

    `identity`: also out of the name that the controls of one drill share.
    """
    taken = {item.nodeid for item in items}
    drills: dict[str, str] = {}
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
            if item.drill_nodeid not in drills:
                drills[item.drill_nodeid] = _unlike(redact(item.drill_nodeid), drills.values())
            item.drill_nodeid = drills[item.drill_nodeid]
        old, new = item.nodeid, redact(item.nodeid)
        if new == old:
            continue
        new = _unlike(new, taken)
        taken.add(new)
        item.name, item.shown_nodeid = redact(item.name), new
        vars(item).pop("location", None)  # pytest keeps it after the first question
        renamed(old, new)


def _unlike(name: str, taken: Collection[str]) -> str:
    """The name, or with a number behind it if it is taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The error of a module that cannot be imported may show a line with a secret, as that of a feature may."""
    report = yield
    if report.failed:
        if isinstance(collector, FeatureFile):
            collector.config.stash[drills_key] = collector.config.stash[refused_key] = True
            # JUnit is read elsewhere
            root = collector.config.rootpath
            report.longrepr = in_each_text(report.longrepr, lambda text: without_machine(text, root))
        hide(collector.config, report)
        redactor = knowing(collector.config)
        if redactor is not None and unseen_key not in collector.config.stash:
            report.nodeid = redactor.text(report.nodeid)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """Runs before the warnings are shown. On xdist's controller they have come from the workers."""
    recorded = terminalreporter.stats.get("warnings", ())
    redactor = knowing(config) if recorded else None
    if redactor is not None:
        for each in recorded:
            each.message = redactor.text(each.message)
    yield
