"""Finishes the record of a drill that died: it is ABORTED, and says what was undone after it.

The rule: what the dead drill wrote stays. This module adds only what the drill could no longer write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from drillbook.evidence.absent import why_absent
from drillbook.evidence.files import dumps, write_atomically
from drillbook.evidence.reader import NoRecordError, RecordError, read_record
from drillbook.model.phases import Phase
from drillbook.model.record import FaultRecord, Record, SignatureRecord, StepStatus, SwitchState, UndoState
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.model.verdict import RESTORE, Axis, Outcome
from drillbook.safety.journal import EntryState
from drillbook.safety.undo import Undone

ReportWriter = Callable[[Path], object]
"""Writes the report of an evidence folder. The caller passes it in, so that no drill depends on rendering."""


def close_dead_run(
    folder: Path,
    undone: Sequence[Undone],
    known: Mapping[str, EntryState] | None = None,
    switches: Mapping[str, SwitchState] = MappingProxyType({}),
    by: str = "a later run",
    *,
    write_report: ReportWriter | None,
    signature: SignatureRecord | None = None,
) -> str | None:
    """Close content/drill.json of a drill whose process died; `by` is who put its faults back.

    Returns why that failed, as a sentence: the record is there and cannot be read. Does nothing when there is no
    record, or when it is closed and its faults were already gone.

    `known` is what the journal says about every entry. A fault without an entry was never injected, since its undo was
    not on disk. A fault with a closed entry is gone, although the drill had no time to write it down. `switches` says
    what became of the dead man's switches, by entry. `signature` says who will sign it, where that is news.
    """
    try:
        record = read_record(folder)
    except NoRecordError:
        return None
    except RecordError as error:
        return f"the record of the drill that died cannot be read and stays as it is, without a verdict: {error}"
    record.signature = signature or record.signature
    for fault in record.faults:
        _settle(fault, undone, known, switches)
    for one in undone:
        if one.entry.cleans_up:
            record.cleanup = UndoState.FAILED if one.problem else UndoState.GONE
    problems = tuple(one.problem for one in undone if one.problem)
    if record.outcome is None:
        _end(record, undone, problems)
    if undone:
        names = ", ".join(one.entry.fault for one in undone)
        record.notes.append(f"{rfc3339(wall_now())}: {'tried' if problems else 'undone'} by {by}: {names}")
    record.absent = why_absent(record)
    write_atomically(folder / "content" / "drill.json", dumps(record.as_json()))
    # the record counts; `drillbook report` writes the page again and says why this failed
    if write_report is not None:
        with suppress(Exception):
            write_report(folder)
    return None


def _settle(
    fault: FaultRecord,
    undone: Sequence[Undone],
    known: Mapping[str, EntryState] | None,
    switches: Mapping[str, SwitchState],
) -> None:
    """What became of a fault."""
    if known is not None and fault.undo is UndoState.PENDING:
        if fault.entry not in known:
            fault.undo = UndoState.NEVER_HAPPENED
        elif known[fault.entry] is EntryState.CLOSED:
            fault.undo = UndoState.GONE
    for one in undone:
        if one.entry.id == fault.entry:
            fault.undo = UndoState.FAILED if one.problem else UndoState.GONE
            fault.undo_problem = one.problem
            fault.switch = switches.get(one.entry.id, fault.switch)


def _end(record: Record, undone: Sequence[Undone], problems: tuple[str, ...]) -> None:
    """The verdict, for which the drill had no time."""
    record.outcome = Outcome.NOT_RESTORED if problems else Outcome.ABORTED
    record.reason = (
        f"a fault could not be undone: {problems[0]}: {RESTORE}"
        if problems
        else f"the drill's process died in the phase {_last_phase(record)}; {_what_became(record, undone)}"
    )
    record.axes["restored"] = Axis(not problems, problems)
    record.ended_at = rfc3339(wall_now())
    for step in record.steps:
        if step.status is StepStatus.RUNNING:
            step.status, step.error = StepStatus.INTERRUPTED, "the drill's process died"


def _what_became(record: Record, undone: Sequence[Undone]) -> str:
    if undone:
        return "its faults were undone afterwards"
    gone = any(fault.undo is UndoState.GONE for fault in record.faults)
    return "its faults were undone by then" if gone else "nothing was broken by then"


def _last_phase(record: Record) -> Phase:
    return record.phases[-1].phase if record.phases else Phase.BASELINE
