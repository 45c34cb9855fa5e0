"""`drillbook prove` that is stopped: nothing more is started, and it is no pass.

The children here are stopped at an instant that a signal from outside would not hit; tests/drills/test_signals.py
sends real ones to real drills.
"""

from __future__ import annotations

import json
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


# ------------------------------------------------------------------ what status 0 says

D, E = "features/x.feature::D", "features/x.feature::E"


def runs(scenario: str, *left_out: str, **outcomes: str) -> list[dict[str, Any]]:
    """A proof of the scenario, as a session tells of it, without some of its runs."""
    good = {"": "PASSED", "no-fault": "HELD", "no-recovery": "HELD", "recovery-twice": "HELD"}
    return [
        {"scenario": scenario, "control": each, "outcome": outcomes.get(each, said), "reason": "so", "unmissed": False}
        | {"evidence": None, "folder": None}
        for each, said in good.items()
        if each not in left_out
    ]


def status_of(
    monkeypatch: pytest.MonkeyPatch, asked_for: Sequence[str], told: Sequence[object] | None, status: int = 0
) -> tuple[int, list[str]]:
    """The status of `prove` whose session ends with this status, and what it says."""

    class Told(Children):
        def run(self, command: Sequence[str], log: Path | None, more_env: Mapping[str, str], **_options: Any) -> int:
            del log, more_env
            (path,) = (Path(word.partition("=")[2]) for word in command if word.startswith("--runs-to="))
            if told is not None:
                path.write_text(json.dumps({"asked_for": asked_for, "runs": told}))
            return status

    monkeypatch.setattr(proving, "Children", Told)
    said: list[str] = []
    return proving.prove(["features"], ablate=False, say=said.append), said


def test_each_scenario_that_was_asked_for_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status_of(monkeypatch, [D, E], [*runs(D), *runs(E)]) == (0, [])


@pytest.mark.parametrize(
    ("asked_for", "told", "says"),
    [
        ([D], runs(D, "no-recovery"), f"{D} is not proven: no-recovery: this control was not run"),
        ([D], runs(D, "no-fault"), f"{D} is not proven: no-fault: this control was not run"),
        ([D], runs(D, ""), f"{D} is not proven: the drill itself was not run"),
        ([D, E], runs(D), f"{E} is not proven: the drill itself was not run"),
        ([], runs(D, "no-fault"), f"{D} is not proven: no-fault: this control was not run"),
        ([D, E], runs(D, ""), f"{D} is not proven: the drill itself was not run (and 1 more of 2 are not)"),
        ([D], [], "nothing is proven: pytest has run no drill"),
        ([], [], "nothing is proven: pytest has run no drill"),
        ([], None, "nothing is proven: pytest has run no drill"),
    ],
)
def test_what_is_not_proven_has_a_status_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, asked_for: list[str], told: list[object] | None, says: str
) -> None:
    assert status_of(monkeypatch, asked_for, told) == (11, [says])
    assert status_of(monkeypatch, asked_for, told, 5) == (5, [says])
