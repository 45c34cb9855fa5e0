"""Checks are values: a name, a way to look, and a judgement that says what was observed and what was required.

The rule: a check that cannot look is never met, whatever it asks for. A step builds a check and hands it to the drill;
the drill waits, measures and judges.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drillbook.model.times.remembered import Remembered
from drillbook.model.times.sample import Sample

__all__ = ["MISSING", "At", "Check", "Observation", "Reading", "Sample", "dig", "happened", "looked", "number"]

HEALTHY = "an answer"
"""What is observed of a healthy endpoint that has no status."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one sample shows about one check.

    `at_s` (monotonic) is set when the sample carries a better time than its own, for example a message's arrival.
    """

    met: bool
    observed: str
    required: str
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A name, where it looks, and how a sample is judged.

    `source` is the name of an endpoint, which the prober samples all through the drill, or a function without
    arguments that looks when asked (its result becomes the sample's value). `event` names the moment in the drill's
    time-line that this check marks when it is first met ("alerted").
    """

    name: str
    source: str | Callable[[], object]
    judge: Callable[[Sample], Observation]
    event: str | None = None
    path: str | None = None
    """What it reads of a JSON answer; None: nothing, or nobody knows what."""

    def marking(self, event: str) -> Check:
        """The same check, which also marks a moment of the time-line."""
        return replace(self, event=event)


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Reading:
    """A value read off each sample of a source; its methods make the checks.

    `read` gives the value, or MISSING when this sample does not have it.
    """

    subject: str
    source: str | Callable[[], object]
    read: Callable[[Sample], object]
    unit: str = ""
    path: str | None = None
    """Where in a JSON answer the value stands, if it is read there."""

    def _check(self, required: str, met: Callable[[Any], bool]) -> Check:
        def judge(sample: Sample) -> Observation:
            if sample.error is not None:
                return Observation(met=False, observed=sample.error, required=required)
            value = self.read(sample)
            if value is MISSING:
                return Observation(
                    met=False, observed=f"no {self.subject} in the answer{_kind_of(sample)}", required=required
                )
            try:
                fits = met(value)
            except TypeError:
                fits = False
            # a coroutine that nobody awaits and a method that nobody calls are true for Python
            fits = fits if callable(fits) or inspect.isawaitable(fits) else bool(fits)
            return Observation(fits, self._show(value), required)

        return Check(f"{self.subject} {required}", self.source, judge, path=self.path)

    def _show(self, value: object) -> str:
        text = f"{value:.2f}" if isinstance(value, float) else str(value)
        return f"{text} {self.unit}".strip()

    def is_(self, wanted: object) -> Check:
        """The value equals `wanted`. A truth value equals no number, although Python takes it for 0 or 1."""
        truth = isinstance(wanted, bool)
        return self._check(
            f"is {self._show(wanted)}", lambda value: value == wanted and isinstance(value, bool) is truth
        )

    def is_not(self, unwanted: object) -> Check:
        """There is a value and it is another one."""
        return self._check(f"is not {self._show(unwanted)}", lambda value: value is not None and value != unwanted)

    def at_most(self, limit: float) -> Check:
        """A number not above `limit`."""
        return self._check(f"is at most {self._show(limit)}", lambda value: number(value) <= limit)

    def at_least(self, limit: float) -> Check:
        """A number not below `limit`."""
        return self._check(f"is at least {self._show(limit)}", lambda value: number(value) >= limit)

    def within(self, tolerance: float, of: float) -> Check:
        """A number within a ratio `tolerance` (0.1 is 10 %) of `of`."""
        low, high = sorted((of * (1 - tolerance), of * (1 + tolerance)))
        return self._check(
            f"is {self._show(of)} ± {tolerance:.0%}".replace("%", " %"), lambda value: low <= number(value) <= high
        )

    def contains(self, part: str) -> Check:
        """A text or collection that contains `part`."""
        return self._check(f"contains {part!r}", lambda value: part in value)

    def satisfies(self, required: str, met: Callable[[Any], bool]) -> Check:
        """Any other condition, with its own words for what is required."""
        return self._check(required, met)


@dataclass(frozen=True, slots=True)
class At:
    """Checks on an endpoint of the inventory, by its name."""

    endpoint: str
    subject: str = ""

    @property
    def _who(self) -> str:
        return self.subject or self.endpoint

    def answers(self) -> Check:
        """The endpoint answers as a healthy one does."""
        return Check(
            f"{self._who} answers",
            self.endpoint,
            lambda sample: Observation(
                sample.ok,
                sample.error or (f"status {sample.status}" if sample.status is not None else HEALTHY),
                "a healthy answer",
            ),
        )

    def silent(self) -> Check:
        """The endpoint gives no healthy answer: the symptom of an outage."""
        return Check(
            f"{self._who} does not answer",
            self.endpoint,
            lambda sample: Observation(
                not sample.ok,
                sample.error or (f"status {sample.status}" if sample.status is not None else "a healthy answer"),
                "no healthy answer",
            ),
        )

    def status(self) -> Reading:
        """The HTTP status code."""
        return Reading(
            f"{self._who} status", self.endpoint, lambda sample: MISSING if sample.status is None else sample.status
        )

    def latency(self) -> Reading:
        """The time to answer, in milliseconds, of samples that were answered well."""
        return Reading(
            f"{self._who} latency",
            self.endpoint,
            lambda sample: sample.latency_ms if sample.ok else MISSING,
            "ms",
        )

    def json(self, path: str, subject: str = "", unit: str = "", factor: float = 1) -> Reading:
        """A member of the JSON answer, by its dotted path (`components.redis.status`, `items.0.id`).

        `factor` turns a number into the unit that people read (1e-6 for bytes to MB).
        """

        def read(sample: Sample) -> object:
            value = dig(sample.value, path)
            if factor == 1 or isinstance(value, bool) or not isinstance(value, (int, float)):
                return value
            return value * factor

        return Reading(subject or f"{self._who} {path}", self.endpoint, read, unit, path)


def _kind_of(sample: Sample) -> str:
    """What answer it was: a login page has a status, too, and is no JSON."""
    status = "" if sample.status is None else f"status {sample.status}"
    told = ", ".join(filter(None, (status, sample.form)))
    return f" ({told})" if told else ""


def number(value: Any) -> Any:
    """The value, to be compared with a bound. Raises TypeError for a truth value: Python orders these like 0 and 1."""
    if isinstance(value, bool):
        raise TypeError
    return value


def dig(value: object, path: str) -> object:
    """Follow a dotted path through mappings and sequences; MISSING where it ends early.

    Raises CouldNotLookError for a value that is no longer kept, and of which nobody read this before.
    """
    if isinstance(value, Remembered):
        return value.at(path)
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def looked(subject: str, look: Callable[[], object], unit: str = "") -> Reading:
    """A reading of whatever a function finds when asked (testinfra, SQL, a message box): not sampled in advance."""
    return Reading(subject, look, lambda sample: sample.value, unit)


def happened(subject: str, look: Callable[[], Sequence[float]]) -> Check:
    """Something happened at least once; `look` gives the instants (monotonic), and the first of them is the moment."""

    def judge(sample: Sample) -> Observation:
        if not isinstance(sample.value, Sequence):
            return Observation(met=False, observed=sample.error or "nothing", required="at least once")
        times = len(sample.value)
        return Observation(times > 0, f"{times} times", "at least once", min(sample.value, default=None))

    return Check(subject, look, judge)
