"""Reads a decision table (`decisions/rollback.yml`) strictly: an error is one sentence with file and line.

The rule: no word of a table is ignored. An unknown key, metric or unit, a rule that can never fire, and a table without
a rule for everything else are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from drillbook.errors import DrillbookError
from drillbook.model.decisions import conditions
from drillbook.model.decisions.conditions import ConditionError, Metric, Unit, Value
from drillbook.model.decisions.table import Action, Rule, Severity, Table, unreachable
from drillbook.model.times.durations import parse_duration
from drillbook.target.ansible.yaml_lines import Lined, UnreadableError, load

FILE = "decisions/rollback.yml"
OWN = "Drillbook's own table"
"""The name of the package's own table, for a repository that has none."""
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_METRIC = re.compile(r"[a-z][a-z0-9_]*")
_RULE_KEYS = ("id", "when", "severity", "decision", "within", "source", "advice")
_Word = TypeVar("_Word", Unit, Severity, Action)


def table_of(root: Path) -> Table:
    """The table of a drill repository: its `decisions/rollback.yml`, or the package's own. Raises DrillbookError."""
    path = root / FILE
    return read(path, FILE) if path.is_file() else own()


def own() -> Table:
    """The table that comes with Drillbook."""
    return parse(own_text(), OWN)


def own_text() -> str:
    """Its text, as a start for a table of your own."""
    return (files("drillbook.repository") / "rollback.yml").read_text(encoding="utf-8")


def read(path: Path, name: str | None = None) -> Table:
    """The table in a file. Raises DrillbookError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise DrillbookError(f"{name or path}: the decision table cannot be read: {reason}") from error
    return parse(text, name or str(path))


def parse(text: str, name: str) -> Table:
    """The table in a text named `name`. Raises DrillbookError."""
    try:
        content = load(text)
    except UnreadableError as error:
        raise DrillbookError(f"{name}:{error.line}: this is no YAML: {error}") from error
    return _Reader(name).table(content)


class _Reader:
    """One table, key by key."""

    def __init__(self, name: str) -> None:
        self._name = name

    def table(self, content: object) -> Table:
        top = self._mapping(content, 1, "a decision table", ("metrics", "rules"))
        metrics = self._metrics(top)
        listed = top.get("rules")
        if not isinstance(listed, list) or not listed:
            self._refuse(top.lines.get("rules", 1), "'rules' has to be a list with one rule at least")
        rules = tuple(self._rule(each, metrics, top.lines["rules"]) for each in listed)
        seen: dict[str, int] = {}
        for rule in rules:
            if rule.id in seen:
                self._refuse(rule.line, f"there are two rules '{rule.id}': the other one is in line {seen[rule.id]}")
            seen[rule.id] = rule.line
        if rules[-1].when:
            self._refuse(rules[-1].line, "the last rule has to be one without 'when': it is for everything else")
        for rule in unreachable(rules):
            self._refuse(
                rule.line,
                f"the rule '{rule.id}' can never fire: its conditions, or the rules above it, leave it nothing",
            )
        return Table(self._name, metrics, rules)

    def _metrics(self, top: Lined) -> dict[str, Metric]:
        stated = top.get("metrics")
        if not isinstance(stated, Lined) or not stated:
            self._refuse(top.lines.get("metrics", 1), "'metrics' has to name the metrics that the rules ask for")
        return {name: self._metric(name, each, stated.lines[name]) for name, each in stated.items()}

    def _metric(self, name: str, content: object, line: int) -> Metric:
        if not _METRIC.fullmatch(name):
            self._refuse(line, f"'{name}' is no name of a metric: write it as error_rate is written")
        node = self._mapping(content, line, f"the metric '{name}'", ("unit", "assumed"))
        unit = self._word(node, "unit", Unit, line)
        metric = Metric(name, unit)
        if "assumed" not in node:
            return metric
        given: Value = node["assumed"]
        try:
            return Metric(name, unit, conditions.checked(metric, given))
        except ConditionError as error:
            self._refuse(node.lines["assumed"], str(error))

    def _rule(self, content: object, metrics: Mapping[str, Metric], above: int) -> Rule:
        node = self._mapping(content, above, "a rule", _RULE_KEYS)
        name = self._text(node, "id")
        if not _ID.fullmatch(name):
            self._refuse(node.lines["id"], f"'{name}' is no id of a rule: write it as api-down is written")
        when = node.get("when", [])
        if not isinstance(when, list) or ("when" in node and not when):
            self._refuse(node.lines["when"], "'when' has to be a list of conditions; all of them have to hold")
        found = []
        for text in when:
            try:
                found.append(conditions.condition(str(text), metrics))
            except ConditionError as error:
                self._refuse(node.lines["when"], f"in the rule '{name}' {error}")
        return Rule(
            id=name,
            when=tuple(found),
            severity=self._word(node, "severity", Severity, node.line),
            decision=self._word(node, "decision", Action, node.line),
            source=self._text(node, "source"),
            within_s=self._duration(node, "within"),
            advice=self._text(node, "advice") if "advice" in node else "",
            line=node.line,
        )

    def _duration(self, node: Lined, key: str) -> float | None:
        if key not in node:
            return None
        try:
            seconds = parse_duration(str(node[key]))
        except ValueError as error:
            self._refuse(node.lines[key], str(error))
        if seconds <= 0:
            self._refuse(node.lines[key], f"'{key}' has to be longer than 0 s")
        return seconds

    def _word(self, node: Lined, key: str, words: type[_Word], line: int) -> _Word:
        text = self._text(node, key)
        if text not in set(words):
            self._refuse(node.lines.get(key, line), f"'{key}' is '{text}', and has to be one of: {'; '.join(words)}")
        return words(text)

    def _text(self, node: Lined, key: str) -> str:
        value = node.get(key)
        if not isinstance(value, str) or not value.strip():
            self._refuse(node.lines.get(key, node.line), f"'{key}' is missing, or is no text")
        return value

    def _mapping(self, content: object, line: int, what: str, keys: tuple[str, ...]) -> Lined:
        if not isinstance(content, Lined):
            self._refuse(line, f"{what} has to be a mapping with the keys {', '.join(keys)}")
        for key in content:
            if key not in keys:
                self._refuse(content.lines[key], f"{what} has no key '{key}': known are {', '.join(keys)}")
        return content

    def _refuse(self, line: int, sentence: str) -> NoReturn:
        raise DrillbookError(f"{self._name}:{line}: {sentence}.")


def given(words: list[str], table: Table) -> dict[str, Any]:
    """Metrics as a person gives them, `error_rate=12`. Raises DrillbookError."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise DrillbookError(f"'{word}' is no metric: write METRIC=VALUE, like error_rate=12")
        if name in found:
            raise DrillbookError(f"{name} is given twice")
        try:
            found[name] = conditions.value(conditions.known(name, table.metrics), text.strip())
        except ConditionError as error:
            raise DrillbookError(f"{error}.") from error
    return found
