"""Coverage is measured where it tells something: in the tests' own processes, and in the children of a few of them.

A child that is measured starts a tenth of a second later and runs a third slower; there are hundreds of drills that run
the same lines. `MEASURED` names the tests whose children run what no unit test can.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

MEASURED = (
    "tests/unit/",
    "tests/drills/test_controls.py",
    "tests/drills/test_lint.py",
    "tests/drills/test_plan.py",
    "tests/drills/test_verdicts.py",
)
_OF_COVERAGE = "COVERAGE_PROCESS"
"""Begins the names of the variables by which a child is told to measure itself."""
variables_key = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[variables_key] = {name: value for name, value in os.environ.items() if name.startswith(_OF_COVERAGE)}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    variables = item.config.stash[variables_key]
    if not item.nodeid.startswith(MEASURED):
        for name in variables:
            os.environ.pop(name, None)
    try:
        return (yield)
    finally:
        os.environ.update(variables)
