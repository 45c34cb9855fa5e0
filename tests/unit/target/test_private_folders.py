"""Private folders: gone with their process, also with one that was killed, and nobody else's is touched."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from drillbook.target import private_folders
from drillbook.target.private_folders import PrivateFolder, left, sweep

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(private_folders, "places", lambda: {str(tmp_path)})  # what lies in /tmp is others'
    return tmp_path


def of_a_dead_process(kind: str = "run") -> Path:
    """As a killed process leaves it: the kernel has closed what it held."""
    folder = PrivateFolder(kind)
    (folder.path / "env").mkdir()
    (folder.path / "env/extravars").write_text("{}")
    assert folder._held is not None
    os.close(folder._held)
    return folder.path


def test_it_is_there_for_as_long_as_it_is_needed(place: Path) -> None:
    with PrivateFolder("run") as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sweep() == [] and folder.is_dir()
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_taken_away(place: Path) -> None:
    dead, other = of_a_dead_process(), of_a_dead_process("warm")
    with PrivateFolder("run") as alive:
        assert left("run") == [dead]
        assert set(sweep()) == {dead, other}
        assert list(place.iterdir()) == [alive]


def test_what_was_not_made_here_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("drillbook.evidence", "drillbook.run-x", "drillbook.own-abcdefgh"):
        (place / name).mkdir()
    (place / "else").mkdir()
    (place / "drillbook.run-abcdefgh").symlink_to(place / "else")
    (place / "drillbook.run-abcdefgi").write_text("x")
    dead = of_a_dead_process()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert dead not in sweep()
    monkeypatch.undo()
    assert len(list(place.iterdir())) == 7
