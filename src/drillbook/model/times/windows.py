"""Reads a time series of judgements: when did something begin to hold, and for how long?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drillbook.model.times.gaps import Gap


@dataclass(frozen=True, slots=True)
class Found:
    """Where in a series a check was met.

    at_s: the moment (for a window: its begin); end_s: end of the window; uncertainty_s as in Moment.
    """

    at_s: float
    uncertainty_s: float
    end_s: float
    breaks: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample's times (monotonic) and whether it met the check. `answered`: it saw only the moment of its answer."""

    sent_s: float
    done_s: float
    met: bool
    answered: bool = True


@dataclass(slots=True)
class Window:
    """Finds the first window of `length_s` in which every sample met the check. Feed it samples in their order.

    More than `max_gap_s` between two samples breaks the window: nobody looked. Length 0 finds the first sample.
    """

    length_s: float
    max_gap_s: float
    breaks: int = 0
    gap: Gap | None = None
    """The longest time in which nobody looked."""
    broken_by: Gap | None = None
    """The longest gap that ended a run of met samples."""
    seen_s: float | None = None
    """The last moment at which somebody looked."""
    asked_before_s: float | None = None
    """When the look before the first fed one was asked.

    Nobody fed that look, so the check may have been met since then.
    """
    _begin: Judged | None = None
    _before: Judged | None = None
    _begin_uncertainty_s: float = 0.0

    @property
    def begin_s(self) -> float | None:
        """When the current window began; None when the last sample did not meet the check."""
        return None if self._begin is None else self._begin.done_s

    def feed(self, sample: Judged) -> Found | None:
        """The window, when this sample completes it."""
        before, self._before = self._before, sample
        gap = self._gap_before(sample)
        if not sample.met:
            if self._begin is not None:
                self.breaks += 1
            self._begin = None
            return None
        if self._begin is None or gap:
            self.breaks += int(gap and self._begin is not None)
            self._begin = sample
            # not earlier than the last look that showed otherwise; without a look before, not earlier than its own
            # question
            asked_s = self.asked_before_s if before is None else before.sent_s
            self._begin_uncertainty_s = sample.done_s - (sample.sent_s if asked_s is None else asked_s)
        if sample.done_s - self._begin.done_s >= self.length_s:
            return Found(self._begin.done_s, self._begin_uncertainty_s, sample.done_s, self.breaks)
        return None

    def _gap_before(self, sample: Judged) -> bool:
        """Whether nobody looked for too long before this sample."""
        seen_s, sees_s = self.seen_s, sample.done_s if sample.answered else sample.sent_s
        self.seen_s = sample.done_s if seen_s is None else max(seen_s, sample.done_s)
        if seen_s is None or sees_s - seen_s <= self.max_gap_s:
            return False
        gap = Gap(seen_s, sees_s)
        self.gap = max(self.gap or gap, gap, key=lambda each: each.seconds)
        if self._begin is not None:
            self.broken_by = max(self.broken_by or gap, gap, key=lambda each: each.seconds)
        return True


def last_recovery(samples: Iterable[Judged]) -> tuple[Judged | None, int, bool]:
    """Whether a check that was once met stayed met.

    Returns (the first sample of the last unbroken run of met ones, number of breaks, whether the last sample met it).
    """
    begin: Judged | None = None
    breaks, met = 0, False
    for sample in samples:
        if sample.met and not met:
            begin = sample
        elif met and not sample.met:
            breaks += 1
        met = sample.met
    return begin, breaks, met
