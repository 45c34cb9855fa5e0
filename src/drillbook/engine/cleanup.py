"""Removes the work that a drill has submitted, by the user's own playbook, when all else is over.

The rule: no work without its cleanup on disk first, as no fault without its undo. So a process that finds the drill
dead cleans up as well. The same holds for the cleanup as for an undo: it ends with an assertion that nothing of the
work is left.
"""

from __future__ import annotations

import uuid

from drillbook.engine.under_way import UnderWay
from drillbook.errors import DrillbookError
from drillbook.model import paths
from drillbook.model.phases import Phase
from drillbook.model.record import Purpose, UndoState
from drillbook.model.verdict import FindingKind
from drillbook.model.work_balance import PREFIX_VARIABLE
from drillbook.safety.undo import Undone, undo_all

NAMED = "the work of the drill"


def plan_cleanup(drill: UnderWay, prefix: str) -> None:
    """Put the cleanup of work with this prefix on disk, where the repository has one. Raises DrillbookError."""
    session = drill.session
    if not (session.root / paths.WORK_CLEANUP).is_file():
        other = paths.misnamed(session.root, paths.WORK_CLEANUP)
        if other:
            raise DrillbookError(f"no {paths.WORK_CLEANUP}{other}: so nothing would remove the work of the drill")
        return
    drill.declare()
    session.journal.plan(
        uuid.uuid4().hex,
        run_id=drill.run_id,
        fault=NAMED,
        variables={PREFIX_VARIABLE: prefix},
        inventory=session.inventory_name,
        undo_playbook=paths.WORK_CLEANUP,
        evidence=paths.located(drill.log.folder, session.root),
        undo_timeout_s=drill.limits.undo_s,
    )
    drill.log.record.cleanup = UndoState.PENDING


def clean_up(drill: UnderWay) -> list[Undone]:
    """Remove what the drill has submitted. If some of it is left, the system is not put back, and a finding says so."""
    session = drill.session
    entries = [each for each in session.journal.open_entries() if each.run_id == drill.run_id and each.cleans_up]
    done = undo_all(session.journal, entries, session.run_undo)
    for one in done:
        drill.log.record.cleanup = UndoState.FAILED if one.problem else UndoState.GONE
        if one.problem:
            drill.log.find(Phase.RESTORE, FindingKind.FAILED, f"{NAMED} was not cleaned up: {one.problem}")
        elif one.unnoted:
            drill.log.find(Phase.CRITERIA, FindingKind.UNKNOWN, f"{NAMED}: {one.unnoted}")
    return done


def record(drill: UnderWay, one: Undone) -> None:
    """Write down what ran, and tell the terminal. Raises EvidenceError."""
    drill.log.tell("cleanup", problem=one.problem)
    if one.result is not None:
        drill.log.play(one.result, Purpose.CLEANUP, one.entry.variables)
