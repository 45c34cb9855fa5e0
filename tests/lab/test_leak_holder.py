"""The process that holds connections which leak: what it is told, how it ends, and what is left when it took none."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from tests.support.unit import until

from .support import ROOT

pytestmark = pytest.mark.unit

HOLDS = """
import json, os, sys, time
order = json.loads(sys.stdin.readline())
print(order["count"], flush=True)
os.close(1)
while os.path.exists(order["file"]):
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def holder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("leak_holder", ROOT / "playbooks/module_utils/leak_holder.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def processes(file: Path) -> list[list[str]]:
    lines = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(file) in line]


def test_it_holds_until_its_file_is_away_and_no_order_is_on_its_command_line(
    holder: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "leak"
    assert holder.grow(file, HOLDS, {"count": 7, "password": "correct-horse-1"}) == {"changed": True, "held": 7}
    (line,) = processes(file)
    assert "correct-horse-1" not in " ".join(line)
    assert holder.grow(file, HOLDS, {"count": 7}) == {"changed": False}
    assert holder.stop_growing(file) == {"changed": True}
    assert holder.stop_growing(file) == {"changed": False}
    holder.take_away(file)
    until(lambda: not processes(file))
    assert not list(file.parent.iterdir())
    holder.take_away(file)


@pytest.mark.parametrize("program", ["print(0)", "raise SystemExit(1)"])
def test_one_that_took_nothing_is_told_and_leaves_no_file(holder: ModuleType, tmp_path: Path, program: str) -> None:
    with pytest.raises(OSError, match="took none"):
        holder.grow(tmp_path / "leak", program, {})
    assert not list(tmp_path.iterdir())
