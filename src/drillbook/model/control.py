"""Controls: can the checks of a drill fail at all, and did the playbook recover the system?

The rule: a control runs the same feature with one thing taken away. It holds only when its checks looked for what must
be missing, and saw it missing. A check that could not look never counts as missing.

no-fault: nothing is broken; the symptoms must not be observed (else they are empty).
no-recovery: nobody recovers; the criteria must not hold (else the playbook did not recover the system).
recovery-twice: each recovery runs a second time; that must change nothing, and the criteria must hold. In a proof it is
    the end of the drill itself where possible, so that the system is broken once less.
without:FILE:LINE: the recovery runs without one of its tasks; the control reports a task that makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from drillbook.model.phases import Phase, incidents


class ControlKind(StrEnum):
    """What a control takes away, or does once more."""

    NO_FAULT = "no-fault"
    NO_RECOVERY = "no-recovery"
    RECOVERY_TWICE = "recovery-twice"
    WITHOUT_TASK = "without"


@dataclass(frozen=True, slots=True)
class Control:
    """One control. For WITHOUT_TASK, `task` is `FILE:LINE` of the task that it leaves out, relative to the root."""

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
            raise ValueError(f"{text!r} is not a control: there are {known}")
        found = ControlKind(kind)
        if (found is ControlKind.WITHOUT_TASK) is not bool(task):
            raise ValueError(f"{text!r} is not a control: there are {known}")
        return cls(found, task or None)

    @property
    def meaning(self) -> str:
        """What the control does, and what must follow; for people."""
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
    """How a control runs a step of some phase."""

    AS_WRITTEN = "as written"
    WITHHELD = "withheld"
    """The step runs, but its playbook does not."""
    ABSENT = "absent"
    """The step's checks must not be met."""
    LEFT_OUT = "left out"


REPEATED = Control(ControlKind.RECOVERY_TWICE)


def ends_its_drill(accepts_loss: bool, phases: Sequence[Phase]) -> bool:
    """Whether recovery-twice may be the end of a drill with these phases, instead of a drill of its own.

    It may not where the recovery destroys data that is counted exactly, nor after a second incident: the first
    incident's recovery must not run over it.
    """
    return incidents(phases) == 1 and not accepts_loss


def way(control: Control | None, phase: Phase, incident: int) -> Way:
    """How a step of this phase runs; `incident` counts the fault phases of the scenario from 1."""
    if control is None or phase is Phase.BASELINE or control.kind is ControlKind.RECOVERY_TWICE:
        return Way.AS_WRITTEN
    if control.kind is ControlKind.NO_FAULT:
        return {Phase.FAULT: Way.WITHHELD, Phase.SYMPTOMS: Way.ABSENT}.get(phase, Way.LEFT_OUT)
    if incident > 1:
        # nobody recovered the first incident, so a second one on top of it would show nothing
        return Way.LEFT_OUT
    if phase is Phase.CRITERIA:
        return Way.ABSENT
    if phase is Phase.RECOVERY and control.kind is ControlKind.NO_RECOVERY:
        return Way.WITHHELD
    return Way.AS_WRITTEN
