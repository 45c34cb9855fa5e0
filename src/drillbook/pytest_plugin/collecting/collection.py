"""pytest's hooks for `.feature` files: step modules, and which scenarios will run.

The rule: a request that cannot be met (an unknown control, a missing step folder) is an error of usage before anything
is collected. Register this module as a plugin, and call `asked.add_options` from `pytest_addoption`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from drillbook.pytest_plugin.collecting import asked
from drillbook.pytest_plugin.collecting.nodes import FeatureFile, ScenarioItem, unloaded_key
from drillbook.pytest_plugin.named import REQUIRE_DRILLS, REQUIRE_RTO, REQUIRE_SIGNED
from drillbook.pytest_plugin.options import asked_controls
from drillbook.repository.step_modules import load_steps

unasked_key = pytest.StashKey[list[str]]()
"""The node ids of the drills that nobody has asked for."""
population_key = pytest.StashKey[dict[str, str | None]]()
"""Each drill that the session has collected, and why it will not run; None when it will."""


def pytest_configure(config: pytest.Config) -> None:
    asked_controls(config)
    unknown = set(config.getini("drillbook_require")) - {REQUIRE_DRILLS, REQUIRE_RTO, REQUIRE_SIGNED}
    if unknown:
        raise pytest.UsageError(
            f"drillbook_require: {', '.join(sorted(unknown))}: known are {REQUIRE_DRILLS}, {REQUIRE_RTO} and "
            f"{REQUIRE_SIGNED}"
        )
    missing = asked.missing_folder(config)
    if missing is not None:
        raise pytest.UsageError(f"drillbook_features: there is no folder {missing}")
    if not (config.option.help or config.option.version):
        config.stash[unloaded_key] = load_steps(config, config.getini("drillbook_steps"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if asked.is_feature(parent.config, file_path):
        return FeatureFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop what nobody asked for. `--scenario` keeps the runs of one scenario only, whatever else is selected."""
    only = config.getoption("--scenario", None)
    if only is not None:
        _take_out(config, items, [item for item in items if getattr(item, "drill_nodeid", None) != only])
    drills = [item for item in items if isinstance(item, ScenarioItem) and item.scenario.is_drill]
    config.stash[unasked_key] = [item.nodeid for item in _take_out(config, items, asked.unasked(config, drills))]


def _take_out(config: pytest.Config, items: list[pytest.Item], out: Iterable[pytest.Item]) -> Sequence[pytest.Item]:
    gone = [*out]
    if gone:
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=gone)
    return gone


@pytest.fixture
def datatable() -> None:
    """None for a step that takes a `datatable` and has none in the feature."""


@pytest.fixture
def docstring() -> None:
    """None for a step that takes a `docstring` and has none in the feature."""
