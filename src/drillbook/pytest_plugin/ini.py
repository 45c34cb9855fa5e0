"""The ini of a drill repository, for commands that run no pytest.

The rule: they find it where pytest finds it, and read it as pytest does.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.config.findpaths import determine_setup

from drillbook.errors import DrillbookError
from drillbook.pytest_plugin.options import DEFAULT_EVIDENCE, DEFAULT_INVENTORY


@dataclass(frozen=True, slots=True)
class Ini:
    """What such commands need of it; paths are absolute."""

    root: Path
    inventory: Path
    evidence: Path
    pass_env: tuple[str, ...]


def read_ini(here: Path) -> Ini:
    """The ini of the root that `here` is in. Raises DrillbookError when it cannot be read."""
    try:
        root, _, found, _ = determine_setup(
            inifile=None, override_ini=None, args=(), rootdir_cmd_arg=None, invocation_dir=here
        )
    except pytest.UsageError as error:
        raise DrillbookError(f"pytest's ini cannot be read: {error}") from error
    said = {name: each.value for name, each in found.items()}
    passed = said.get("drillbook_pass_env", ())
    return Ini(
        root,
        root / str(said.get("drillbook_inventory", DEFAULT_INVENTORY)),
        root / str(said.get("drillbook_evidence", DEFAULT_EVIDENCE)),
        tuple(shlex.split(passed)) if isinstance(passed, str) else tuple(map(str, passed or ())),  # type: ignore[call-overload]
    )
