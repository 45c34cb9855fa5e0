"""When an alert fires and when it resolves: a pure function of what was seen and when.

A rule has three states: fine, pending (bad, but not yet for long enough) and firing. A figure that cannot be seen
changes no state.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of rules.toml."""

    name: str
    title: str
    look: str
    for_s: float
    kind: str
    threshold: Any
    detail: str | None = None
    severity: str = "critical"

    @classmethod
    def from_toml(cls, table: Mapping[str, Any]) -> "Rule":
        kinds = [kind for kind in ("is", "not", "at_least") if kind in table]
        known = {field.name for field in fields(cls)} - {"kind", "threshold"} | set(kinds)
        if len(kinds) != 1 or set(table) - known:
            raise ValueError(f"rule {table.get('name')!r}: needs one condition and no unknown key")
        rest = {key: value for key, value in table.items() if key not in kinds}
        return cls(kind=kinds[0], threshold=table[kinds[0]], **rest)

    def bad(self, value: Any) -> bool:
        if self.kind == "is":
            return bool(value == self.threshold)
        if self.kind == "not":
            return bool(value != self.threshold)
        # This is False for NaN, which Prometheus uses for "no figure".
        return bool(value >= self.threshold)


@dataclass(frozen=True, slots=True)
class Watch:
    """A rule and how long it has been bad (monotonic seconds)."""

    rule: Rule
    bad_since: float | None = None
    firing: bool = False
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An alert to send: it began to fire, or it is resolved."""

    rule: Rule
    firing: bool
    value: Any
    detail: str | None


def load() -> tuple[Watch, ...]:
    """The package's own rules; none of them fires yet."""
    text = files("drillbook_lab.listeners.alerting").joinpath("rules.toml").read_text()
    return tuple(Watch(Rule.from_toml(table)) for table in tomllib.loads(text)["rule"])


def parse_metrics(text: str) -> dict[str, float]:
    """Prometheus text as {"name": value} or {"name{label=value}": value}; NaN is left out."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            if sample.value == sample.value:
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def dig(seen: Mapping[str, Any], path: str) -> Any:
    """The value at "a.b.c", or UNKNOWN. The last part may hold dots if it has a brace."""
    head, _, rest = path.partition(".")
    if head not in seen:
        return UNKNOWN
    return seen[head] if not rest else dig(seen[head], rest) if isinstance(seen[head], Mapping) else UNKNOWN


def judge(
    watches: Sequence[Watch], seen: Mapping[str, Any], now: float
) -> tuple[tuple[Watch, ...], tuple[Change, ...]]:
    """Return the watches after this look, and the changes to send."""
    after, changes = [], []
    for watch in watches:
        rule = watch.rule
        value = dig(seen, rule.look)
        if value is UNKNOWN:
            after.append(watch)
            continue
        if not rule.bad(value):
            if watch.firing:
                changes.append(Change(rule, False, value, None))
            after.append(Watch(rule))
            continue
        found = dig(seen, rule.detail) if rule.detail else None
        detail = str(found) if found not in (None, UNKNOWN) else None
        since = now if watch.bad_since is None else watch.bad_since
        fires = watch.firing or now - since >= rule.for_s
        if fires and not watch.firing:
            changes.append(Change(rule, True, value, detail))
        after.append(replace(watch, bad_since=since, firing=fires, detail=detail))
    return tuple(after), tuple(changes)


def message(change: Change, channel: str) -> dict[str, Any]:
    """A change as a Slack incoming-webhook message."""
    state = "FIRING" if change.firing else "RESOLVED"
    text = change.detail or f"{change.rule.look} is {change.value}"
    return {
        "channel": channel,
        "username": "drillbook-lab",
        "attachments": [
            {
                "color": "danger" if change.firing else "good",
                "title": f"[{state}] {change.rule.title}",
                "text": text,
                "fallback": f"[{state}] {change.rule.title}: {text}",
                "fields": [
                    {"title": "alert", "value": change.rule.name, "short": True},
                    {"title": "status", "value": state.lower(), "short": True},
                    {"title": "severity", "value": change.rule.severity, "short": True},
                ],
            }
        ],
    }
