"""Earlier drills, read from their evidence: the newest first.

The rule: what cannot be read is passed over; a history answers questions of comfort (how long, how often), and never
one of the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from drillbook.evidence.files import short_file_part
from drillbook.evidence.reader import RecordError, read_record
from drillbook.model.record import Record
from drillbook.model.verdict import Outcome


def _nobody(_sentence: str) -> None:
    return None


def drills(
    evidence_root: Path, feature: str, scenario: str, unreadable: Callable[[str], None] = _nobody
) -> Iterator[Record]:
    """The records of the drills of one scenario that ended, controls left out, newest first.

    `unreadable` is told of each record that cannot be read, and why.
    """
    for path in sorted(evidence_root.glob(f"*-{short_file_part(scenario)}-*/content/drill.json"), reverse=True):
        try:
            record = read_record(path)
        except RecordError as error:
            unreadable(f"{path.parent.parent.name}/content/drill.json: {error.why}")
            continue
        fits = (record.feature.path, record.scenario.name) == (feature, scenario)
        if fits and record.outcome is not None and record.control is None:
            yield record


def passed_drills(evidence_root: Path, feature: str, scenario: str) -> Iterator[Record]:
    """Those of them that passed."""
    return (record for record in drills(evidence_root, feature, scenario) if record.outcome is Outcome.PASSED)
