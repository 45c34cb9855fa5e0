"""The options and ini settings of the plugin."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.config.findpaths import determine_setup

from drillbook.errors import DrillbookError
from drillbook.model.control import STANDARD, Control
from drillbook.model.time_limits import DEFAULTS_S
from drillbook.model.times.durations import parse_duration

REQUIRE_DRILLS, REQUIRE_RTO = "drills", "rto"
DEFAULT_INVENTORY, DEFAULT_EVIDENCE = "inventories/lab", "evidence"
DEFAULT_FEATURES = ["features"]
ROOTS_OF_OURS = ("steps", "inventories")
"""Folders of a root that is a drill repository without an ini of Drillbook's."""


def inventory_paths(config: pytest.Config) -> tuple[Path, ...]:
    """The inventory that is to be drilled, and further ones to be merged with it, absolute.

    A variable and the ini name several with commas between them.
    """
    named = config.getoption("--inventory", None)
    # pytest-ansible's own option has a default that nobody asked for
    asked = [named] if isinstance(named, str) else [each for each in named or () if each != "/etc/ansible/hosts"]
    root = config.invocation_params.dir
    if not asked:
        asked = _several(os.environ.get("DRILLBOOK_INVENTORY", ""))
    if not asked:
        asked, root = _several(str(config.getini("drillbook_inventory"))), config.rootpath
    return tuple(Path(os.path.abspath(root / each)) for each in asked)  # noqa: PTH100 - ".." is resolved, links are not


def _several(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def time_limits(config: pytest.Config) -> dict[str, float]:
    """Seconds that the ini gives, by the names of the tags. Raises UsageError for what is no duration."""
    try:
        return _limits(config.getini)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _limits(said: Callable[[str], object]) -> dict[str, float]:
    """By what the ini says of each option. Raises ValueError with a sentence that names the option."""
    limits: dict[str, float] = {}
    for name in DEFAULTS_S:
        option = f"drillbook_{name.replace('-', '_')}"
        text = str(said(option) or "")
        try:
            limits |= {name: parse_duration(text)} if text else {}
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from None
    return limits


def asked_controls(config: pytest.Config) -> tuple[Control | None, ...]:
    """The ways in which each drill is run; None is the drill as it is. Raises UsageError for a name that is none."""
    try:
        named = [Control.parse(each) for each in config.getoption("--control", [])]
    except ValueError as error:
        raise pytest.UsageError(f"--control: {error}") from None
    if config.getoption("--prove", False):
        return (None, *(Control(kind) for kind in STANDARD), *named)
    return tuple(dict.fromkeys(named)) or (None,)


# ------------------------------------------------------------------ for commands that run no pytest


@dataclass(frozen=True, slots=True)
class Ini:
    """What such commands need of it; paths are absolute."""

    root: Path
    inventories: tuple[Path, ...]
    evidence: Path
    pass_env: tuple[str, ...]
    time_limits: Mapping[str, float]
    """Seconds that it gives, by the names of the tags."""


def read_ini(here: Path) -> Ini:
    """The ini of the root that `here` is in, found and read as pytest does. Raises DrillbookError if it cannot be."""
    try:
        root, _, found, _ = determine_setup(
            inifile=None, override_ini=None, args=(), rootdir_cmd_arg=None, invocation_dir=here
        )
        said = {name: each.value for name, each in found.items()}
        limits = _limits(said.get)
    except (pytest.UsageError, ValueError) as error:
        raise DrillbookError(f"pytest's ini cannot be read: {error}") from error
    passed = said.get("drillbook_pass_env", ())
    return Ini(
        root,
        tuple(root / each for each in _several(str(said.get("drillbook_inventory", DEFAULT_INVENTORY)))),
        root / str(said.get("drillbook_evidence", DEFAULT_EVIDENCE)),
        tuple(shlex.split(passed)) if isinstance(passed, str) else tuple(map(str, passed or ())),  # type: ignore[call-overload]
        limits,
    )
