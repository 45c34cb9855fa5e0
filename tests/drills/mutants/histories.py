"""Histories that once passed in silence; test_silence.py has those that need a session of their own."""

from __future__ import annotations

from . import GOOD, INVALID, NOT_RECOVERED, Edit, Mutant, added, ending, feature, step, swapped
from .playbooks import FIX

ONCE = r"the check of a step: the check itself failed \(ZeroDivisionError: division by zero\)"
DOWN_AGAIN = """\
    - name: It is up for a while
      ansible.builtin.wait_for: {timeout: 2}
    - name: And down again
      ansible.builtin.copy: {content: x, dest: "{{ flag }}", mode: "0644"}
"""


def crashing(call: str) -> tuple[Edit, ...]:
    """A check that holds for its first sample, and crashes at the second.

    The sample that met it is judged once more at the end of the criteria, with those after it.
    """
    lines = (
        "judged = []",
        "def judge(sample):",
        "    judged.append(sample)",
        "    return Observation(met=len(judged) == 1 or 1 / 0, observed='once', required='once')",
        "check = Check('the check of a step', 'web', judge)",
        call,
    )
    imported = swapped("steps/web.py", "checks import At, looked", "checks import At, Check, Observation, looked")
    return imported, step("it is so once", *lines), ending("And it is so once")


# fmt: off
HISTORIES = (
    Mutant("always is not from time to time", "It was down in between.", NOT_RECOVERED,
           "required a healthy answer all the time", ending("And the service always answers")),
    Mutant("bound does not come", "It is waited for.", INVALID, "required a healthy answer within 1 s",
           feature(*GOOD[:3], "And within 1 second the service goes on", *GOOD[3:])),
    Mutant("bound is no criterion", "It alone says what well is.", INVALID, "no success criterion was looked at",
           feature(*GOOD[:-1], "Then within 20 seconds the service goes on")),
    Mutant("check crashes at a later sample", "It was waited for.", INVALID, ONCE,
           *crashing("drill.eventually(check, within=20)")),
    Mutant("check of all samples crashes at a later one", "It was not waited for.", INVALID, ONCE,
           *crashing("drill.always(check)")),
    Mutant("window broke afterwards", "It held for its second.", NOT_RECOVERED,
           "did not stay so to the end of the criteria", added(FIX, DOWN_AGAIN),
           feature(*GOOD[:4], "Then the service is up for 1 second", tags="@rto:10s")),
)
# fmt: on
