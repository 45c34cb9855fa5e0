"""`drillbook prove` that is stopped: nothing more is started, and it is no pass.

The children here are stopped at an instant that a signal from outside would not hit; tests/drills/test_signals.py
sends real ones to real drills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands import prove as proving
from drillbook.commands.children import Children

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("ablate", [True, False])
def test_a_proof_that_is_stopped_goes_on_to_no_ablation(monkeypatch: pytest.MonkeyPatch, ablate: bool) -> None:
    class Stopped(Children):
        def run(self, command: Sequence[str], log: Path | None, more_env: Mapping[str, str], **_options: Any) -> int:
            del command, log, more_env
            self.stop("SIGTERM")
            return 13

    monkeypatch.setattr(proving, "Children", Stopped)
    assert proving.prove(["features"], ablate=ablate) == 13


def test_a_proof_that_is_stopped_before_it_begins_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Children):
        def __init__(self) -> None:
            super().__init__()
            self.stop("SIGTERM")

    monkeypatch.setattr(proving, "Children", Stopped)
    assert proving.prove(["features"], ablate=True) == 13
