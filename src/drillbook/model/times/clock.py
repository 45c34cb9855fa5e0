"""Durations come from the monotonic clock; the wall clock is for display only.

On Linux `time.monotonic()` is CLOCK_MONOTONIC, which all processes of a machine share. So a time-stamp of another
process of the same host can be compared.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def wall_now() -> datetime:
    """The wall clock in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant read on both clocks.

    It turns monotonic seconds into wall time, and ignores later steps of the wall clock.
    """

    mono_s: float = field(default_factory=time.monotonic)
    wall: datetime = field(default_factory=wall_now)

    def at(self, mono_s: float) -> datetime:
        """The wall time of a monotonic instant."""
        return self.wall + timedelta(seconds=mono_s - self.mono_s)

    def since(self, mono_s: float) -> float:
        """Seconds from the anchor to the instant, to the millisecond."""
        return round(mono_s - self.mono_s, 3)
