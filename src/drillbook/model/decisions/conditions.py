"""Conditions over named metrics: `error_rate > 10 %`, `api_up is no`. A condition is a range of one metric.

The rule: a condition holds only a metric, a comparison and a number with its unit. Because conditions are ranges,
Drillbook can also compute which values remain when other conditions have taken theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

Value = float | bool
"""The value of a metric: a number, or for `yes/no` true or false."""


class Unit(StrEnum):
    """The unit of a metric."""

    PERCENT = "%"
    FACTOR = "x"
    """Times the baseline."""
    COUNT = "count"
    TRUTH = "yes/no"
    MILLISECONDS = "ms"
    SECONDS = "s"

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self in (Unit.COUNT, Unit.TRUTH)

    @property
    def greatest(self) -> float:
        """The greatest possible value; the least is 0."""
        return {Unit.PERCENT: 100.0, Unit.TRUTH: 1.0}.get(self, math.inf)


class ConditionError(ValueError):
    """What is wrong with a condition, or with a value, in one sentence."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number with its unit. `assumed` is its value when nobody has measured it; None: then it is unknown."""

    name: str
    unit: Unit
    assumed: Value | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The values between two bounds, without a bound that is `open`."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    @property
    def empty(self) -> bool:
        """Whether it contains no value."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def holds(self, value: Value) -> bool:
        """Whether it contains the value."""
        above = value > self.low or (value == self.low and not self.low_open)
        below = value < self.high or (value == self.high and not self.high_open)
        return above and below

    def of_whole(self, *, whole: bool) -> Span:
        """The same values; where only whole numbers count, with bounds that are values."""
        if not whole:
            return self
        low = math.floor(self.low) + 1 if self.low_open else math.ceil(self.low)
        high = self.high
        if math.isfinite(high):
            high = math.ceil(high) - 1 if self.high_open else math.floor(high)
        return Span(low, high)

    def meet(self, other: Span) -> Span:
        """The values in both."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Span(low, high, low_open, not closed)

    def without(self, other: Span) -> Iterator[Span]:
        """The values of this span outside the other: nothing, one span or two."""
        below = self.meet(replace(self, high=other.low, high_open=not other.low_open))
        above = self.meet(replace(self, low=other.high, low_open=not other.high_open))
        yield from (part for part in (below, above) if not part.empty)


@dataclass(frozen=True, slots=True)
class Condition:
    """A metric has one of these values; `text` is the table's wording."""

    metric: Metric
    span: Span
    text: str


_TRUTH = re.compile(r"(?P<name>\w+)\s+is\s+(?P<value>yes|no)")
_NUMBER = re.compile(r"(?P<name>\w+)\s*(?P<how>>=|<=|>|<)\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[%a-z]*)")
_GIVEN = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[%a-z]*)")
HOW = "write 'METRIC > NUMBER UNIT' (also >=, <, <=), or 'METRIC is yes' and 'METRIC is no'"


def condition(text: str, metrics: Mapping[str, Metric]) -> Condition:
    """Read one condition. Raises ConditionError."""
    found = _TRUTH.fullmatch(text) or _NUMBER.fullmatch(text)
    if found is None:
        raise ConditionError(f"'{text}' is no condition: {HOW}")
    metric = known(found["name"], metrics)
    if found.re is _TRUTH:
        if metric.unit is not Unit.TRUTH:
            raise ConditionError(f"'{text}': {metric.name} is counted in {metric.unit}, and is neither yes nor no")
        value = float(found["value"] == "yes")
        return Condition(metric, Span(value, value), text)
    if metric.unit is Unit.TRUTH:
        raise ConditionError(f"'{text}': {metric.name} is yes or no: write '{metric.name} is yes'")
    _refuse_unit(text, metric, found["unit"], needed=True)
    number, how = _number(text, metric, found["value"]), found["how"]
    domain = Span(0.0, metric.unit.greatest)
    if how.startswith(">"):
        span = domain.meet(Span(number, math.inf, low_open=how == ">"))
    else:
        span = domain.meet(Span(0.0, number, high_open=how == "<"))
    span = span.of_whole(whole=metric.unit.whole)
    if span.empty:
        raise ConditionError(f"'{text}' is never so")
    return Condition(metric, span, text)


def value(metric: Metric, text: str) -> Value:
    """A value as a person gives it (`12`, `12 %`, `yes`). Raises ConditionError."""
    if metric.unit is Unit.TRUTH:
        if text not in ("yes", "no"):
            raise ConditionError(f"'{metric.name}={text}': it is yes or no")
        return text == "yes"
    found = _GIVEN.fullmatch(text)
    if found is None:
        raise ConditionError(f"'{metric.name}={text}': it is a number, in {metric.unit}")
    _refuse_unit(f"{metric.name}={text}", metric, found["unit"], needed=False)
    return _number(f"{metric.name}={text}", metric, found["value"])


def checked(metric: Metric, given: object) -> Value:
    """A measured value. Raises ConditionError when it is not possible for this metric."""
    if isinstance(given, bool) != (metric.unit is Unit.TRUTH) or not isinstance(given, (bool, int, float)):
        wanted = "true or false" if metric.unit is Unit.TRUTH else f"a number, in {metric.unit}"
        raise ConditionError(f"{metric.name} is {given!r}, and has to be {wanted}")
    if not 0 <= given <= metric.unit.greatest or (metric.unit.whole and not float(given).is_integer()):
        raise ConditionError(f"{metric.name} is {given:g}, and has to be {_range(metric)}")
    return given


def known(name: str, metrics: Mapping[str, Metric]) -> Metric:
    """The metric of this name. Raises ConditionError when there is none."""
    if name not in metrics:
        raise ConditionError(f"there is no metric '{name}': known are {', '.join(metrics)}")
    return metrics[name]


def shown(metric: Metric, given: Value) -> str:
    """`12 %`, `2.5 x`, `3`, `yes`."""
    if metric.unit is Unit.TRUTH:
        return "yes" if given else "no"
    return f"{given:g}" if metric.unit is Unit.COUNT else f"{given:g} {metric.unit}"


def _refuse_unit(where: str, metric: Metric, unit: str, *, needed: bool) -> None:
    wanted = "" if metric.unit is Unit.COUNT else str(metric.unit)
    if unit != wanted and (unit or needed):
        told = f"in {wanted}" if wanted else "without a unit"
        raise ConditionError(
            f"'{where}': {metric.name} is counted {told}, not {f'in {unit}' if unit else 'without one'}"
        )


def _number(where: str, metric: Metric, text: str) -> float:
    number = float(text)
    if number > metric.unit.greatest or (metric.unit.whole and not number.is_integer()):
        raise ConditionError(f"'{where}': {metric.name} is {_range(metric)}")
    return number


def _range(metric: Metric) -> str:
    if metric.unit.whole:
        return "a whole number, 0 or more"
    return f"between 0 and {metric.unit.greatest:g} {metric.unit}" if metric.unit is Unit.PERCENT else "0 or more"
