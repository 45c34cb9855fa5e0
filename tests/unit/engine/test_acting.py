"""A playbook that is not there is refused before anything is broken, and the one that was meant is named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.engine import acting
from drillbook.errors import DrillbookError

pytestmark = pytest.mark.unit


def under_way(root: Path) -> Any:
    return SimpleNamespace(session=SimpleNamespace(root=root), log=None)


def files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize(
    ("there", "missing", "meant"),
    [
        (("inject.yml", "undo.yaml"), "undo.yml", "undo.yaml"),
        (("inject.yaml", "undo.yml"), "inject.yml", "inject.yaml"),
        (("inject.yml", "undo.yml", "switch.yaml"), "switch.yml", "switch.yaml"),
    ],
)
def test_a_part_of_a_fault_under_another_name(tmp_path: Path, there: tuple[str, ...], missing: str, meant: str) -> None:
    files(tmp_path, *(f"playbooks/faults/cut/{each}" for each in there))
    with pytest.raises(DrillbookError) as raised:
        cast(Any, acting.Acting)(under_way(tmp_path))._break("cut", {})
    assert str(raised.value) == (
        f"no playbooks/faults/cut/{missing} (there is {meant}: rename it to {missing}): "
        "a fault is a folder with inject.yml and undo.yml"
    )


def test_a_recovery_under_another_name(tmp_path: Path) -> None:
    files(tmp_path, "playbooks/recovery/roll_back.yaml")
    with pytest.raises(
        DrillbookError, match=r"no playbooks/recovery/roll_back\.yml \(there is roll_back\.yaml: rename"
    ):
        acting._recovery(under_way(tmp_path), "roll_back")
