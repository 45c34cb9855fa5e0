"""A scenario for the engine and the planner: what the feature says, and the phase of every step."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.model.control import Control
from drillbook.model.phases import Phase, PlannedStep
from drillbook.model.tags import tag_values


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, or one row of an outline, as a drill or as one of its controls.

    `tags` are as written, without `@`, of all levels (`rto`, `rto-from` and `severity` of the nearest level only).
    `feature_path` is relative to the root; `line` is the row's in an outline; `name` and `steps` are rendered. `phases`
    has one entry for each step of a drill, and is empty for an ordinary test.
    """

    feature_path: str
    line: int
    feature_name: str
    rule_name: str | None
    name: str
    description: str
    tags: frozenset[str]
    steps: tuple[PlannedStep, ...]
    phases: tuple[Phase, ...]
    control: Control | None = None
    """The control that the drill runs as; None for the drill itself."""
    repeats: bool = False
    """Whether the drill ends with its control recovery-twice."""
    text_sha256: str = ""
    """The digest of all that the feature says about this scenario. Changes elsewhere in the file leave it as it is."""

    @property
    def is_drill(self) -> bool:
        """Whether the scenario holds a fault or a recovery."""
        return bool(self.phases)

    @property
    def place(self) -> str:
        """`features/x.feature:12`, for people."""
        return f"{self.feature_path}:{self.line}"

    def tag_values(self, key: str) -> tuple[str, ...]:
        """The values of the tags `@key:value`, sorted."""
        return tag_values(self.tags, key)
