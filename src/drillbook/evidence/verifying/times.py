"""Judges the moments that evidence states, against each other and against the reader's clock.

The rule: a clock may be wrong by the skew that the reader allows. Beyond that, an impossible order is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from drillbook.evidence.verifying.envelopes import ShapeError
from drillbook.evidence.verifying.findings import Code, Findings, said
from drillbook.evidence.verifying.trust import moment

DEFAULT_SKEW_S = 300.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The reader's moment, and how wrong the writers' clocks may be."""

    now: datetime
    skew_s: float = DEFAULT_SKEW_S

    @property
    def skew(self) -> timedelta:
        return timedelta(seconds=self.skew_s)

    def not_in_future(self, at: datetime, where: str, what: str, findings: Findings) -> None:
        """Report a moment that lies in the future."""
        if at > self.now + self.skew:
            sentence = f"{what} says that it is of {at:%Y-%m-%dT%H:%M:%SZ}, and it is {self.now:%Y-%m-%dT%H:%M:%SZ} now"
            findings.add(Code.E_FUTURE, where, sentence)

    def in_order(self, first: datetime, then: datetime, where: str, sentence: str, findings: Findings) -> None:
        """Report a moment that is later than one that must follow it."""
        if first > then + self.skew:
            findings.add(Code.E_TIME_ORDER, where, sentence)


def moment_of(fields: Mapping[str, Any], name: str) -> datetime:
    """A field with a time. Raises ShapeError."""
    found = moment(fields.get(name))
    if found is None:
        raise ShapeError(f"{name} is {said(fields.get(name))}, not a time in UTC as 2026-11-30T00:00:00Z")
    return found
