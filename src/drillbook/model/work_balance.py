"""Accounts for work: what was asked for, acknowledged and done. A pure function of the history.

Source of the rule: Jepsen's total-queue checker. Only acknowledged work can be lost. An attempt without an answer may
or may not be done ("recovered" when it is done). Work that was refused, or that nobody asked for, must not appear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PREFIX_VARIABLE = "drillbook_work_prefix"
"""The playbook variable that holds the prefix of the id of each job of a drill."""


class Answered(StrEnum):
    """What became of one attempt to submit work, as its sender saw it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """No answer, a time-out, or an answer that neither accepts nor refuses."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One submission. Times are monotonic seconds; `status` is HTTP's; `detail` says why there is no answer."""

    id: str
    sent_s: float
    answered_s: float
    answered: Answered
    status: int | None = None
    detail: str | None = None
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """The balance. Id lists are sorted; `duplicated` maps an id to how often it was done."""

    attempted: int
    acknowledged: int
    refused: int
    unknown: int
    completed: int
    lost: tuple[str, ...]
    duplicated: Mapping[str, int]
    unexpected: tuple[str, ...]
    recovered: tuple[str, ...]
    answered_otherwise: Mapping[int, int] = field(default_factory=dict)
    """HTTP status -> how many of the unknown attempts were answered with it. It neither accepts nor refuses."""

    @property
    def sound(self) -> bool:
        """Work was acknowledged, none of it is lost or done twice, and nothing was done that nobody asked for.

        An account without acknowledged work proves nothing and is not sound.
        """
        return self.sound_but_for()

    def sound_but_for(self, accepted_lost: int = 0) -> bool:
        """As `sound`, for a drill whose recovery destroys data: it loses exactly this number of jobs."""
        exact = len(self.lost) == accepted_lost
        return self.acknowledged > 0 and exact and not (self.duplicated or self.unexpected)

    def __str__(self) -> str:
        """The balance in one line."""
        return (
            f"{self.acknowledged} acknowledged, {self.completed} completed, {len(self.lost)} lost, "
            f"{len(self.duplicated)} duplicated, {len(self.unexpected)} unexpected"
        )


def account(attempts: Iterable[Attempt], completed: Mapping[str, int]) -> Account:
    """Balance the attempts against the completed work (id -> how often)."""
    by_answer: dict[Answered, set[str]] = {answer: set() for answer in Answered}
    statuses: dict[str, int] = {}
    tried = 0
    for attempt in attempts:
        tried += 1
        by_answer[attempt.answered].add(attempt.id)
        if attempt.status is not None:
            statuses[attempt.id] = attempt.status
    acknowledged = by_answer[Answered.ACKNOWLEDGED]
    # the best answer counts for an id that was sent again
    unknown = by_answer[Answered.UNKNOWN] - acknowledged
    refused = by_answer[Answered.REFUSED] - acknowledged - unknown
    done = {job for job, times in completed.items() if times > 0}
    return Account(
        attempted=tried,
        acknowledged=len(acknowledged),
        refused=len(refused),
        unknown=len(unknown),
        completed=len(done),
        lost=tuple(sorted(acknowledged - done)),
        duplicated={job: times for job, times in sorted(completed.items()) if times > 1},
        unexpected=tuple(sorted(done - acknowledged - unknown)),
        recovered=tuple(sorted(done & unknown)),
        answered_otherwise=dict(sorted(Counter(statuses[job] for job in unknown if job in statuses).items())),
    )
