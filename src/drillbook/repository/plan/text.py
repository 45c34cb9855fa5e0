"""What the terminal shows of a plan. A pure function of the plan, readable without colours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from drillbook.model.times.durations import duration
from drillbook.repository.plan.plan import ASKED, CheckPlan, History, PlaybookPlan, ScenarioPlan, StepPlan

_WORDS = {
    "fault": "runs",
    "undo": "undone by",
    "switch": "dead man's switch",
    "recovery": "runs",
    "communication": "tells people by",
}


def lines(plan: ScenarioPlan) -> list[str]:
    """The plan of one scenario, an empty line first."""
    return ["", *_head(plan), *_steps(plan), *_restore(plan), *_problems(plan)]


def _head(plan: ScenarioPlan) -> Iterator[str]:
    environment = f"{plan.environment} ({plan.kind})" if plan.environment else "an unknown environment"
    severity = f", {plan.severity}" if plan.severity else ""
    rto = f", RTO {duration(plan.rto_s)}" if plan.rto_s else ""
    yield f"{plan.feature}: {plan.scenario}"
    if not plan.is_drill:
        yield f"  {plan.path}:{plan.line}, an ordinary test: it has no phases, and its steps are not looked into"
        return
    yield f"  {plan.path}:{plan.line} on {environment}, inventory {plan.inventory}{severity}{rto}"
    yield f"  expected duration: {expected(plan.history)}"
    for option in plan.needs:
        yield f"  the drill needs {option}"
    for name in plan.history.unreadable:
        yield f"  could not be read: {name}"
    for fault in plan.leftovers:
        yield f"  first the fault {fault!r} is undone, which an earlier drill left open"


def expected(history: History) -> str:
    """The median and the range of what earlier drills took."""
    if not history.count:
        return "not known, no good drill of it yet"
    if history.count == 1:
        return f"{duration(history.median_s)}, as the one good drill took"
    span = f"{duration(history.shortest_s)} to {duration(history.longest_s)}"
    return f"{duration(history.median_s)}, the median of {history.count} good drills ({span})"


def _steps(plan: ScenarioPlan) -> Iterator[str]:
    phase = None
    for step in plan.steps:
        if step.phase is not None and step.phase is not phase:
            phase = step.phase
            yield f"  {phase}"
        yield f"    {step.keyword} {step.text}  ({step.location})"
        yield from _step(step)


def _step(step: StepPlan) -> Iterator[str]:
    for playbook in step.playbooks:
        yield from _playbook(playbook)
    for check in step.checks:
        yield f"      looks {_check(check)}"
    for note in step.notes:
        yield f"      {note}"
    if step.unknown:
        yield f"      {step.unknown}"


def _check(check: CheckPlan) -> str:
    source = check.source if check.source == ASKED else f"[{check.source}]"
    return f"{check.how}: {check.name}  {source}"


def _playbook(playbook: PlaybookPlan) -> Iterator[str]:
    with_ = f" with {variables(playbook.variables)}" if playbook.variables and playbook.purpose != "undo" else ""
    yield f"      {_WORDS[playbook.purpose]} {playbook.playbook}{with_}"
    yield from _plays(playbook)


def _plays(playbook: PlaybookPlan) -> Iterator[str]:
    if not playbook.listed:
        yield "        its hosts and tasks are not known"
    for warning in playbook.warnings:
        yield f"        Ansible warns: {warning}"
    for play in playbook.plays:
        yield f"        {play.name} on {', '.join(play.hosts) or 'NO HOST'} ({play.pattern})"
        for task in play.tasks:
            yield f"          - {task}"
    if playbook.handlers:
        yield "        when notified"
        for handler in playbook.handlers:
            yield f"          - {handler}"


def variables(given: Mapping[str, object]) -> str:
    """`client=api, ports=[1, 2]`: text as it is, anything else as JSON."""
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, default=str)}" for name, value in given.items()
    )


def _restore(plan: ScenarioPlan) -> Iterator[str]:
    undos = [each for step in plan.steps for each in step.playbooks if each.purpose == "undo"]
    if not plan.is_drill:
        return
    yield "  restore (always)"
    for undo in reversed(undos):
        yield f"    runs {undo.playbook}"
    yield "    looks at the baseline again"
    if plan.cleanup is not None:
        yield f"    removes the drill's work with {plan.cleanup.playbook}"
        yield from _plays(plan.cleanup)


def _problems(plan: ScenarioPlan) -> Iterator[str]:
    if plan.problems:
        yield "  CANNOT BE PLANNED"
        yield from (f"    {problem}" for problem in plan.problems)
