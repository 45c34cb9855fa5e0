"""`pytest --plan`: scenarios are planned in the place of being run.

The rule: under `--plan` nothing is run, and nothing is called `passed`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drillbook.engine.session import DrillSession


def add_options(group: pytest.OptionGroup) -> None:
    """`--plan`."""
    group.addoption(
        "--plan",
        action="store_true",
        default=False,
        help="show what each scenario would change where, and touch nothing",
    )


def register(config: pytest.Config, session: Callable[[pytest.Config], DrillSession]) -> None:
    """Take over from pytest's own running of tests, if `--plan` was given."""
    if config.getoption("--plan") and not config.pluginmanager.hasplugin("drillbook-plan"):
        # the planner is for a session that plans: no other waits for its import (test_lean_start)
        from drillbook.pytest_plugin.plan_run import PlanRun

        config.pluginmanager.register(PlanRun(config, session), "drillbook-plan")
