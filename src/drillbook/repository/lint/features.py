"""What is wrong with scenarios: they name something missing, they do not look at something, or nobody uses
something.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.model import paths
from drillbook.model.paths import message
from drillbook.model.phases import Phase, StepKind
from drillbook.model.tags import tag_values
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.repository.lint.playbooks import imported
from drillbook.repository.plan.scenario_facts import ScenarioFacts, StepFacts

_LOOKING = {
    Phase.BASELINE: "no step of the baseline hands a check to the drill: nobody looks whether the system is healthy",
    Phase.SYMPTOMS: "no step of the symptoms hands a check to the drill: nothing shows that the incident was there",
    Phase.CRITERIA: "no step of the criteria hands a check to the drill: nothing shows that the system is well again",
}


def check(repository: Repository) -> Iterator[Finding]:
    """All findings about features and steps."""
    yield from repository.refused
    for scenario in repository.scenarios:
        if scenario.is_drill:
            yield from _drill(scenario, repository)
    yield from _unused(repository)


def _drill(scenario: ScenarioFacts, repository: Repository) -> Iterator[Finding]:
    if not tag_values(scenario.tags, "rto"):
        sentence = f"the drill '{scenario.name}' has no @rto: no recovery is too late"
        yield Finding(scenario.path, scenario.line, "no-rto", sentence, Severity.WARNING)
    yield from _self_healing(scenario, repository)
    yield from _endpoints(scenario, repository)
    for step in scenario.steps:
        yield from _step(scenario, step, repository)
    for phase, first in scenario.unlooked():
        yield Finding(scenario.path, first.line, "no-check", _LOOKING[phase])


def _self_healing(scenario: ScenarioFacts, repository: Repository) -> Iterator[Finding]:
    if "self-healing" not in scenario.tags:
        return
    names = tag_values(scenario.tags, "self-healing-off")
    if not names:
        yield Finding(
            scenario.path,
            scenario.line,
            "no-self-healing-off",
            f"'{scenario.name}' is @self-healing, and no tag @self-healing-off:NAME names the fault that switches the "
            "self-healing off: no control can show that the self-healing recovers the system",
        )
    for name in names:
        if paths.fault(name) not in repository.playbooks:
            sentence = f"@self-healing-off:{name} names a fault that is not there: no {paths.fault(name)}"
            yield Finding(scenario.path, scenario.line, "no-playbook", sentence)


def _endpoints(scenario: ScenarioFacts, repository: Repository) -> Iterator[Finding]:
    if repository.inventory is None:
        return  # an error of the inventory says it
    known = {name for name, endpoint in repository.inventory.endpoints.items() if endpoint.probe}
    named = ", ".join(sorted(known)) or "none"
    for name in tag_values(scenario.tags, "abort-when"):
        if name not in known:
            sentence = f"@abort-when:{name} names no endpoint that {repository.inventory_name} samples (there: {named})"
            yield Finding(scenario.path, scenario.line, "no-endpoint", sentence)
    for step in scenario.steps:
        for name in step.not_sampled(repository.inventory):
            sentence = (
                f"'{step.text}' looks at '{name}', which is no endpoint that {repository.inventory_name} samples "
                f"(there: {named}; {step.location})"
            )
            yield Finding(scenario.path, step.line, "no-endpoint", sentence)
        if step.cannot_submit(repository.inventory):
            sentence = f"'{step.text}' submits work, and {repository.inventory_name} has no drillbook_work"
            yield Finding(scenario.path, step.line, "no-work", sentence)


def _step(scenario: ScenarioFacts, step: StepFacts, repository: Repository) -> Iterator[Finding]:
    for intent in step.intents:
        if intent.playbook not in repository.playbooks:
            sentence = f"'{step.text}' names a {intent.kind} that is not there: no {intent.playbook}"
            yield Finding(scenario.path, step.line, "no-playbook", sentence)
    for name in step.messages:
        if message(name) not in repository.playbooks:
            sentence = f"'{step.text}' names a message that is not there: no {message(name)}"
            yield Finding(scenario.path, step.line, "no-playbook", sentence)
    if step.error is not None:
        sentence = f"'{step.text}' fails before anything is looked at: {step.error} ({step.location})"
        yield Finding(scenario.path, step.line, "step-fails", sentence)
    elif step.acts and step.uncertain is not None:
        sentence = f"'{step.text}' was not looked into, so its playbook is not known: {step.uncertain}"
        yield Finding(scenario.path, step.line, "not-looked-into", sentence, Severity.WARNING)
    elif step.does_nothing:
        sentence = f"'{step.text}' is a {step.kind} that does not call {step.missing_call} ({step.location})"
        yield Finding(scenario.path, step.line, "does-nothing", sentence)


# ------------------------------------------------------------------ what nobody uses


def _unused(repository: Repository) -> Iterator[Finding]:
    where = repository.features[0] if repository.features else "features"
    if not repository.whole or repository.refused:
        why = "a feature was refused" if repository.refused else "only some features were named"
        sentence = f"not looked at: what no scenario uses, since {why}"
        yield Finding(where, 1, "unused", sentence, Severity.NOTE)
        return
    for definition in repository.definitions:
        if not definition.used:
            sentence = f"no scenario says '{definition.sentence}'"
            yield Finding(definition.path, definition.line, "unused-step", sentence, Severity.WARNING)
    steps = [step for scenario in repository.scenarios for step in scenario.steps]
    if any(step.acts and not step.known for step in steps):
        sentence = "not looked at: faults and recoveries that no scenario uses, since some steps' are not known"
        yield Finding(where, 1, "unused", sentence, Severity.NOTE)
        return
    used = {(each.kind, each.name) for step in steps for each in step.intents}
    used |= {
        (StepKind.FAULT, name)
        for scenario in repository.scenarios
        for name in tag_values(scenario.tags, "self-healing-off")
    }
    imports = {path: imported(path, text) for path, text in repository.playbooks.items()}
    of_used = {path for path in repository.playbooks if _named_by(path) in used}
    while more := {other for path in of_used for other in imports.get(path, ())} - of_used:
        of_used |= more
    for path in repository.playbooks:
        kind, name = _named_by(path)
        if kind is not None and (kind, name) not in used and path not in of_used:
            yield Finding(path, 1, f"unused-{kind}", f"no scenario uses the {kind} '{name}'", Severity.WARNING)


def _named_by(path: str) -> tuple[StepKind | None, str]:
    """The fault or recovery that a playbook is, by its place."""
    parts = path.removesuffix(".yml").split("/")
    if path.startswith(paths.RECOVERIES) and path.endswith(".yml"):
        return StepKind.RECOVERY, "/".join(parts[2:])
    if path.startswith(paths.FAULTS) and path.endswith("/inject.yml"):
        return StepKind.FAULT, "/".join(parts[2:-1])
    return None, ""
