"""Controls: can the checks of a drill fail at all, and was it the playbook that recovered the system?

The rule: a control runs the same feature with one thing taken away, and holds only when what must be missing then was
looked for and was seen missing. What could not be looked at is never taken for missing.

no-fault: nothing is broken; the symptoms must not be observed (else they are empty).
no-recovery: nobody recovers; the criteria must not hold (else it was not the playbook that recovered the system).
recovery-twice: each recovery runs a second time; that must change nothing, and the criteria must hold. In a proof it is
    the end of the drill itself where it can be: the system is broken once less.
without:FILE:LINE: the recovery without one of its tasks; a task that nothing misses is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from drillbook.model.phases import Phase, incidents


class ControlKind(StrEnum):
    """What is taken away, or done once more."""

    NO_FAULT = "no-fault"
    NO_RECOVERY = "no-recovery"
    RECOVERY_TWICE = "recovery-twice"
    WITHOUT_TASK = "without"


@dataclass(frozen=True, slots=True)
class Control:
    """One control. `task` is `FILE:LINE` of the task that is left out, relative to the root, for WITHOUT_TASK."""

    kind: ControlKind
    task: str | None = None

    def __str__(self) -> str:
        return self.kind.value if self.task is None else f"{self.kind}:{self.task}"

    @classmethod
    def parse(cls, text: str) -> Control:
        """Read `no-fault` or `without:playbooks/recovery/x.yml:12`. Raises ValueError with a sentence."""
        kind, _, task = text.partition(":")
        known = ", ".join([*(each.value for each in STANDARD), f"{ControlKind.WITHOUT_TASK}:FILE:LINE"])
        if kind not in list(ControlKind):
            raise ValueError(f"{text!r} is no control: there are {known}")
        found = ControlKind(kind)
        if (found is ControlKind.WITHOUT_TASK) is not bool(task):
            raise ValueError(f"{text!r} is no control: there are {known}")
        return cls(found, task or None)

    @property
    def meaning(self) -> str:
        """What is done, and what must follow; for people."""
        return _MEANING[self.kind].format(task=self.task)


STANDARD = (ControlKind.NO_FAULT, ControlKind.NO_RECOVERY, ControlKind.RECOVERY_TWICE)
"""The controls of a proof."""
_MEANING = {
    ControlKind.NO_FAULT: "nothing is broken: the symptoms must not be observed",
    ControlKind.NO_RECOVERY: "nobody recovers: the criteria must not hold",
    ControlKind.RECOVERY_TWICE: "each recovery runs twice: the second run must change nothing",
    ControlKind.WITHOUT_TASK: "the recovery without {task}: is it missed?",
}


class Way(StrEnum):
    """How a step of some phase is run."""

    AS_WRITTEN = "as written"
    WITHHELD = "withheld"
    """The step is run, and the playbook that it names is not."""
    ABSENT = "absent"
    """What its checks look for must not be there."""
    LEFT_OUT = "left out"


REPEATED = Control(ControlKind.RECOVERY_TWICE)


def ends_its_drill(accepts_loss: bool, phases: Sequence[Phase]) -> bool:
    """Whether recovery-twice may be the end of a drill with these phases, instead of a drill of its own.

    Not where the recovery destroys what is counted exactly; nor after a second incident, over whose recovery nobody is
    to run the first one's.
    """
    return incidents(phases) == 1 and not accepts_loss


def way(control: Control | None, phase: Phase, incident: int) -> Way:
    """How a step of this phase is run; `incident` counts the faults' phases of the scenario from 1."""
    if control is None or phase is Phase.BASELINE or control.kind is ControlKind.RECOVERY_TWICE:
        return Way.AS_WRITTEN
    if control.kind is ControlKind.NO_FAULT:
        return {Phase.FAULT: Way.WITHHELD, Phase.SYMPTOMS: Way.ABSENT}.get(phase, Way.LEFT_OUT)
    if incident > 1:
        # the first incident was not recovered from: a second one on top of it would show nothing
        return Way.LEFT_OUT
    if phase is Phase.CRITERIA:
        return Way.ABSENT
    if phase is Phase.RECOVERY and control.kind is ControlKind.NO_RECOVERY:
        return Way.WITHHELD
    return Way.AS_WRITTEN
