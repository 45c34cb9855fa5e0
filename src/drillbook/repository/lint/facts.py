"""What lint looks at, as values: features as collection planned them, step definitions, inventory, files.

The rule: everything is read once (`collect`), and judged elsewhere. Nothing touches the target: steps are executed as
for a plan, and only those that are known to be harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.repository.lint.findings import Finding
from drillbook.repository.lint.handed_over import HandedOver
from drillbook.repository.plan.scenario_facts import ScenarioFacts
from drillbook.target.inventory.inventory import Inventory


@dataclass(frozen=True, slots=True)
class DefinitionFacts:
    """A sentence of a step module of the repository."""

    path: str
    line: int
    sentence: str
    used: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """The whole repository. `whole` is False when only some features were named: others may use what these do not.

    `texts` holds the features, `runbooks` the Markdown below runbooks/, `playbooks` the YAML below playbooks/, by path.
    """

    root: Path
    features: tuple[str, ...] = ()
    refused: tuple[Finding, ...] = ()
    scenarios: tuple[ScenarioFacts, ...] = ()
    definitions: tuple[DefinitionFacts, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    runbooks: Mapping[str, str] = field(default_factory=dict)
    playbooks: Mapping[str, str] = field(default_factory=dict)
    inventory: Inventory | None = None
    inventory_name: str = ""
    inventory_problem: DrillbookError | None = None
    whole: bool = True
    handed_over: tuple[HandedOver, ...] = ()
    """The variables that steps hand to their playbooks, without secrets."""
    redact: Callable[[str], str] = str
    """Takes the secrets of the inventory out of what lint shows."""
