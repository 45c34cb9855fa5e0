"""SIGKILL at every boundary of the journal: of the drill, of the drill and its guardian, of the guardian at its work.

Whatever dies where: afterwards the fault is gone, the service is healthy, the journal is closed, the record says
ABORTED and why, the run was declared before its fault and is closed in the ledger, and no process is left.

The boundaries of the ledger and of the seal are those of tests/unit/engine/keeping/test_sealing.py, where a death
costs milliseconds; here whole drills die at two of them.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import pytest

from drillbook.evidence.sealing import keys
from drillbook.safety.journal import Journal
from tests.support.sealing import PASSPHRASE, chain, sealed_runs

from .conftest import DEADLINE_S, Mini, ended, left_over, records, reports, wait_for
from .killer import BOUNDARIES, killing
from .test_verdicts import GOOD

pytestmark = pytest.mark.lab


def killed(mini: Mini, plan: str) -> None:
    """Run the drill with the killer in it; returns when nobody but the service is left."""
    mini.feature(*GOOD)
    keys.write_new(mini.root / "drill.pem", keys.new_key(PASSPHRASE))  # the guardian gets it by a pipe
    mini.variables |= {"DRILLBOOK_KEY": str(mini.root / "drill.pem"), "DRILLBOOK_KEY_PASSPHRASE": PASSPHRASE}
    process = mini.start(**killing(mini.root, plan))
    output = ended(process)
    assert process.returncode == -9, output
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left", DEADLINE_S)


def restored_by_hand(mini: Mini) -> None:
    command = [sys.executable, "-m", "drillbook.commands.cli", "restore"]
    done = subprocess.run(
        command, cwd=mini.root, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=mini.environment()
    )
    assert done.returncode == 0, done.stderr


def whole(mini: Mini) -> None:
    """Nothing of the drill is left but its record."""
    assert not mini.broken
    port = (mini.root / "port").read_text()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        assert answer.status == 200
    assert Journal(mini.root / ".drillbook/journal-mini.ndjson").open_entries() == []
    (record,) = records(mini.root)
    assert sealed_runs(mini.root, (mini.root / "drill.pem.pub").read_text(), "mini") == {record["run_id"]: "aborted"}
    assert record["signature"]["state"] == "signed"
    assert record["outcome"] == "ABORTED"
    assert "the drill's process died in the phase" in record["reason"]
    assert all(fault["undo"] in {"gone", "never happened"} for fault in record["faults"])
    assert len(left_over(mini.root)) == 1
    assert reports(mini.root) == 0, "the ini wants none"


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_drill_is_killed(mini: Mini, boundary: str) -> None:
    killed(mini, f"drill={boundary}")
    whole(mini)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_drill_and_its_guardian_are_killed(mini: Mini, boundary: str) -> None:
    killed(mini, f"drill={boundary},both=yes")
    (entry,) = chain(mini.root, (mini.root / "drill.pem.pub").read_text(), "mini")
    assert entry["kind"] == "intent", "it is on disk before the journal's entry"
    restored_by_hand(mini)
    whole(mini)


@pytest.mark.parametrize("boundary", BOUNDARIES[4:])
def test_the_guardian_is_killed_at_its_work(mini: Mini, boundary: str) -> None:
    killed(mini, f"drill=after:injected,guardian={boundary}")
    restored_by_hand(mini)
    whole(mini)


@pytest.mark.parametrize("boundary", ["after:intent", "before:sealed"])
def test_the_drill_is_killed_at_the_ledger(mini: Mini, boundary: str) -> None:
    killed(mini, f"drill={boundary}")
    (record,) = records(mini.root)
    outcome = "PASSED" if boundary == "before:sealed" else "ABORTED"
    assert record["outcome"] == outcome
    public = (mini.root / "drill.pem.pub").read_text()
    wait_for(lambda: "aborted" in sealed_runs(mini.root, public, "mini").values(), "the guardian has closed the run")
    assert not mini.broken


def test_the_killer_kills_nobody_without_a_boundary(mini: Mini) -> None:
    process = mini.start(**killing(mini.root, "drill=before:nothing"))
    output = ended(process)
    assert process.returncode == 0, output
