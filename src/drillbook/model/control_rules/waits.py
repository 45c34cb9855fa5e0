"""How long a control waits for what must not come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from drillbook.model.control import ControlKind
from drillbook.model.phases import Phase
from drillbook.model.record import Record

# ---- how long to wait for what must not come --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a control waits for what must not come, by what the drill needed for it."""

    factor: float
    margin_s: float
    whole: bool = False
    """At least as long as the drill's recovery and all of its criteria took: who heals by itself gets that time, too,
    and a criterion that is looked at once is looked at for so long.
    """

    def __str__(self) -> str:
        times = "as long as" if self.factor == 1.0 else f"{self.factor:g} times what"
        least = "; at least as long as its recovery and criteria took" if self.whole else ""
        return f"{times} the drill needed, and {self.margin_s:g} s; at most what the feature allows{least}"


_LIKE_THE_DRILL, _LONGER = Wait(1.0, 1.0), Wait(1.5, 3.0, whole=True)


def wait_of(kind: ControlKind) -> Wait:
    """While nothing is broken nothing builds up: the symptoms get the time in which the drill saw them.

    A system that was not recovered may still recover, and more slowly than by the runbook: the criteria get longer.
    """
    return _LIKE_THE_DRILL if kind is ControlKind.NO_FAULT else _LONGER


@dataclass(frozen=True, slots=True)
class Measured:
    """What a drill of the same scenario needed for each of its checks, in seconds from the event that it counts from.

    Keys are (number of the step, how many checks of that step came before).
    """

    run_id: str
    needed_s: Mapping[tuple[int, int], float]
    took_s: Mapping[int, float] = field(default_factory=dict)
    """By the number of a criterion's step: from the begin of its recovery to the end of the recovery's criteria."""

    @classmethod
    def of(cls, record: Record) -> Measured:
        """Read it off the record of that drill."""
        needed: dict[tuple[int, int], float] = {}
        seen: dict[int, int] = {}
        for check in record.checks:
            if check.phase in (Phase.REPEAT, Phase.RESTORE):
                continue
            nth = seen[check.step] = seen.get(check.step, -1) + 1
            if check.found_s is not None and check.since_s is not None:
                needed[check.step, nth] = max(0.0, check.found_s - check.since_s)
        return cls(record.run_id, needed, dict(_took(record)))


def _took(record: Record) -> Iterator[tuple[int, float]]:
    """For each step of the criteria how long its recovery and all criteria of that took, in seconds."""
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
    """How many seconds a control waits for what must not come, so that proving takes minutes and not RTOs."""
    if measured is None:
        return stated_s
    needed_s = measured.needed_s.get((step, nth))
    waited_s = stated_s if needed_s is None else min(stated_s, wait.factor * needed_s + wait.margin_s)
    return max(waited_s, measured.took_s.get(step, 0.0)) if wait.whole else waited_s
