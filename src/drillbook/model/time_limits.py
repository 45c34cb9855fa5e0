"""How long a play, an undo and the look at the baseline may take: `@play-timeout:4h`, `drillbook_undo_timeout = 1h`.

The rule: a tag wins over the ini, and the ini over the default. Unless a tag sets the limit, a play or an undo may take
at least as long as the RTO.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drillbook.model.tags import tag_values
from drillbook.model.times.default_limits import BASELINE, DEFAULTS_S, PLAY, UNDO
from drillbook.model.times.durations import parse_duration


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Limits in seconds: of a play, of an undo, and until the baseline holds again."""

    play_s: float = DEFAULTS_S[PLAY]
    undo_s: float = DEFAULTS_S[UNDO]
    baseline_s: float = DEFAULTS_S[BASELINE]

    @classmethod
    def of(
        cls, tags: Iterable[str], rto_s: float | None = None, of_ini: Mapping[str, float] = MappingProxyType({})
    ) -> TimeLimits:
        """The limits of a scenario; collection has refused wrong tags.

        `of_ini` holds seconds by the names of the tags.
        """
        tags = tuple(tags)

        def limit(name: str, least_s: float) -> float:
            tagged = tag_values(tags, name)
            return parse_duration(tagged[0]) if tagged else max(of_ini.get(name, DEFAULTS_S[name]), least_s)

        return cls(limit(PLAY, rto_s or 0.0), limit(UNDO, rto_s or 0.0), limit(BASELINE, 0.0))
