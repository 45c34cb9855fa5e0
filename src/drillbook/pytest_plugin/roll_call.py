"""The roll call: of each drill that was collected the session says how it ended, or that it was not run.

The rule: a drill that nobody ran is never part of a session that went well by mistake. One that was to be run fails the
session; one that somebody left out, or that nobody asked for, is named, and fails the session where it is required.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin.collecting.collection import unasked_key
from drillbook.pytest_plugin.collecting.hiding import drills_key
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.options import REQUIRE_DRILLS
from drillbook.pytest_plugin.outcomes import DrillOutcome, Told

TO_BE_RUN, LEFT_OUT, NOT_ASKED_FOR = "it was to be run", "left out", "not asked for"
ENDED_WELL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class RollCall:
    """A plugin of one session; on xdist's controller it hears from the workers."""

    def __init__(self, config: pytest.Config, ended: list[DrillOutcome]) -> None:
        self._config, self._ended = config, ended
        self._collected: dict[str, str] = {}
        """Each drill's node id, and what is to be said of it where it was not run."""
        self._items: dict[str, ScenarioItem] = {}
        """Each drill of this process, by its node id."""
        self._of_workers: dict[str, str] = {}
        """On xdist's controller: each drill's node id, and that of its scenario, whatever control it is."""
        self._failed: set[str] = set()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """A drill is known before any hook may take it out of the list."""
        if isinstance(item, ScenarioItem) and item.scenario.is_drill:
            self._collected[item.nodeid] = LEFT_OUT
            self._items[item.nodeid] = item

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is left in the list is to be run."""
        to_be_run = dict.fromkeys((item.nodeid for item in session.items), TO_BE_RUN)
        unasked: list[str] = self._config.stash.get(unasked_key, [])
        known = to_be_run | dict.fromkeys(unasked, NOT_ASKED_FOR)
        self._collected |= {nodeid: known[nodeid] for nodeid in self._collected if nodeid in known}

    def expect(self, nodeids: Iterable[str]) -> None:
        """Only these, of what was collected, are to be run by this session; the others are somebody else's."""
        self._collected = dict.fromkeys(nodeids, TO_BE_RUN)

    def renamed(self, old: str, new: str) -> None:
        """A title with a secret in it is shown under another name."""
        if old in self._collected:
            self._collected[new] = self._collected.pop(old)
            self._items[new] = self._items.pop(old)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A drill that did not pass has a report that failed, also where a hook rewrote it: JUnit reads only those.

        An outcome that pytest does not know ("rerun") is a failure that somebody hopes to forget.
        """
        if Told.on(report) is not None and not (report.passed or report.skipped):
            report.outcome = "failed"
        if report.failed:
            self._failed.add(report.nodeid)
        bad = next((each for each in self._ended if each.nodeid == report.nodeid and not each.outcome.good), None)
        if report.when != "setup" and bad is not None and report.nodeid not in self._failed:
            report.outcome, report.longrepr = "failed", f"{bad.outcome}: {bad.reason}"
            self._failed.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """xdist: a worker is gone, and with it what it knew."""
        if ".feature::" in crashitem:
            reason = "a worker died while it ran this; the next drill puts back what it broke"
            self._ended.append(DrillOutcome(crashitem, crashitem, "", Outcome.ABORTED, reason))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist: all workers collect the same, and the controller nothing."""
        told = getattr(node, "workeroutput", {})
        self._collected |= told.get("drillbook_collected", {})
        self._of_workers |= told.get("drillbook_scenarios", {})
        self._config.stash[drills_key] = bool(self._collected)

    def asked_for(self) -> list[str]:
        """The scenarios of which a run was chosen, each once: of these a proof has to be whole."""
        scenarios = self._scenarios()
        return [*dict.fromkeys(scenarios[each] for each, why in self._collected.items() if why == TO_BE_RUN)]

    def _scenarios(self) -> dict[str, str]:
        return self._of_workers | {nodeid: item.drill_nodeid for nodeid, item in self._items.items()}

    def not_run(self) -> dict[str, str]:
        """The drills that have no outcome, and why."""
        ended = {each.nodeid for each in self._ended}
        return {
            nodeid: why
            for nodeid, why in self._collected.items()
            if nodeid not in ended and (why == NOT_ASKED_FOR or not self._nothing_runs)
        }

    def speaks_against(self) -> bool:
        """Whether what was not run makes a session fail that has ended well."""
        required = self._config.option.require_drills or REQUIRE_DRILLS in self._config.getini("drillbook_require")
        if self._on_worker or self._nothing_runs:
            return False
        return any(required or why == TO_BE_RUN for why in self.not_run().values())

    def report(self) -> None:
        """xdist: tell the controller, before the worker says its last word."""
        if self._on_worker:
            # xdist adds it to the configuration of a worker
            said = self._config.workeroutput  # type: ignore[attr-defined]
            said |= {"drillbook_collected": self._collected, "drillbook_scenarios": self._scenarios()}

    @property
    def _nothing_runs(self) -> bool:
        """Only collected, only planned, or one scenario of a proof: nobody was to think that the others ran."""
        option = self._config.option
        return bool(option.collectonly or option.plan or option.scenario)

    @property
    def _on_worker(self) -> bool:
        return hasattr(self._config, "workeroutput")
