"""What the guardian does when an undo cannot even begin: it tries again."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from drillbook.commands import guardian_undo
from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.safety.environment_lock import HolderRole
from drillbook.safety.undo import Undone

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("error", [DrillbookError("no host"), OSError(28, "No space left on device")])
def test_what_hinders_the_guardian_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    tries: list[HolderRole] = []

    def put_back(_session: DrillSession, role: HolderRole) -> list[Undone]:
        tries.append(role)
        if len(tries) < guardian_undo.TRIES:
            raise error
        return []

    # a full disk that is emptied between two tries cannot be had here; nor is the pause between them waited for
    monkeypatch.setattr(DrillSession, "put_back", put_back)
    monkeypatch.setattr(guardian_undo, "PAUSE_S", 0.0)
    asked = Namespace(
        root=tmp_path,
        inventory=tmp_path / "hosts.yml",
        owner="nobody",
        pid=1,
        pass_env=[],
        further_inventory=[],
        no_report=False,
        key=None,
    )
    assert guardian_undo.put_back(asked) == 0
    assert tries == [HolderRole.GUARDIAN] * guardian_undo.TRIES
    assert capsys.readouterr().err.count(str(error)) == guardian_undo.TRIES - 1
