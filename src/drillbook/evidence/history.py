"""Earlier drills, read from their evidence, the newest first.

The rule: an unreadable record is skipped. A history answers questions of comfort (how long, how often), never one of
the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from drillbook.evidence.files import short_file_part
from drillbook.evidence.reader import RecordError, read_document, read_record
from drillbook.model.record import AttemptRecord, Record
from drillbook.model.verdict import Outcome

MOST = 10
"""The number of earlier drills that a record names."""


def _nobody(_sentence: str) -> None:
    return None


def drills(
    evidence_root: Path, feature: str, scenario: str, unreadable: Callable[[str], None] = _nobody
) -> Iterator[Record]:
    """The records of the ended drills of one scenario, without controls, newest first.

    `unreadable` gets each record that cannot be read, and why.
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


def attempts(evidence_root: Path, feature: str, scenario: str) -> list[AttemptRecord]:
    """The drills of a scenario that began, the newest first, back to the last that passed; MOST at most."""
    found: list[AttemptRecord] = []
    for path in sorted(evidence_root.glob(f"*-{short_file_part(scenario)}-*/content/drill.json"), reverse=True):
        with suppress(RecordError, LookupError, TypeError, ValueError):
            said = read_document(path)
            if said["control"] is None and (said["feature"]["path"], said["scenario"]["name"]) == (feature, scenario):
                outcome = None if said["outcome"] is None else Outcome(said["outcome"])
                found.append(AttemptRecord(said["run_id"], said["started_at"], outcome, said["reason"]))
        if len(found) == MOST or (found and found[-1].outcome is Outcome.PASSED):
            break
    return found


def passed_drills(evidence_root: Path, feature: str, scenario: str) -> Iterator[Record]:
    """Those of them that passed."""
    return (record for record in drills(evidence_root, feature, scenario) if record.outcome is Outcome.PASSED)
