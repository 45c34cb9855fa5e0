"""Checks are values. A check has a name and a way to look; it says what it observed and what it required.

The rule: a check that cannot look is never met. A step makes a check and hands it to the drill. The drill waits,
measures and judges.
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
"""The observation of a healthy endpoint that has no status."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one sample shows about one check.

    `at_s` (monotonic) is set when the event has a more exact time than the sample, for example the arrival of a
    message.
    """

    met: bool
    observed: str
    required: str
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check: a name, a source to look at, and a judgement of each sample.

    `source` is the name of an endpoint or a function without arguments. The prober samples the endpoint during the
    whole drill. The drill calls the function when the step runs, and its result is the sample's value. `event` names
    the moment ("alerted") that this check marks on the drill's time-line when it is first met.
    """

    name: str
    source: str | Callable[[], object]
    judge: Callable[[Sample], Observation]
    event: str | None = None
    path: str | None = None
    """The path that it reads in a JSON answer; None when it reads none, or the path is unknown."""

    def marking(self, event: str) -> Check:
        """The same check, which also marks a moment on the time-line."""
        return replace(self, event=event)


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that is read from each sample of a source. Its methods make the checks.

    `read` gives the value, or MISSING when this sample does not have it.
    """

    subject: str
    source: str | Callable[[], object]
    read: Callable[[Sample], object]
    unit: str = ""
    path: str | None = None
    """The path of the value in a JSON answer, if it is read there."""

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
            # Python takes a coroutine that nobody awaits, and a method that nobody calls, for true
            fits = fits if callable(fits) or inspect.isawaitable(fits) else bool(fits)
            return Observation(fits, self._show(value), required)

        return Check(f"{self.subject} {required}", self.source, judge, path=self.path)

    def _show(self, value: object) -> str:
        text = f"{value:.2f}" if isinstance(value, float) else str(value)
        return f"{text} {self.unit}".strip()

    def is_(self, wanted: object) -> Check:
        """The value equals `wanted`. True and False equal no number, although Python treats them as 1 and 0."""
        truth = isinstance(wanted, bool)
        return self._check(
            f"is {self._show(wanted)}", lambda value: value == wanted and isinstance(value, bool) is truth
        )

    def is_not(self, unwanted: object) -> Check:
        """There is a value, and it differs from `unwanted`."""
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
                sample.error or _status(sample) or (HEALTHY if sample.ok else _unhealthy(sample)),
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
                sample.error or _status(sample) or ("a healthy answer" if sample.ok else _unhealthy(sample)),
                "no healthy answer",
            ),
        )

    def status(self) -> Reading:
        """The HTTP status code."""
        return Reading(
            f"{self._who} status", self.endpoint, lambda sample: MISSING if sample.status is None else sample.status
        )

    def latency(self) -> Reading:
        """The time to answer, in milliseconds, of healthy answers."""
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


def _status(sample: Sample) -> str:
    return "" if sample.status is None else f"status {sample.status}"


def _unhealthy(sample: Sample) -> str:
    """What an answer without a status says of itself: that of a container has its state."""
    known = sample.value if isinstance(sample.value, Mapping) else {}
    said = [str(known[each]) for each in ("state", "health") if known.get(each, "none") != "none"]
    return ", ".join(said) or "an answer that is not a healthy one"


def _kind_of(sample: Sample) -> str:
    """What kind of answer it was. A login page has a status, too, but is no JSON."""
    told = ", ".join(filter(None, (_status(sample), sample.form)))
    return f" ({told})" if told else ""


def number(value: Any) -> Any:
    """The value, to be compared with a bound. Raises TypeError for True and False, which Python orders like 1 and 0."""
    if isinstance(value, bool):
        raise TypeError
    return value


def dig(value: object, path: str) -> object:
    """Follow a dotted path through mappings and sequences; MISSING when a part of it is not there.

    Raises CouldNotLookError when the series has dropped the answer and no check had read this value before.
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
    """A reading of whatever a function finds (testinfra, SQL, a message box).

    The drill calls it only when the step runs.
    """
    return Reading(subject, look, lambda sample: sample.value, unit)


def happened(subject: str, look: Callable[[], Sequence[float]]) -> Check:
    """Something happened at least once. `look` returns the instants (monotonic); the first of them counts."""

    def judge(sample: Sample) -> Observation:
        if not isinstance(sample.value, Sequence):
            return Observation(met=False, observed=sample.error or "nothing", required="at least once")
        times = len(sample.value)
        return Observation(times > 0, f"{times} times", "at least once", min(sample.value, default=None))

    return Check(subject, look, judge)
