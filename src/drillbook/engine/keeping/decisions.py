"""A decision table's answer about metrics that a drill has measured: as a check, and in the record.

The rule: the record keeps the last decision, whether or not the step wanted it, with the metrics and those that the
table assumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from drillbook.checks import Check, looked
from drillbook.engine.keeping.artefacts import Artefacts
from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.decisions.conditions import ConditionError
from drillbook.model.decisions.table import Action, Decided, Severity, Table, UndecidedError
from drillbook.model.record import ArtefactKind, DecisionRecord

Measure = Callable[[], Mapping[str, object]]
"""The current metrics, by their names in the table."""


class Deciding:
    """A decision that the drill waits for. `last` is the table's answer about the newest metrics."""

    def __init__(self, table: Table, measure: Measure) -> None:
        self._table, self._measure = table, measure
        self.last: Decided | None = None

    def check(self, decision: str, severity: str, rule: str | None = None) -> Check:
        """The table gives this decision; with a rule, by that rule."""
        fits = wanted(decision, severity, rule)
        return looked("the decision table", self._decide).satisfies(
            f"says {fits}",
            lambda it: (
                (it.rule.decision.value, it.rule.severity.value) == (decision, severity) and rule in (None, it.rule.id)
            ),
        )

    def _decide(self) -> Decided:
        try:
            self.last = self._table.decide(self._measure())
        except (ConditionError, UndecidedError) as error:
            raise CouldNotLookError(f"there is no decision: {error}") from error
        return self.last


def wanted(decision: str, severity: str, rule: str | None = None) -> str:
    """`roll back now, P0, by the rule api-down`. Raises DrillbookError for words that no table has."""
    if decision not in set(Action):
        raise DrillbookError(f"no table decides '{decision}': it is one of {'; '.join(Action)}")
    if severity not in set(Severity):
        raise DrillbookError(f"no table knows the severity '{severity}': it is one of {', '.join(Severity)}")
    return f"{decision}, {severity}" + (f", by the rule {rule}" if rule is not None else "")


def keep(log: DrillLog, artefacts: Artefacts, decided: Decided) -> None:
    """Write the decision into the record; the table's file takes part in the drill."""
    rule = decided.rule
    if log.step is None:
        raise DrillbookError("a decision can only be made in a step of the feature")
    artefacts.add_file(log.record, ArtefactKind.DECISIONS, decided.table)
    log.record.decisions.append(
        DecisionRecord(
            phase=log.phase,
            step=log.step.number,
            at_s=log.at(time.monotonic()),
            table=decided.table,
            rule=rule.id,
            when=[each.text for each in rule.when],
            source=rule.source,
            severity=rule.severity.value,
            decision=rule.decision.value,
            within_s=rule.within_s,
            advice=rule.advice,
            metrics=decided.metrics,
            assumed=decided.assumed,
        )
    )
    log.save()
