"""`--summary FILE`: the result of a session, as JSON for other programs.

The rule: the file is written whole at the session's end, or not at all. The session first removes the file of an
earlier one, so that nobody takes an old result for a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps, write_atomically
from drillbook.evidence.sealing.ledger import Head
from drillbook.model.proof import proofs
from drillbook.model.verdict import worst
from drillbook.pytest_plugin.outcomes import DrillOutcome

SCHEMA = "drillbook/summary/1"


def begin(config: pytest.Config) -> None:
    """Remove the old file. Raises UsageError when nothing could be written at the end."""
    path = _asked(config)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "")
        path.unlink()
    except (OSError, DrillbookError) as error:
        raise pytest.UsageError(f"--summary: {path} cannot be written ({error}): name a file") from None


def write(
    config: pytest.Config,
    ended: Sequence[DrillOutcome],
    not_run: Mapping[str, str],
    status: int,
    heads: Sequence[Head] = (),
) -> str | None:
    """Write the file; returns why that was not possible."""
    path = _asked(config)
    if path is None:
        return None
    try:
        write_atomically(path, dumps(summary(ended, not_run, status, heads)))
    except DrillbookError as error:
        return f"--summary: {error}"
    return None


def summary(
    ended: Sequence[DrillOutcome], not_run: Mapping[str, str], status: int, heads: Sequence[Head] = ()
) -> Mapping[str, Any]:
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
        "ledger": [{"stream": head.stream, "seq": head.seq, "head": head.digest} for head in heads],
    }


def _asked(config: pytest.Config) -> Path | None:
    """The file, relative to the user's working directory; None in a session that runs nothing, and in
    xdist's workers.
    """
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
