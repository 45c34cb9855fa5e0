"""The playbooks that a scenario's steps name are known before the drill, those of messages among them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.model.phases import StepKind
from drillbook.repository.plan import dry_step
from drillbook.repository.plan.planning_drill import PlanningDrill

pytestmark = pytest.mark.unit


def test_messages_are_among_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def learn(calls: Any, _step: object, drill: PlanningDrill, _root: Path) -> None:
        drill.next_step()
        calls(drill)

    monkeypatch.setattr(dry_step, "learn", learn)
    steps = [
        (StepKind.FAULT, lambda drill: drill.inject("cut")),
        (StepKind.THEN, lambda drill: drill.announce("never")),
        (StepKind.RECOVERY, lambda drill: drill.announce("first")),
        (StepKind.RECOVERY, lambda drill: (drill.recover("fix"), drill.announce("last"))),
    ]
    run = SimpleNamespace(
        steps=[SimpleNamespace(kind=kind) for kind, _ in steps],
        parsed=SimpleNamespace(steps=steps),
        definitions=[calls for _, calls in steps],
    )
    assert dry_step.named_playbooks(cast(Any, run), tmp_path, cast(Any, None)) == (
        "playbooks/faults/cut/inject.yml",
        "playbooks/faults/cut/undo.yml",
        "playbooks/faults/cut/switch.yml",
        "playbooks/communication/first.yml",
        "playbooks/recovery/fix.yml",
        "playbooks/communication/last.yml",
    )
