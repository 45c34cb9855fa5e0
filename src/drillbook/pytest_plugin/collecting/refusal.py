"""Why collection refuses a feature, as a value and as the text that pytest shows.

The rule: every problem keeps its place. Lint reads the problems from the error itself, not from its text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from drillbook.repository.feature_file import Problem
from drillbook.repository.step_modules import UnloadedModule


@dataclass(frozen=True, slots=True)
class PlacedProblem:
    """A problem with its place; `path` is relative to the rootdir where it lies below it."""

    path: str
    line: int
    sentence: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.path}:{self.line}: {self.sentence}", *(f"    {each}" for each in self.details)])


class FeatureRefused(pytest.Collector.CollectError):
    """Nothing of this feature runs."""

    def __init__(self, text: str, problems: tuple[PlacedProblem, ...]) -> None:
        super().__init__(text)
        self.problems = problems

    @classmethod
    def of(cls, path: str, problems: Iterable[Problem]) -> FeatureRefused:
        """For errors in the feature itself."""
        placed = tuple(PlacedProblem(path, each.line, each.message, tuple(each.details)) for each in problems)
        return cls("\n".join(map(str, placed)), placed)

    @classmethod
    def of_modules(cls, unloaded: Iterable[UnloadedModule]) -> FeatureRefused:
        """For step modules that could not be imported."""
        placed = tuple(PlacedProblem(each.path, each.line, each.sentence) for each in unloaded)
        return cls("\n".join(map(str, placed)), placed)

    @classmethod
    def referring(cls, path: str, first: str) -> FeatureRefused:
        """For step modules whose errors the first refused feature has already shown."""
        sentence = f"not read, as step modules cannot be imported: see {first}"
        return cls(sentence, (PlacedProblem(path, 1, sentence),))
