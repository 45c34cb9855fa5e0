"""`--summary FILE`: what a session came to, as JSON for other programs.

The rule: the file is written whole at the session's end, or not at all. What an earlier session wrote there is taken
away when this one begins, so that nobody reads an old result for a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps, write_atomically
from drillbook.model.proof import proofs
from drillbook.model.verdict import worst
from drillbook.pytest_plugin.outcomes import DrillOutcome

SCHEMA = "drillbook/summary/1"


def begin(config: pytest.Config) -> None:
    """Take away what is there. Raises UsageError where nothing could be written at the end."""
    path = _asked(config)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "")
        path.unlink()
    except (OSError, DrillbookError) as error:
        raise pytest.UsageError(f"--summary: {path} cannot be written ({error}): name a file") from None


def write(config: pytest.Config, ended: Sequence[DrillOutcome], not_run: Mapping[str, str], status: int) -> str | None:
    """Write the file; gives why that was not possible."""
    path = _asked(config)
    if path is None:
        return None
    try:
        write_atomically(path, dumps(summary(ended, not_run, status)))
    except DrillbookError as error:
        return f"--summary: {error}"
    return None


def summary(ended: Sequence[DrillOutcome], not_run: Mapping[str, str], status: int) -> Mapping[str, Any]:
    """The file's content."""
    return {
        "schema": SCHEMA,
        "exit_status": status,
        "worst": worst([each.outcome for each in ended]).value if ended else None,
        "drills": [
            {
                "id": each.nodeid,
                "scenario": each.scenario,
                "control": each.control or None,
                "outcome": each.outcome.value,
                "good": each.outcome.good,
                "reason": each.reason,
                "evidence": each.evidence,
                "numbers": dict(each.numbers),
            }
            for each in ended
        ],
        "not_run": [{"id": nodeid, "why": why} for nodeid, why in not_run.items()],
        "proofs": [
            {"scenario": proof.scenario, "proven": proof.proven, "against": proof.against}
            for proof in proofs([each.run for each in ended])
            if proof.whole
        ],
    }


def _asked(config: pytest.Config) -> Path | None:
    """The file, relative to where somebody stands; None in a session that runs nothing, and in xdist's workers."""
    named, option = config.getoption("--summary"), config.option
    if (
        not named
        or option.help
        or option.version
        or option.collectonly
        or option.plan
        or hasattr(config, "workerinput")
    ):
        return None
    return config.invocation_params.dir / str(named)
