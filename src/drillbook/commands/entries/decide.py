"""`drillbook decide`: what the decision table says of metrics that a person gives, or that a drill has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from drillbook.commands.entries.calls import Call, said_plainly
from drillbook.errors import DrillbookError
from drillbook.evidence.files import json_text
from drillbook.evidence.reader import read_record
from drillbook.model.decisions.conditions import ConditionError, shown
from drillbook.model.decisions.table import Decided, Table, UndecidedError
from drillbook.model.printable import printable
from drillbook.model.times.durations import duration
from drillbook.repository.decision_table import FILE, given, own_text, read, table_of

app = typer.Typer(add_completion=False)


@app.command(cls=Call)
def decide(
    metrics: Annotated[
        list[str] | None, typer.Argument(help="what is known: error_rate=12 api_up=no", metavar="METRIC=VALUE")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help=f"the decision table (default: {FILE}, else Drillbook's own)", metavar="FILE"),
    ] = None,
    drill: Annotated[
        Path | None,
        typer.Option("--from", help="the metrics of the last decision that this drill made", metavar="EVIDENCE"),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="as a JSON object")] = False,
    show: Annotated[bool, typer.Option("--show", help="print Drillbook's own table, and decide nothing")] = False,
) -> None:
    """Say how severe an incident is, what to do by when, and by which rule. Exit status 64 when it cannot."""
    if show:
        typer.echo(own_text(), nl=False)
        return
    with said_plainly():
        rules = read(table) if table is not None else table_of(_root(Path.cwd()))
        known = (_measured(drill) if drill is not None else {}) | given(metrics or [], rules)
        decided = _decided(rules, known)
    if json:
        typer.echo(json_text(decided.as_json()))
        return
    for line in _lines(decided, rules):
        typer.echo(printable(line))


def _root(here: Path) -> Path:
    """The folder here or above that has a table of its own."""
    return next((at for at in (here, *here.parents) if (at / FILE).is_file()), here)


def _decided(rules: Table, known: dict[str, Any]) -> Decided:
    if not known:
        raise DrillbookError(
            f"nothing is known: give metrics, like error_rate=12; there are {', '.join(rules.metrics)}"
        )
    try:
        return rules.decide(known)
    except (ConditionError, UndecidedError) as error:
        raise DrillbookError(f"{error}.") from error


def _measured(folder: Path) -> dict[str, Any]:
    """The metrics of the last decision before the recovery; if there was none, those of the last decision."""
    record = read_record(folder)
    if not record.decisions:
        raise DrillbookError(f"{folder}: this drill has made no decision: its scenario has no step that asks the table")
    before = [each for each in record.decisions if each.phase == "symptoms"]
    return dict((before or record.decisions)[-1].metrics)


def _lines(decided: Decided, rules: Table) -> list[str]:
    rule = decided.rule
    limit = f", within {duration(rule.within_s)}" if rule.within_s is not None else ""
    told = [
        f"severity  {rule.severity.value}",
        f"decision  {rule.decision.value}{limit}",
        *([f"advice    {rule.advice}"] if rule.advice else []),
        f"rule      {rule.id}: {' and '.join(each.text for each in rule.when) or 'everything else'}",
        f"source    {rule.source}",
        f"table     {decided.table}",
    ]
    for word, values in (("known", decided.metrics), ("assumed", decided.assumed)):
        if values:
            listed = (f"{name}={shown(rules.metrics[name], value)}" for name, value in values.items())
            told.append(f"{word:<10}{', '.join(listed)}")
    return told
