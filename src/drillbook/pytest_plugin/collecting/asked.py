"""Which features are ours, and which drills somebody asked this session for.

The rule: a drill breaks a system, so it runs when somebody asks for drills, and never only because pytest finds it. To
ask for drills, name features, or a tag of the drill, or give an option about drills; the ini may do so too. Drillbook
does nothing in a suite that is not ours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from drillbook.pytest_plugin.named import (
    DEFAULT_FEATURES,
    DEFAULT_STEPS,
    REQUIRE_DRILLS,
    REQUIRE_RTO,
    REQUIRE_SIGNED,
    ROOTS_OF_OURS,
)

HOW_TO_ASK = "a drill breaks the system, so it runs when it is asked for: pytest features, -m TAG or --drill"
_ABOUT_DRILLS = ("drill", "plan", "prove", "control", "scenario", "handed_over")
"""Options that people give only when they mean drills."""


def add_options(parser: pytest.Parser) -> None:
    """The options and ini settings that say what is collected, and what of it runs."""
    group = parser.getgroup("drillbook", "recovery drills")
    group.addoption(
        "--drill",
        action="store_true",
        default=False,
        help="run drills although no path or tag asks for them: a plain pytest leaves them alone",
    )
    group.addoption(
        "--control",
        metavar="NAME",
        action="append",
        default=[],
        help="run each drill as this control, and not as it is: no-fault (the symptoms must not be observed), "
        "no-recovery (the criteria must not hold), recovery-twice (the second run must change nothing), "
        "without:FILE:LINE (the recovery without that task). May be given several times",
    )
    group.addoption("--scenario", metavar="NODEID", default=None, help=argparse.SUPPRESS)
    group.addoption(
        "--prove",
        action="store_true",
        help="run each drill and then its controls (no-fault, no-recovery, recovery-twice)",
    )
    parser.addini("drillbook_drill", "run drills although nobody asks for them", type="bool", default=False)
    parser.addini(
        "drillbook_features",
        "folders with features, relative to the rootdir (default: features)",
        type="args",
        default=DEFAULT_FEATURES,
    )
    parser.addini(
        "drillbook_steps",
        "folders with step modules, relative to the rootdir (default: steps)",
        type="args",
        default=DEFAULT_STEPS,
    )
    parser.addini(
        "drillbook_require",
        f"what must not be missing: {REQUIRE_DRILLS} (no drill is left out), {REQUIRE_RTO} (each drill states one), "
        f"{REQUIRE_SIGNED} (no drill runs without a key)",
        type="args",
        default=[],
    )


def is_ours(config: pytest.Config) -> bool:
    """Whether this root is a drill repository: its ini names something of Drillbook's, or it has the folders."""
    if any(name.startswith("drillbook_") for name in config._inicfg):
        return True
    return all((config.rootpath / name).is_dir() for name in ROOTS_OF_OURS)


def is_feature(config: pytest.Config, path: Path) -> bool:
    """Whether this is a feature of ours."""
    return path.suffix == ".feature" and _is_below(path, _folders(config))


def missing_folder(config: pytest.Config) -> Path | None:
    """A folder of features that the ini names and that is missing: nobody would notice its missing drills."""
    if config.getini("drillbook_features") == DEFAULT_FEATURES:
        return None
    return next((folder for folder in _folders(config) if not folder.is_dir()), None)


def not_ours(config: pytest.Config) -> str | None:
    """Why a feature on the command line is not ours; None when there is none, or all of them are ours."""
    for path in _named(config):
        if path.suffix == ".feature" and path.is_file() and not (is_ours(config) and is_feature(config, path)):
            below = " ".join(config.getini("drillbook_features"))
            return (
                f"{path} is not a feature of Drillbook: those lie below {below} (drillbook_features) of the root, "
                f"{config.rootpath}, which has an ini with drillbook_inventory, or {' and '.join(ROOTS_OF_OURS)}"
            )
    return None


def names_features(config: pytest.Config) -> bool:
    """Whether somebody has named feature files, or a folder that holds some."""
    return any(path.suffix == ".feature" or any(path.glob("*.feature")) for path in _named_features(config))


def unasked(config: pytest.Config, drills: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The drills that remain after `-m` and `-k` and that nobody has asked for."""
    if config.getini("drillbook_drill") or any(getattr(config.option, name, None) for name in _ABOUT_DRILLS):
        return
    tags = config.option.markexpr
    # an expression that is true for a test without any tag ("not slow") names none of the drill's
    if tags and not Expression.compile(tags).evaluate(lambda _name, /, **_of: False):
        return
    named = [*_named_features(config)]
    yield from (drill for drill in drills if not _is_below(drill.path, named))


def _folders(config: pytest.Config) -> list[Path]:
    return [_real(config.rootpath / name) for name in config.getini("drillbook_features")]


def _named_features(config: pytest.Config) -> Iterator[Path]:
    """The features on the command line. The root is everything, and so names none."""
    root, folders = _real(config.rootpath), _folders(config)
    return (path for path in _named(config) if path != root and path not in root.parents and _is_below(path, folders))


def _named(config: pytest.Config) -> list[Path]:
    """The paths on the command line. Paths from `testpaths`, or the working directory, were not named by anybody."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return []
    return [_real(config.invocation_params.dir / each.split("::")[0]) for each in config.args]


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    real = _real(path)
    return any(real.is_relative_to(folder) for folder in folders)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
