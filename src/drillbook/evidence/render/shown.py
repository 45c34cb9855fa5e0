"""Shows an ended drill again as the terminal did: the record's events in their order. A pure function of the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drillbook.evidence.render import terminal
from drillbook.evidence.render.terminal import Paint, plain
from drillbook.model.control import Control
from drillbook.model.phases import Phase
from drillbook.model.printable import printable_data
from drillbook.model.record import Record, StepStatus, UndoState, to_plain

_NOT_RUN = (StepStatus.PLANNED, StepStatus.RUNNING, StepStatus.LEFT_OUT)


def summary(record: Record, evidence: str, paint: Paint = plain) -> list[str]:
    """The lines of a drill, without the first empty one; `evidence` names its folder."""
    told = [
        line for event in _events(record, evidence) for line in terminal.lines(printable_data(to_plain(event)), paint)
    ]
    return [*told[1:], *([] if record.outcome is not None else _without_verdict(record, evidence, paint))]


def _events(record: Record, evidence: str) -> Iterator[Mapping[str, Any]]:
    control = record.control
    yield {
        "event": "drill",
        "title": f"{record.feature.name}: {record.scenario.name}",
        "where": f"{record.feature.path}:{record.feature.line}",
        "environment": record.environment.name,
        "objectives": record.objectives,
        "control": control and f"{control.name}: {Control(control.kind, control.task).meaning}",
    }
    before = None
    for step in record.steps:
        if step.status in _NOT_RUN:
            continue
        if step.phase is not before:
            yield {"event": "phase", "phase": step.phase}
        before = step.phase
        yield {
            "event": "done",
            "status": step.status,
            "duration_s": step.duration_s or 0.0,
            "text": f"{step.keyword} {step.text}",
            "observations": [each for each in record.observations if each.step == step.number],
            "decisions": [each for each in record.decisions if each.step == step.number],
        }
    yield from _restored(record)
    yield from ({"event": "note", "text": note} for note in record.notes)
    if record.outcome is not None:
        yield {
            "event": "verdict",
            "repeat": record.repeat,
            "outcome": record.outcome,
            "reason": record.reason,
            "axes": {name: to_plain(record.axes.get(name, _NOT_SAID)) for name in ("valid", "recovered", "restored")},
            "times": record.times,
            "work": record.work,
            "overhead": record.overhead,
            "timings": record.timings,
            "plays": [play.warm for play in record.plays],
            "evidence": evidence,
        }


_NOT_SAID: Mapping[str, Any] = {"holds": None, "reasons": []}


def _restored(record: Record) -> Iterator[Mapping[str, Any]]:
    undone = [each for each in record.faults if each.undo in (UndoState.GONE, UndoState.FAILED)]
    cleaned = record.cleanup in (UndoState.GONE, UndoState.FAILED)
    if undone or cleaned:
        yield {"event": "phase", "phase": Phase.RESTORE}
    for fault in undone:
        yield {"event": "undo", "fault": fault.name, "problem": fault.undo_problem}
    if cleaned:
        yield {"event": "cleanup", "problem": None if record.cleanup is UndoState.GONE else "see its findings"}


def _without_verdict(record: Record, evidence: str, paint: Paint) -> list[str]:
    where = next((f"{each.keyword} {each.text}" for each in record.steps if each.status is StepStatus.RUNNING), None)
    at = f" in '{where}'" if where is not None else ""
    said = paint("no verdict", "yellow")
    return [f"  {said}: the drill is under way{at}, or was killed and is not closed yet", f"    evidence: {evidence}"]
