"""Finds destroyed data in scenarios that do not accept it, and tags that accept a loss which nothing makes.

The rule: what a drill would be refused for is an error here, by the same text of the same files.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.model.tags import ACCEPTS_DATA_LOSS, accepted_loss
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.repository.plan.scenario_facts import ScenarioFacts
from drillbook.safety.data_loss import changes, first_destroyer, refusal


def check(repository: Repository) -> Iterator[Finding]:
    """All findings about data that is destroyed."""
    for scenario in repository.scenarios:
        if scenario.is_drill:
            yield from _drill(scenario, repository)


def _drill(scenario: ScenarioFacts, repository: Repository) -> Iterator[Finding]:
    allowed = accepted_loss(scenario.tags)
    destroys = False
    for step in scenario.steps:
        for intent in step.intents:
            found = first_destroyer(repository.root, changes(intent.kind, intent.name))
            destroys |= found is not None
            if found is not None and allowed is None:
                where = f"{scenario.path}:{scenario.line}"
                sentence = refusal(found.what, scenario.name, where)
                yield Finding(found.path, found.line, "destroys-data", sentence)
    known = all(step.known for step in scenario.steps if step.acts)
    if allowed is not None and not destroys and known:
        sentence = (
            f"@{ACCEPTS_DATA_LOSS}:{allowed}: no playbook of '{scenario.name}' says that it destroys data; "
            "remove the tag, or say drillbook_destroys_data: true in the play that does"
        )
        yield Finding(scenario.path, scenario.line, "nothing-destroys", sentence, Severity.WARNING)
