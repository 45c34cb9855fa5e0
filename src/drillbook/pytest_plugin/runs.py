"""What a session leaves of how its drills ended: a proof for each runbook, and rows for who has started the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pytest

from drillbook.evidence.proofs import write_proof
from drillbook.model.proof import Run, proofs
from drillbook.pytest_plugin.drill_session import drill_session
from drillbook.pytest_plugin.outcomes import ended_key


def runs_of(config: pytest.Config) -> list[Run]:
    """How the drills of this session and their controls have ended so far."""
    return [each.run for each in config.stash[ended_key]]


def rows_of(config: pytest.Config, runs: Sequence[Run]) -> list[dict[str, object]]:
    """The runs as JSON, each with its evidence folder."""
    return [asdict(run) | {"folder": str(config.rootpath / run.evidence) if run.evidence else None} for run in runs]


def keep_proofs(config: pytest.Config, runs: Sequence[Run]) -> None:
    """One folder for each runbook that was put to the proof, whatever it came to."""
    for proof in proofs(runs):
        if proof.whole:
            write_proof(drill_session(config).evidence_root, proof)
