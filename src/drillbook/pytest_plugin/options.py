"""The options and ini settings of the plugin."""

from __future__ import annotations

import pytest

from drillbook.model.control.control import STANDARD, Control

REQUIRE_DRILLS, REQUIRE_RTO = "drills", "rto"


def asked_controls(config: pytest.Config) -> tuple[Control | None, ...]:
    """The ways in which each drill is run; None is the drill as it is. Raises UsageError for a name that is none."""
    try:
        named = [Control.parse(each) for each in config.getoption("--control", [])]
    except ValueError as error:
        raise pytest.UsageError(f"--control: {error}") from None
    if config.getoption("--prove", False):
        return (None, *(Control(kind) for kind in STANDARD), *named)
    return tuple(dict.fromkeys(named)) or (None,)
