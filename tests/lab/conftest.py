"""One lab for all tests of this folder; whatever a test broke is put back before the next one looks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drillbook_lab.testing import RunningLab, running_lab
from tests.support.modules import ForkedModules

from .support import Plays


@pytest.fixture(scope="package")
def whole_lab() -> Iterator[RunningLab]:
    """The lab itself, as its tests have left it."""
    with running_lab() as lab:
        yield lab


@pytest.fixture(scope="package")
def plays(whole_lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plays]:
    """A warm Ansible for the lab."""
    made = Plays(tmp_path_factory.mktemp("plays"), whole_lab)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="package")
def forked_modules() -> Iterator[ForkedModules]:
    """Modules without a play around them."""
    made = ForkedModules()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def lab(whole_lab: RunningLab) -> Iterator[RunningLab]:
    """A healthy lab."""
    yield whole_lab
    whole_lab.heal()
