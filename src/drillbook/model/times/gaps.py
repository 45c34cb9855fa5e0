"""Finds the times in which nobody looked: a series of looks cannot show what happened then.

The rule: a claim over a span (always, never, stayed) needs looks all over that span. A look with an answer saw the
system at the moment of the answer. A look without an answer saw, all the time, that there was none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from drillbook.model.times.sample import Sample

LONGEST_WAIT_S = 5.0
"""Seconds. A look that waits longer than this sees too little, whatever its time-out is."""
_DONE_S = attrgetter("done_s")


@dataclass(frozen=True, slots=True)
class Gap:
    """A span in which nobody looked, in monotonic seconds."""

    since_s: float
    until_s: float

    @property
    def seconds(self) -> float:
        """How long nobody looked."""
        return self.until_s - self.since_s

    def __str__(self) -> str:
        return f"nobody looked for {self.seconds:.1f} s"


def longest(gaps: Iterable[Gap]) -> Gap | None:
    """The longest of these gaps; None when there is none."""
    return max(gaps, key=lambda gap: gap.seconds, default=None)


def gaps_in(
    samples: Iterable[Sample], limit_s: float, since_s: float | None = None, until_s: float | None = None
) -> list[Gap]:
    """The gaps of more than `limit_s` between these instants (None: the first look, the last look)."""
    found: list[Gap] = []
    seen_s: float | None = since_s

    def seen_again(at_s: float) -> None:
        if seen_s is not None:
            end_s = at_s if until_s is None else min(at_s, until_s)
            if end_s - seen_s > limit_s:
                found.append(Gap(seen_s, end_s))

    for sample in sorted(samples, key=_DONE_S):  # looks that overlap are sorted by the time of asking
        seen_again(sample.sees_since_s)
        seen_s = sample.done_s if seen_s is None else max(seen_s, sample.done_s)
    if until_s is not None:
        seen_again(until_s)
    return found
