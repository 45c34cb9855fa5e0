"""How long a recovered system is watched: the windows of the verification, and their profile.

The rule: windows count as full only if they are at least as long as the source's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """The windows of one profile, in seconds, each from the start of the recovery."""

    profile: str
    full: bool
    """Whether each window is as long as in a real incident."""
    immediate_s: float
    extended_s: float
    watch_s: float
    day_s: float


FULL = Timings("full", full=True, immediate_s=300.0, extended_s=1800.0, watch_s=900.0, day_s=86_400.0)
"""5 and 30 minutes, 15 minutes and 24 hours, as the rollback plan and the recovery checklist state them."""


def shortened(timings: Timings) -> str:
    """`verified by the profile ci: windows of ..., not the full ...`; empty when they are full."""
    if timings.full:
        return ""
    parts = (("immediate", "immediate_s"), ("extended", "extended_s"), ("watch", "watch_s"), ("day", "day_s"))
    own = ", ".join(f"{name} {getattr(timings, field):g} s" for name, field in parts)
    full = ", ".join(f"{getattr(FULL, field):g} s" for _, field in parts)
    return f"verified by the profile {timings.profile}: windows {own}, not the full {full}"


def told(timings: Timings) -> str:
    """By which profile a drill was verified, also where its windows are full."""
    return shortened(timings) or f"verified by the profile {timings.profile}: its windows are full"


def long_enough(timings: Timings) -> bool:
    """Whether no window is shorter than in a real incident, whatever the profile says of itself."""
    names = ("immediate_s", "extended_s", "watch_s", "day_s")
    return all(getattr(timings, name) >= getattr(FULL, name) for name in names)
