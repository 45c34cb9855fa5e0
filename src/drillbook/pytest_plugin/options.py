"""The values of the plugin's options and ini settings, except for those that the warm server's start needs
(`named`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.config.findpaths import determine_setup

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing.key_source import KeySource, key_source
from drillbook.evidence.store.place import Place, is_url, place
from drillbook.model.control import STANDARD, Control
from drillbook.model.times.default_limits import DEFAULTS_S
from drillbook.model.times.durations import parse_duration
from drillbook.pytest_plugin.named import DEFAULT_EVIDENCE, DEFAULT_INVENTORY, several
from drillbook.target.ansible.truth import boolean

place_key = pytest.StashKey[Place]()
"""Set in a session whose evidence has a store."""


def evidence_root(config: pytest.Config) -> Path:
    """The folder for the evidence of this session, absolute."""
    return evidence_place(config).folder


def evidence_place(config: pytest.Config) -> Place:
    """Where the session keeps its evidence. Raises UsageError for an invalid place."""
    asked, root = config.getoption("--evidence"), config.rootpath
    base = config.invocation_params.dir if asked else root
    text, lock = str(asked or config.getini("drillbook_evidence")), str(config.getini("drillbook_evidence_lock"))
    try:
        return place(text, base, root, lock)
    except DrillbookError as error:
        raise pytest.UsageError(str(error)) from None


def time_limits(config: pytest.Config) -> dict[str, float]:
    """Seconds that the ini gives, by the names of the tags. Raises UsageError for an invalid duration."""
    try:
        return _limits(config.getini)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _limits(said: Callable[[str], object]) -> dict[str, float]:
    """The limits, from the ini's value of each option. Raises ValueError with a sentence that names the option."""
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
    """The ways to run each drill; None is the drill as it is. Raises UsageError for an unknown name."""
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
    """The part of the ini that such commands need; paths are absolute."""

    root: Path
    inventories: tuple[Path, ...]
    evidence: Path
    """The folder for evidence."""
    pass_env: tuple[str, ...]
    time_limits: Mapping[str, float]
    """Seconds that the ini gives, by the names of the tags."""
    key: KeySource | None
    """The key that signs the evidence."""
    evidence_named: str
    lock: str
    """The place of evidence, and how long a store must lock what it gets, as the ini has them."""
    reports: bool
    """Whether the report of a drill is written at once."""

    @property
    def place(self) -> Place:
        """The place of evidence. Raises DrillbookError; a caller that only writes to the folder does not ask for it."""
        return place(self.evidence_named, self.root, self.root, self.lock)


def read_ini(here: Path) -> Ini:
    """The ini of the root that `here` is in, found and read as pytest does. Raises DrillbookError when that fails."""
    try:
        root, _, found, _ = determine_setup(
            inifile=None, override_ini=None, args=(), rootdir_cmd_arg=None, invocation_dir=here
        )
        said = {name: each.value for name, each in found.items()}
        limits = _limits(said.get)
    except (pytest.UsageError, ValueError) as error:
        raise DrillbookError(f"pytest's ini cannot be read: {error}") from error
    passed, named = said.get("drillbook_pass_env", ()), str(said.get("drillbook_evidence") or DEFAULT_EVIDENCE)
    return Ini(
        root,
        tuple(root / each for each in several(str(said.get("drillbook_inventory", DEFAULT_INVENTORY)))),
        root / (DEFAULT_EVIDENCE if is_url(named) else named),
        tuple(shlex.split(passed)) if isinstance(passed, str) else tuple(map(str, passed or ())),  # type: ignore[call-overload]
        limits,
        key_source(said.get, root),
        named,
        str(said.get("drillbook_evidence_lock") or ""),
        boolean(said.get("drillbook_report", True)) is not False,
    )
