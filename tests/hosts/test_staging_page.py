"""docs/guide/staging.md, word for word: from three VMs and a unit of systemd to a proven drill."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, Block, Use, blocks

from .support import BIN, NEEDS_MACHINES

pytestmark = [pytest.mark.hosts, NEEDS_MACHINES]

(PAGE,) = [page for page in PAGES if page.name == "staging.md"]


def read(block: Block, root: Path) -> str:
    """Do with a block of the page what it says; returns what it printed."""
    if block.use is Use.WRITE:
        assert block.file is not None
        path = root / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    if block.use is not Use.RUN_ON_MACHINES:
        return ""
    done = subprocess.run(
        ["bash", "-euc", block.text],
        cwd=root,
        env={**_a_readers_environment(), "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{block.where}:\n{done.stdout}{done.stderr}"
    return done.stdout


def _a_readers_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DRILLBOOK_")}


def test_from_three_vms_to_a_proven_drill(tmp_path: Path) -> None:
    said = ""
    try:
        said = "".join(read(block, tmp_path) for block in blocks(PAGE))
    finally:
        down = ["drillbook", "lab", "down", "--staging", "hosts"]  # what a block that failed has left
        subprocess.run([BIN / down[0], *down[1:]], cwd=tmp_path, check=True, capture_output=True)
    assert "the drill passed, 3 controls held" in said
    assert list((tmp_path / "evidence").glob("*/content/report.html"))
    assert not (tmp_path / ".drillbook/lab/hosts/lab.json").exists()


def test_a_block_that_does_not_do_what_it_says_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"staging\.md:1"):
        read(Block(PAGE, 1, "bash", Use.RUN_ON_MACHINES, "false"), tmp_path)
