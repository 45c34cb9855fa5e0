"""A decision table: its rules are read from the top, and the first that fits says what to do.

The rule: a table decides by what is known. A rule that needs an unknown metric is neither skipped nor applied: then
there is no decision. A table is refused if one of its rules can never fire, or if it has no last rule for everything
else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drillbook.model.decisions.conditions import Condition, Metric, Span, Unit, Value, checked, known


class Severity(StrEnum):
    """How bad it is; NONE: nothing is."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    NONE = "none"


class Action(StrEnum):
    """What to do."""

    ROLL_BACK = "roll back now"
    QUICK_FIX = "quick fix, then roll back"
    INVESTIGATE = "investigate first, then maybe roll back"
    FEATURE_FLAG = "switch the feature off"
    HOT_FIX = "hot fix"
    MONITOR = "monitor"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Rule:
    """All of its conditions must hold; a rule without any fits everything."""

    id: str
    when: tuple[Condition, ...]
    severity: Severity
    decision: Action
    source: str
    """The clause that the rule comes from."""
    within_s: float | None = None
    """How long it may take to act; None: the table sets no limit."""
    advice: str = ""
    line: int = 0
    """Its line in the table's file."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The table's decision about these metrics, and its rule."""

    table: str
    rule: Rule
    metrics: Mapping[str, Value]
    """What was known."""
    assumed: Mapping[str, Value]
    """Metrics that nobody had measured, with the values that the table assumes."""

    def __str__(self) -> str:
        return f"{self.rule.decision}, {self.rule.severity}, by the rule {self.rule.id}"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        rule = self.rule
        return {
            "table": self.table,
            "rule": rule.id,
            "when": [each.text for each in rule.when],
            "source": rule.source,
            "severity": rule.severity.value,
            "decision": rule.decision.value,
            "within_s": rule.within_s,
            "advice": rule.advice,
            "metrics": dict(self.metrics),
            "assumed": dict(self.assumed),
        }


class UndecidedError(ValueError):
    """The unknown metric, and the rule that needs it, in one sentence."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rules in their order, and the metrics that they may use."""

    name: str
    metrics: Mapping[str, Metric]
    rules: tuple[Rule, ...]

    def decide(self, given: Mapping[str, object]) -> Decided:
        """The decision of the first rule that fits. Raises ConditionError for a wrong value, and UndecidedError."""
        values = {name: checked(known(name, self.metrics), value) for name, value in given.items()}
        assumed = {
            name: each.assumed for name, each in self.metrics.items() if each.assumed is not None and name not in values
        }
        known_now: Mapping[str, Value] = assumed | values
        for rule in self.rules:
            if any(
                not each.span.holds(known_now[each.metric.name]) for each in rule.when if each.metric.name in known_now
            ):
                continue
            unknown = [each.metric.name for each in rule.when if each.metric.name not in known_now]
            if unknown:
                raise UndecidedError(f"{unknown[0]} is not known, and the rule '{rule.id}' needs it")
            return Decided(self.name, rule, values, assumed)
        raise UndecidedError("no rule fits")  # impossible in a table that was read: its last rule fits everything


Box = Mapping[str, Span]
"""Values that fit together: a span for each metric; a metric that is not named may have any value."""


def unreachable(rules: Sequence[Rule]) -> Iterator[Rule]:
    """The rules that can never fire: their own conditions exclude each other, or rules above take all their values."""
    units = {each.metric.name: each.metric.unit for rule in rules for each in rule.when}
    above: list[Box] = []
    for rule in rules:
        box = _box(rule.when)
        left = [] if box is None else [box]
        for taken in above:
            left = [part for each in left for part in _without(each, taken, units)]
        if not left:
            yield rule
        if box is not None:
            above.append(box)


def _box(when: Iterable[Condition]) -> Box | None:
    """The values for which all conditions hold; None when there are none."""
    box: dict[str, Span] = {}
    for each in when:
        name = each.metric.name
        box[name] = box[name].meet(each.span) if name in box else each.span
        if box[name].empty:
            return None
    return box


def _without(box: Box, taken: Box, units: Mapping[str, Unit]) -> Iterator[Box]:
    """What is left of a box, as boxes that do not overlap."""
    rest, parts = dict(box), list[Box]()
    for name, span in taken.items():
        unit = units[name]
        own = rest.get(name, Span(0.0, unit.greatest))
        both = own.meet(span)
        if both.empty:
            yield box
            return
        left = (part.of_whole(whole=unit.whole) for part in own.without(span))
        parts += [{**rest, name: part} for part in left if not part.empty]
        rest[name] = both
    yield from parts
