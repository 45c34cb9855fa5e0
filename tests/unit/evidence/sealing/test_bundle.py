"""The files of a bundle: what coreutils says of SHA256SUMS, and what is not sealed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from drillbook.errors import EvidenceError
from drillbook.evidence.sealing import bundle

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "content/deep er").mkdir(parents=True)
    (tmp_path / "content/drill.json").write_text("{}\n")
    (tmp_path / "content/deep er/ä.txt").write_bytes(b"\x00\xff")
    return tmp_path


def test_coreutils_agree(folder: Path) -> None:
    bundle.write_sums(folder, bundle.sums_of(folder))
    check = ["sha256sum", "--strict", "-c", "../SHA256SUMS"]
    assert subprocess.run(check, cwd=folder / "content", capture_output=True, check=False).returncode == 0
    (folder / "content/drill.json").write_text("{ }\n")
    assert subprocess.run(check, cwd=folder / "content", capture_output=True, check=False).returncode == 1


def test_attestations_are_one_a_line(folder: Path) -> None:
    bundle.write_attestations(folder, [b"{}", b"{1}"])
    assert (folder / "attestations.intoto.jsonl").read_bytes() == b"{}\n{1}\n"


@pytest.mark.parametrize("kind", ["link", "folder link", "fifo", "line feed"])
def test_what_is_no_plain_file_is_not_sealed(folder: Path, kind: str) -> None:
    odd = folder / "content/odd"
    match kind:
        case "link":
            odd.symlink_to("drill.json")
        case "folder link":
            odd.symlink_to("deep er")
        case "fifo":
            os.mkfifo(odd)
        case _:
            (folder / "content/o\nd").touch()
    with pytest.raises(EvidenceError, match="cannot be sealed"):
        bundle.sums_of(folder)
