"""What is to be drilled: pytest's own collection says it, and earlier evidence says how long each drill takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from drillbook.commands.collecting import collect
from drillbook.errors import DrillbookError
from drillbook.evidence.history import drills as earlier
from drillbook.evidence.render.drill_table import Scenario
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session

_SHOWN = 20
"""Lines of what pytest said that are told when it finds nothing."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be drilled."""

    root: Path
    evidence: Path
    scenarios: tuple[Scenario, ...]


class _Kept:
    """A plugin of the collecting session."""

    def __init__(self) -> None:
        self.items: list[ScenarioItem] = []
        self.config: pytest.Config | None = None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self.config = config
        self.items = [item for item in items if isinstance(item, ScenarioItem) and item.scenario.is_drill]


def listed(features: Sequence[str]) -> Listing:
    """The drills of these features (default: features/), by pytest's own collection. Raises DrillbookError."""
    kept = _Kept()
    config = _collected(features, kept)
    evidence = drill_session(config).evidence_root
    steps = Counter[str]()
    for item in kept.items:
        steps[item.drill_nodeid] += len(item.scenario.steps)
    scenarios = tuple(
        Scenario(
            item.drill_nodeid,
            item.scenario.feature_path,
            item.scenario.name,
            item.scenario.tag_values("row"),
            _took_s(evidence, item.scenario.feature_path, item.scenario.name),
            steps[item.drill_nodeid],
        )
        for item in kept.items
        if item.scenario.control is None
    )
    if not scenarios:
        raise DrillbookError("there is nothing to drill: no scenario has a fault and a recovery")
    return Listing(config.rootpath, evidence, scenarios)


def _collected(features: Sequence[str], kept: _Kept) -> pytest.Config:
    """Collect into `kept`; gives the session's configuration. Raises DrillbookError with what pytest said."""
    status, said = collect(["--prove", "-p", "no:cacheprovider", *(features or ["features"])], kept)
    if status != pytest.ExitCode.OK or kept.config is None:
        raise DrillbookError(f"there is nothing to drill:\n{chr(10).join(said[-_SHOWN:])}")
    return kept.config


def _took_s(evidence: Path, feature: str, scenario: str) -> float | None:
    return next((each.duration_s for each in earlier(evidence, feature, scenario) if each.duration_s), None)
