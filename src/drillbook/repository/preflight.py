"""Renders every run of every scenario of a feature, and finds all that would stop one midway.

The rule: what can be known before the first step is known before the first step. If the seventh step of a drill were
undefined, its third would break the system, and nothing would recover it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

from pytest_bdd.parser import Scenario, Step

from drillbook.model.control import STANDARD, ControlKind
from drillbook.model.phases import Phase, PlannedStep, StepKind, assign, is_drill
from drillbook.repository.feature_file import FeatureText, Problem, Row, ScenarioText
from drillbook.repository.step_definitions import Definition, Definitions

NO_VALUES = "empty"
"""The id of a row whose cells are all empty."""
_CONTROLS = re.compile(rf"(^|-)({'|'.join(STANDARD)}|{ControlKind.WITHOUT_TASK}:.*:[0-9]+)$")


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One scenario run: rendered, each step with the definition that will run it. `row_id` is None without Examples."""

    text: ScenarioText
    row: Row
    row_id: str | None
    parsed: Scenario
    definitions: tuple[Definition, ...]
    steps: tuple[PlannedStep, ...]
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class _Unmet:
    """Why no single good definition runs a step: a sentence that begins with the step's own."""

    step: Step
    reason: str
    details: tuple[str, ...] = ()

    def problem(self, row: Row | None = None) -> Problem:
        where = "" if row is None else f" (row on line {row.line})"
        message = f"'{self.step.keyword} {self.step.name}'{where} {self.reason}"
        return Problem(self.step.line_number, message, self.details)


def runs_of(text: FeatureText, definitions: Definitions) -> tuple[list[ScenarioRun], list[Problem]]:
    """The runs of all scenarios in their order, and all problems of the file, sorted by line, each once.

    With a problem the runs are incomplete: do not run them.
    """
    runs: list[ScenarioRun] = []
    problems = list(text.problems)
    for scenario in text.scenarios:
        own_runs, own_problems = _runs_of_scenario(scenario, definitions)
        runs += own_runs
        problems += own_problems
    return runs, sorted(set(problems))


def _runs_of_scenario(text: ScenarioText, definitions: Definitions) -> tuple[list[ScenarioRun], list[Problem]]:
    runs: list[ScenarioRun] = []
    problems: list[Problem] = []
    unmet: dict[int, list[tuple[Row, _Unmet]]] = {}
    ids = row_ids(text.rows) if text.is_outline else [None]
    for row, row_id in zip(text.rows, ids, strict=True):
        scenario = text.template.render(row.values)
        found: list[Definition] = []
        for step in scenario.steps:
            met = _meet(step, definitions)
            if isinstance(met, _Unmet):
                unmet.setdefault(step.line_number, []).append((row, met))
            else:
                found.append(met)
        if len(found) < len(scenario.steps):
            continue
        steps = tuple(_planned(step, definition) for step, definition in zip(scenario.steps, found, strict=True))
        phases: Sequence[Phase] = ()
        if is_drill([step.kind for step in steps]):
            phases, misplaced = assign(steps)
            problems += [Problem(each.line, each.message) for each in misplaced]
        runs.append(ScenarioRun(text, row, row_id, scenario, tuple(found), steps, tuple(phases)))
    for failing in unmet.values():
        problems += _unmet_problems(failing, text)
    return runs, problems


def row_ids(rows: Sequence[Row]) -> list[str]:
    """`eu-2` from the values of a row; `eu-2_2` when another row, or a control of one, has that name.

    Never empty, and no two are the same: a row is run, reported and counted by its id.
    """
    bases = [" ".join("-".join(row.values.values()).split()) or NO_VALUES for row in rows]
    given: list[str] = []
    for base in bases:
        others = {*given, *bases} - ({base} - {*given})
        names = chain([base], (f"{base}_{again}" for again in count(2)))
        given.append(next(each for each in names if each not in others and not _CONTROLS.search(each)))
    return given


def _meet(step: Step, definitions: Definitions) -> Definition | _Unmet:
    """The one definition for a step, or why there is none."""
    found = definitions.find(step.type, step.name)
    if not found:
        return _undefined(step, definitions)
    if len(found) > 1:
        return _Unmet(step, f"meets {len(found)} step definitions:", tuple(map(str, found)))
    reason = _unfit(step, found[0], definitions)
    return found[0] if reason is None else _Unmet(step, reason)


def _unfit(step: Step, definition: Definition, definitions: Definitions) -> str | None:
    """Why the only definition cannot run the step; None if it can."""
    if definition.is_async:
        return f"meets an async step at {definition.location}, which nobody would await: write it as a plain function"
    if definition.drill_kind and step.type != "when":
        return (
            f"is a {step.type.capitalize()}, but runs a {definition.drill_kind} ({definition.location}): "
            "say it with When"
        )
    for argument, content in (("datatable", step.datatable), ("docstring", step.docstring)):
        if content is not None and not definition.takes(argument):
            return (
                f"has a {argument} below it, which the step at {definition.location} would ignore: "
                f"it has no parameter '{argument}'"
            )
    missing = definitions.unmet_fixtures(definition, step.name)
    if missing:
        return (
            f"asks for {', '.join(map(repr, missing))} at {definition.location}: "
            "neither a field of the sentence nor a fixture has that name"
        )
    return None


def _undefined(step: Step, definitions: Definitions) -> _Unmet:
    otherwise = definitions.matching(step.name)
    if otherwise:
        known = " and ".join(sorted({str(each.step_type).capitalize() for each in otherwise}))
        reason = f"is a {step.type.capitalize()} here, but is defined as a {known}:"
        return _Unmet(step, reason, tuple(map(str, otherwise)))
    nearest = definitions.nearest(step.name)
    if nearest:
        return _Unmet(step, "is not defined; the nearest are:", tuple(map(str, nearest)))
    return _Unmet(step, "is not defined, and no sentence is similar")


def _unmet_problems(failing: Sequence[tuple[Row, _Unmet]], text: ScenarioText) -> Iterator[Problem]:
    """The problems of one step: one problem when every row fails, else one for each failing row, named by its line."""
    row, first = failing[0]
    if len(failing) == len(text.rows):
        same = all(unmet.problem() == first.problem() for _, unmet in failing)
        yield first.problem(None if same else row)
    else:
        yield from (unmet.problem(row) for row, unmet in failing)


def _planned(step: Step, definition: Definition) -> PlannedStep:
    kind = definition.drill_kind or StepKind(step.type)
    return PlannedStep(keyword=step.keyword, text=step.name, line=step.line_number, kind=kind)
