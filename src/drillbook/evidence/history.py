"""Earlier drills, read from their evidence: the newest first.

The rule: what cannot be read is passed over; a history answers questions of comfort (how long, how often), and never
one of the verdict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from drillbook.evidence.files import slug_of
from drillbook.model.verdict import Outcome


def _nobody(_place: str) -> None:
    return None


def drills(
    evidence_root: Path, feature: str, scenario: str, unreadable: Callable[[str], None] = _nobody
) -> Iterator[dict[str, Any]]:
    """The records (drill.json) of the drills of one scenario that ended, controls left out, newest first.

    `unreadable` is told of each record that cannot be read.
    """
    for path in sorted(evidence_root.glob(f"*-{slug_of(scenario)}-*/content/drill.json"), reverse=True):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            fits = (record["feature"]["path"], record["scenario"]["name"]) == (feature, scenario)
            if fits and record["outcome"] is not None and record.get("control") is None:
                yield record
        except (OSError, ValueError, KeyError, TypeError) as error:
            unreadable(f"{path.parent.parent.name}/content/drill.json ({type(error).__name__})")


def passed_drills(evidence_root: Path, feature: str, scenario: str) -> Iterator[dict[str, Any]]:
    """Those of them that passed."""
    return (record for record in drills(evidence_root, feature, scenario) if record["outcome"] == Outcome.PASSED)
