"""The scripts that take and restore backups: what they do where there is no database, and where there is no backup."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from drillbook_lab.lifecycle.parts import postgres
from tests.support import ROOT

pytestmark = pytest.mark.unit

ROLES = ROOT / "playbooks" / "roles"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of a role, with a server that is not there."""
    environment = {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": "1", "PGDATABASE": "app"}
    command = ["bash", str(ROLES / script), *arguments, str(postgres.binaries())]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_a_failed_dump_is_no_backup_and_pushes_none_out(tmp_path: Path) -> None:
    good = [tmp_path / f"backup_2026010{day}T000000.000Z.dump" for day in range(1, 4)]
    for each in good:
        each.touch()
    done = run("backup/files/backup.sh", "take", str(tmp_path), "3")
    assert done.returncode != 0
    assert "onnection refused" in done.stderr
    assert sorted(tmp_path.iterdir()) == good


def test_a_file_that_is_no_dump_is_not_restored_from(tmp_path: Path) -> None:
    plain = tmp_path / "backup.sql"
    plain.write_text("--\n-- PostgreSQL database dump\n--\n")
    done = run("restore/files/restore_rows.sh", str(plain), "projects", "id", "true")
    assert done.returncode != 0
    assert "input file" in done.stderr


def test_a_piece_of_wal_is_archived_once_and_a_second_time_only_if_it_is_the_same(tmp_path: Path) -> None:
    """A server that died after the copy asks again: a refusal would stop its archive for good."""
    piece, archive = tmp_path / "piece", tmp_path / "the archive"
    archive.mkdir()
    piece.write_text("written")
    (archive / "0001.part").write_text("wri")  # whoever died while he copied

    def archived() -> bool:
        command = postgres.archiving(archive).replace("%p", str(piece)).replace("%f", "0001")
        return subprocess.run(["sh", "-c", command], check=False, timeout=30).returncode == 0

    assert archived()
    assert archived()
    piece.write_text("another")
    assert not archived()
    assert [(each.name, each.read_text()) for each in archive.iterdir()] == [("0001", "written")]
