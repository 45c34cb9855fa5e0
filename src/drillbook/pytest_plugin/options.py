"""The options and ini settings of the plugin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillbook.model.control import STANDARD, Control
from drillbook.model.time_limits import DEFAULTS_S
from drillbook.model.times.durations import parse_duration

REQUIRE_DRILLS, REQUIRE_RTO = "drills", "rto"


def inventory_path(config: pytest.Config) -> Path:
    """The inventory that is to be drilled, as an absolute path."""
    named = config.getoption("--inventory", None)
    if not isinstance(named, str):
        # pytest-ansible's own option is a list, with a default that nobody asked for
        named = next((each for each in named or () if each != "/etc/ansible/hosts"), None)
    named = named or os.environ.get("DRILLBOOK_INVENTORY")
    if named:
        return Path(os.path.abspath(config.invocation_params.dir / str(named)))  # noqa: PTH100 - ".." is resolved, links are not
    return Path(os.path.abspath(config.rootpath / str(config.getini("drillbook_inventory"))))  # noqa: PTH100 - as above


def time_limits(config: pytest.Config) -> dict[str, float]:
    """Seconds that the ini gives, by the names of the tags. Raises UsageError for what is no duration."""
    limits: dict[str, float] = {}
    for name in DEFAULTS_S:
        option = f"drillbook_{name.replace('-', '_')}"
        text = str(config.getini(option))
        try:
            limits |= {name: parse_duration(text)} if text else {}
        except ValueError as error:
            raise pytest.UsageError(f"{option}: {error}") from None
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
