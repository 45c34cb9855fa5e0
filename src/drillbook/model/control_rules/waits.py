"""How long a control waits for something that must not happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from drillbook.model.control import ControlKind
from drillbook.model.phases import Phase
from drillbook.model.record import Record
from drillbook.model.times.timeline import Event

# ---- how long to wait for something that must not happen ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a control waits for something that must not happen, based on what the drill needed for it."""

    factor: float
    margin_s: float
    whole: bool = False
    """The wait lasts at least as long as the drill's recovery and all of its criteria took.

    A system that heals by itself gets that time, too, and a criterion that looks once keeps looking for that long.
    """

    def __str__(self) -> str:
        times = "as long as" if self.factor == 1.0 else f"{self.factor:g} times what"
        least = "; at least as long as its recovery and criteria took" if self.whole else ""
        return f"{times} the drill needed, and {self.margin_s:g} s; at most what the feature allows{least}"


_LIKE_THE_DRILL, _LONGER = Wait(1.0, 1.0), Wait(1.5, 3.0, whole=True)


def wait_of(kind: ControlKind) -> Wait:
    """Without a fault nothing builds up, so the symptoms get the time in which the drill saw them.

    A system without its recovery may still recover, more slowly than by the runbook. So the criteria get longer.
    """
    return _LIKE_THE_DRILL if kind is ControlKind.NO_FAULT else _LONGER


@dataclass(frozen=True, slots=True)
class Measured:
    """What a drill of the same scenario needed for each check, in seconds from the event that the check counts from.

    Keys are (number of the step, number of the checks before it in that step).
    """

    run_id: str
    needed_s: Mapping[tuple[int, int], float]
    took_s: Mapping[int, float] = field(default_factory=dict)
    """By the number of a criterion's step: from the begin of its recovery to the end of that recovery's criteria."""
    after_fault_s: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """For each symptom: from its fault to the look that met it. A symptom that looks once had this long to appear."""

    @classmethod
    def of(cls, record: Record) -> Measured:
        """Read it from the record of that drill."""
        needed: dict[tuple[int, int], float] = {}
        after: dict[tuple[int, int], float] = {}
        faults_s = list(_faults_s(record))
        seen: dict[int, int] = {}
        for check in record.checks:
            if check.phase in (Phase.REPEAT, Phase.RESTORE):
                continue
            nth = seen[check.step] = seen.get(check.step, -1) + 1
            if check.found_s is not None and check.since_s is not None:
                needed[check.step, nth] = max(0.0, check.found_s - check.since_s)
                before = [at_s for at_s in faults_s if at_s <= check.found_s]
                if check.phase is Phase.SYMPTOMS and before:
                    after[check.step, nth] = check.found_s - before[-1]
        return cls(record.run_id, needed, dict(_took(record)), after)


def _faults_s(record: Record) -> Iterator[float]:
    """When each incident began: the record's moment of its first fault, else the begin of the fault phase."""
    injected = [each.at_s for each in record.timeline if each.event == Event.FAULT_INJECTED.value]
    for phase in record.phases:
        if phase.phase is Phase.FAULT:
            until_s = phase.ended_s if phase.ended_s is not None else phase.started_s
            yield next((at_s for at_s in injected if phase.started_s <= at_s <= until_s), phase.started_s)


def _took(record: Record) -> Iterator[tuple[int, float]]:
    """For each step of the criteria: how many seconds its recovery and all criteria of that recovery took."""
    began_s: float | None = None
    for before, phase in pairwise([None, *record.phases]):
        assert phase is not None
        if phase.phase is Phase.RECOVERY and (before is None or before.phase is not Phase.RECOVERY):
            began_s = phase.started_s
        if phase.phase is not Phase.CRITERIA or began_s is None or phase.ended_s is None:
            continue
        for step in record.steps:
            if step.started_s is not None and phase.started_s <= step.started_s <= phase.ended_s:
                yield step.number, phase.ended_s - began_s


def allowed_s(wait: Wait, measured: Measured | None, step: int, nth: int, stated_s: float) -> float:
    """Seconds that a control waits for something that must not happen, so that a proof takes minutes and not RTOs."""
    if measured is None:
        return stated_s
    needed_s = measured.needed_s.get((step, nth))
    waited_s = stated_s if needed_s is None else min(stated_s, wait.factor * needed_s + wait.margin_s)
    return max(waited_s, measured.took_s.get(step, 0.0)) if wait.whole else waited_s


def once_s(wait: Wait, measured: Measured | None, step: int, nth: int) -> float | None:
    """How long after the fault a control keeps looking for a symptom at which the drill looked once.

    As late as the drill saw it. None when that is unknown: then the control looks once, too.
    """
    after_s = None if measured is None else measured.after_fault_s.get((step, nth))
    return None if after_s is None else wait.factor * after_s + wait.margin_s
