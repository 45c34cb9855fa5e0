"""The hooks of a session that plans: registered under `--plan`, and imported in no other session.

The rule: items are not set up, so that no fixture acts. The report of a planned item is a `skipped` one for JUnit and
the exit status, and the terminal calls it `planned`. For what could not be planned the report is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from drillbook.engine.session import DrillSession
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.repository.plan.planner import Planner
from drillbook.repository.plan.text import lines

PLANNED = "planned, not run"
_MEMORIES = ("lfplugin", "nfplugin", "stepwiseplugin")


class PlanRun:
    """The hooks of a session that plans."""

    def __init__(self, config: pytest.Config, session: Callable[[pytest.Config], DrillSession]) -> None:
        self._config, self._session = config, session
        self._planner: Planner | None = None
        self._others = 0
        self._shown: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Tests that are no scenarios are neither run nor planned."""
        others = [item for item in items if not isinstance(item, ScenarioItem)]
        if others:
            items[:] = [item for item in items if isinstance(item, ScenarioItem)]
            self._others = len(others)
            config.hook.pytest_deselected(items=others)

    def pytest_collection_finish(self) -> None:
        """Keep pytest's memory of the last failures: a plan says nothing about them."""
        for name in _MEMORIES:
            if self._config.pluginmanager.hasplugin(name):
                self._config.pluginmanager.unregister(name=name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Plan the item, instead of set-up, call and teardown."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        assert isinstance(item, ScenarioItem)
        if self._planner is None:
            self._planner = Planner(self._session(self._config))
        begun, clock = time.time(), time.perf_counter()
        plan = self._planner.plan(item.scenario, item.run)
        redact = self._planner.session.redactor.text  # a step may have noted a value of the inventory
        problems = redact("\n".join(map(str, plan.problems)))
        report = pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords=dict.fromkeys(item.keywords, 1),
            outcome="failed" if problems else "skipped",
            longrepr=problems or (item.scenario.feature_path, item.scenario.line, PLANNED),
            when="call",
            duration=time.perf_counter() - clock,
            start=begun,
            stop=time.time(),
        )
        vars(report)["drillbook_plan"] = [redact(line) for line in lines(plan)]
        item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """The word for a planned item."""
        if not hasattr(report, "drillbook_plan"):
            return None
        return ("failed", "F", "NOT PLANNED") if report.failed else ("planned", "p", "PLANNED")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """On xdist's controller the plans come with the workers' reports."""
        self._shown += getattr(report, "drillbook_plan", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """All plans, after the progress of pytest."""
        if self._shown:
            terminalreporter.section("plan: nothing was touched")
            for line in self._shown:
                terminalreporter.write_line(line)
        if self._others:
            tests = "1 test" if self._others == 1 else f"{self._others} tests"
            terminalreporter.write_line(f"neither run nor planned, for it is no scenario: {tests}")
