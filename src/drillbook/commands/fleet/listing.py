"""The drills to run: pytest's own collection finds them, and earlier evidence says how long each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from drillbook.commands.collecting import collect
from drillbook.errors import DrillbookError
from drillbook.evidence.history import drills as earlier
from drillbook.evidence.render.drill_table import Scenario
from drillbook.evidence.store.place import Place
from drillbook.model.paths import relative
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session, known_secrets
from drillbook.pytest_plugin.named import DEFAULT_FEATURES, inventory_paths
from drillbook.pytest_plugin.options import evidence_place, read_ini

_SHOWN = 20
"""The number of pytest's lines that are shown when it finds nothing."""
_OF_A_LAB = b"DRILLBOOK_LAB_STATE"
"""The variable by which an inventory finds the lab that it is drilled on. With it there can be several labs."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The drills to run."""

    root: Path
    evidence: Path
    scenarios: tuple[Scenario, ...]
    inventories: tuple[Path, ...] = ()
    titles: Callable[[], Mapping[str, str]] = dict
    """By node id, the titles that people may see: the inventory is resolved for them."""
    kept_at: Place | None = None
    """The place for evidence, which may be a store behind a URL. None: in the folder."""
    most_failures: int = 0
    """The limit of `-x` and `--maxfail`: after this many failures nothing new begins; 0: everything is drilled."""

    @property
    def on_labs(self) -> bool:
        """Whether the inventory is that of an embedded lab, wherever that is: only then may there be several."""
        return any(_OF_A_LAB in file.read_bytes() for each in self.inventories for file in _files(each))

    @property
    def inventory(self) -> str:
        """The inventory's name in the table."""
        return ", ".join(relative(each, self.root) for each in self.inventories)


class _Kept:
    """A plugin of the collecting session."""

    def __init__(self) -> None:
        self.items: list[ScenarioItem] = []
        self.config: pytest.Config | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """If nobody names features, all of them are meant; an option's value is no feature."""
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args, config.args_source = [*DEFAULT_FEATURES], pytest.Config.ArgsSource.ARGS

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The drills that remain after `-k`, `-m` and `--deselect` are wanted."""
        self.config = session.config
        self.items = [item for item in session.items if isinstance(item, ScenarioItem) and item.scenario.is_drill]


def listed(features: Sequence[str], options: Sequence[str] = ()) -> Listing:
    """The requested drills (default: all of features/), by pytest's own collection. Raises DrillbookError.

    A drill counts even if only one of its controls was asked for, but then nobody can say that it is proven.
    """
    config, found = collected(features, options)
    evidence, kept_at = drill_session(config).evidence_root, evidence_place(config)
    by_drill: dict[str, list[ScenarioItem]] = {}
    for item in found:
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

    def titles() -> Mapping[str, str]:
        redactor = known_secrets(config)
        return {each.nodeid: each.name if redactor is None else redactor.text(each.name) for each in scenarios}

    return Listing(
        config.rootpath, evidence, scenarios, inventory_paths(config), titles, kept_at, config.option.maxfail or 0
    )


def collected(features: Sequence[str], options: Sequence[str] = ()) -> tuple[pytest.Config, list[ScenarioItem]]:
    """The session's configuration, and its drills with their controls. Raises DrillbookError with pytest's message."""
    kept = _Kept()
    # features may also stand among the options
    named = features or ([] if any(map(_is_there, options)) else _all_there())
    status, said = collect(["--prove", "-p", "no:cacheprovider", *options, *named], kept)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise DrillbookError(f"there is nothing to drill: no scenario is asked for ({said[-1] if said else 'none'})")
    if status != pytest.ExitCode.OK or kept.config is None:
        raise DrillbookError(f"there is nothing to drill:\n{chr(10).join(said[-_SHOWN:])}")
    return kept.config, kept.items


def _is_there(word: str) -> bool:
    return Path(word.partition("::")[0]).exists()


def _all_there() -> list[str]:
    """All features of the root, by name, so that pytest reads no conftest.py of other tests for them."""
    root = read_ini(Path.cwd()).root
    return [str(root / each) for each in DEFAULT_FEATURES if (root / each).is_dir()]


def _took_s(evidence: Path, feature: str, scenario: str) -> float | None:
    return next((each.duration_s for each in earlier(evidence, feature, scenario) if each.duration_s), None)


def _files(inventory: Path) -> list[Path]:
    below = inventory.rglob("*") if inventory.is_dir() else [inventory]
    return [each for each in below if each.is_file()]
