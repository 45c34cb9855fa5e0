"""Tiers: every test has one, and a tier that was not run is said to be so, with the reason; in CI it fails the run.

`EXPECTED` names the tiers that have tests. A tier from which tests were skipped, or that vanished from the collection
of a whole run, has silently shrunk.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

TIERS = ("unit", "lab", "pooler", "ssh", "hsm", "hosts", "compose", "browser")
EXPECTED = TIERS

whole_run_key = pytest.StashKey[bool]()
ran_key = pytest.StashKey[Counter[str]]()
reasons_key = pytest.StashKey[dict[str, set[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ran_key] = Counter()
    config.stash[reasons_key] = {}
    asked = [arg for arg in config.args if arg.rstrip("/").endswith("tests")]
    narrowed = config.option.keyword or config.option.markexpr or getattr(config.option, "lf", False)
    config.stash[whole_run_key] = bool(asked) and not narrowed
    config.pluginmanager.register(Count(config), "tiers-count")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without = []
    addressed = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if addressed:
        raise pytest.UsageError(
            f"a test is named by where an object lies, and each process names it anew: {addressed[0]}"
        )
    for item in items:
        tiers = [tier for tier in TIERS if item.get_closest_marker(tier)]
        if len(tiers) != 1:
            without.append(item.nodeid)
            continue
        item.user_properties.append(("tier", tiers[0]))
    if without:
        raise pytest.UsageError(f"each test has one tier ({', '.join(TIERS)}): {', '.join(without[:5])}")


class Count:
    """Counts the reports of a session; on xdist's controller those of all workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        tier = dict(report.user_properties).get("tier")
        if not isinstance(tier, str):
            return
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.config.stash[reasons_key].setdefault(tier, set()).add(reason.removeprefix("Skipped: "))
        elif report.when == "call":
            self.config.stash[ran_key][tier] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        skipped = self.config.stash[whole_run_key] and bool(self.config.stash[reasons_key])
        if os.environ.get("CI") and (self.shrunk() or skipped) and session.exitstatus == 0:
            session.exitstatus = 1

    def shrunk(self) -> list[str]:
        """Tiers that a whole run should have run and did not."""
        config = self.config
        if not config.stash[whole_run_key] or hasattr(config, "workerinput"):
            return []
        return [tier for tier in EXPECTED if not config.stash[ran_key][tier]]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.config.stash[whole_run_key]:
            return
        terminalreporter.section("tiers")
        for tier in TIERS:
            ran = self.config.stash[ran_key][tier]
            reasons = self.config.stash[reasons_key].get(tier) or {"no test of it was collected"}
            said = f"{ran} tests run" if ran else "NOT RUN"
            if not ran or tier in self.config.stash[reasons_key]:
                said += f"; not run: {'; '.join(sorted(reasons))}"
            terminalreporter.write_line(f"{tier:<8} {said}", red=tier in self.shrunk())
