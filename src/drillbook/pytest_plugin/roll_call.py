"""The roll call: for each collected drill the session says how it ended, or that it did not run.

The rule: no session goes well by mistake with a drill that nobody ran. A drill that should have run fails the session.
A drill that somebody left out, or that nobody asked for, is named, and fails the session where it is required.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin.collecting.collection import population_key, unasked_key
from drillbook.pytest_plugin.collecting.hiding import drills_key, knowing
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.named import REQUIRE_DRILLS
from drillbook.pytest_plugin.outcomes import DrillOutcome, Told

TO_BE_RUN, LEFT_OUT, NOT_ASKED_FOR = "it was to be run", "left out", "not asked for"
ENDED_WELL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

_SELECT = {"-k": "keyword", "-m": "markexpr", "--deselect": "deselect", "--lf": "lf", "--sw": "stepwise"}
"""pytest's options that leave tests out."""


class RollCall:
    """A plugin of one session; on xdist's controller it hears from the workers."""

    def __init__(self, config: pytest.Config, ended: list[DrillOutcome]) -> None:
        self._config, self._ended = config, ended
        self._collected: dict[str, str] = {}
        """Each drill's node id, and what to say about it if it did not run."""
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
        """What is left in the list will run."""
        to_be_run = dict.fromkeys((item.nodeid for item in session.items), TO_BE_RUN)
        unasked: list[str] = self._config.stash.get(unasked_key, [])
        known = to_be_run | dict.fromkeys(unasked, NOT_ASKED_FOR)
        self._collected |= {nodeid: known[nodeid] for nodeid in self._collected if nodeid in known}
        population = {nodeid: self._why_not(why) for nodeid, why in self._collected.items()}
        self._config.stash[population_key] = population
        if LEFT_OUT in self._collected.values():  # its name is shown, and so the inventory must be known
            self._config.stash[drills_key] = True

    def _why_not(self, why: str) -> str | None:
        """Why a drill will not run, for the records of its session; None when it will."""
        if why != LEFT_OUT:
            return None if why == TO_BE_RUN else why
        how = [flag for flag, name in _SELECT.items() if getattr(self._config.option, name, None)]
        return f"left out by {', '.join(how)}" if how else "left out by a hook or a plugin"

    def expect(self, nodeids: Iterable[str]) -> None:
        """This session will run only these of the collected drills; the others belong to somebody else."""
        self._collected = dict.fromkeys(nodeids, TO_BE_RUN)

    def renamed(self, old: str, new: str) -> None:
        """A title with a secret in it is shown under another name."""
        if old in self._collected:
            self._collected[new] = self._collected.pop(old)
            self._items[new] = self._items.pop(old)
        population = self._config.stash.get(population_key, {})
        if old in population:
            population[new] = population.pop(old)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A drill that did not pass has a failed report, even if a hook rewrote it: JUnit reads only those.

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
        """xdist: a worker is gone, with all that it knew."""
        if ".feature::" in crashitem:
            reason = "a worker died while it ran this; the next drill puts back what it broke"
            self._ended.append(DrillOutcome(crashitem, crashitem, "", Outcome.ABORTED, reason))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist: all workers collect the same drills, and the controller collects none."""
        told = getattr(node, "workeroutput", {})
        self._collected |= told.get("drillbook_collected", {})
        self._of_workers |= told.get("drillbook_scenarios", {})
        self._config.stash[drills_key] = bool(self._collected)

    def asked_for(self) -> list[str]:
        """The scenarios of which somebody chose a run, each once: a proof of these must be whole."""
        scenarios = self._scenarios()
        return [*dict.fromkeys(scenarios[each] for each, why in self._collected.items() if why == TO_BE_RUN)]

    def _scenarios(self) -> dict[str, str]:
        return self._of_workers | {nodeid: item.drill_nodeid for nodeid, item in self._items.items()}

    def not_run(self) -> dict[str, str]:
        """The drills without an outcome, and why, in a form that may be shown.

        It leaves out drills that nobody expects this session to run.
        """
        ended = {each.nodeid for each in self._ended}
        redactor = knowing(self._config) if self._collected else None
        return {
            nodeid if redactor is None else redactor.text(nodeid): why
            for nodeid, why in self._collected.items()
            if nodeid not in ended and (why == NOT_ASKED_FOR or not self._nothing_runs)
        }

    def speaks_against(self) -> bool:
        """Whether drills that did not run make a session fail that has ended well."""
        required = self._config.option.require_drills or REQUIRE_DRILLS in self._config.getini("drillbook_require")
        if self._on_worker or self._nothing_runs:
            return False
        return any(required or why == TO_BE_RUN for why in self.not_run().values())

    def report(self) -> None:
        """xdist: tell the controller, before the worker's last message."""
        if self._on_worker:
            # xdist adds it to the configuration of a worker
            said = self._config.workeroutput  # type: ignore[attr-defined]
            said |= {"drillbook_collected": self._collected, "drillbook_scenarios": self._scenarios()}

    @property
    def _nothing_runs(self) -> bool:
        """Whether this session only collects, only plans, or runs one scenario of a proof.

        Nobody expects it to run the others.
        """
        option = self._config.option
        return bool(option.collectonly or option.plan or option.scenario)

    @property
    def _on_worker(self) -> bool:
        return hasattr(self._config, "workeroutput")
