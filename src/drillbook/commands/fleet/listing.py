"""What is to be drilled: pytest's own collection says it, and earlier evidence says how long each drill takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from drillbook.commands.collecting import collect
from drillbook.errors import DrillbookError
from drillbook.evidence.history import drills as earlier
from drillbook.evidence.render.drill_table import Scenario
from drillbook.model.paths import relative
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session
from drillbook.pytest_plugin.options import DEFAULT_FEATURES, inventory_paths

_SHOWN = 20
"""Lines of what pytest said that are told when it finds nothing."""
_OF_A_LAB = b"DRILLBOOK_LAB_STATE"
"""By this variable an inventory finds the lab that it is drilled on, and so there can be several."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be drilled."""

    root: Path
    evidence: Path
    scenarios: tuple[Scenario, ...]
    inventories: tuple[Path, ...] = ()

    @property
    def on_labs(self) -> bool:
        """Whether the inventory is that of an embedded lab, wherever that is: only then may there be several."""
        return any(_OF_A_LAB in file.read_bytes() for each in self.inventories for file in _files(each))

    @property
    def inventory(self) -> str:
        """As the table names it."""
        return ", ".join(relative(each, self.root) for each in self.inventories)


class _Kept:
    """A plugin of the collecting session."""

    def __init__(self) -> None:
        self.items: list[ScenarioItem] = []
        self.config: pytest.Config | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """Where nobody names features, all of them are asked for; what an option takes is none."""
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args, config.args_source = [*DEFAULT_FEATURES], pytest.Config.ArgsSource.ARGS

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is left after `-k`, `-m` and `--deselect` is asked for."""
        self.config = session.config
        self.items = [item for item in session.items if isinstance(item, ScenarioItem) and item.scenario.is_drill]


def listed(features: Sequence[str], options: Sequence[str] = ()) -> Listing:
    """The drills that are asked for (default: all of features/), by pytest's own collection. Raises DrillbookError.

    A drill of which only a control is asked for is one, too: nobody could say that it is proven.
    """
    kept = _Kept()
    config = _collected(features, options, kept)
    evidence = drill_session(config).evidence_root
    by_drill: dict[str, list[ScenarioItem]] = {}
    for item in kept.items:
        by_drill.setdefault(item.drill_nodeid, []).append(item)
    scenarios = tuple(
        Scenario(
            nodeid,
            items[0].scenario.feature_path,
            items[0].scenario.name,
            items[0].scenario.tag_values("row"),
            _took_s(evidence, items[0].scenario.feature_path, items[0].scenario.name),
            sum(len(item.scenario.steps) for item in items),
        )
        for nodeid, items in by_drill.items()
    )
    if not scenarios:
        raise DrillbookError("there is nothing to drill: no scenario has a fault and a recovery")
    return Listing(config.rootpath, evidence, scenarios, inventory_paths(config))


def _collected(features: Sequence[str], options: Sequence[str], kept: _Kept) -> pytest.Config:
    """Collect into `kept`; gives the session's configuration. Raises DrillbookError with what pytest said."""
    status, said = collect(["--prove", "-p", "no:cacheprovider", *options, *features], kept)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise DrillbookError(f"there is nothing to drill: no scenario is asked for ({said[-1] if said else 'none'})")
    if status != pytest.ExitCode.OK or kept.config is None:
        raise DrillbookError(f"there is nothing to drill:\n{chr(10).join(said[-_SHOWN:])}")
    return kept.config


def _took_s(evidence: Path, feature: str, scenario: str) -> float | None:
    return next((each.duration_s for each in earlier(evidence, feature, scenario) if each.duration_s), None)


def _files(inventory: Path) -> list[Path]:
    below = inventory.rglob("*") if inventory.is_dir() else [inventory]
    return [each for each in below if each.is_file()]
