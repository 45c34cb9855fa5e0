"""The time limits of plays, undos and the baseline, by the names of their tags.

The rule: it imports nothing. Each pytest in whose environment Drillbook is installed reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PLAY, UNDO, BASELINE = "play-timeout", "undo-timeout", "baseline-timeout"
DEFAULTS_S: Mapping[str, float] = MappingProxyType({PLAY: 600.0, UNDO: 300.0, BASELINE: 60.0})
"""The default of each limit, in seconds."""
