"""One lab for all drills of this folder; each test leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drillbook_lab.testing import RunningLab, running_lab


@pytest.fixture(scope="package")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab without the worker on Node, whatever this user has installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with running_lab() as lab:
            yield lab


@pytest.fixture(scope="module")
def lab(whole_lab: RunningLab) -> RunningLab:
    """The lab, healthy; who breaks it heals it."""
    return whole_lab
