"""Where drills run: the places of a fleet, and the one that is no lab.

The rule: a staging exists before and afterwards, and there is only one. One pytest at a time drills it. Nothing is
brought up or taken down, and nothing replaces it once a drill has left it broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from drillbook.commands.children import Children


class Place(Protocol):
    """A place that a pytest of the fleet drills."""

    @property
    def name(self) -> str: ...

    @property
    def env(self) -> Mapping[str, str]:
        """The variables by which the drills find it, besides the environment that they inherit."""

    def up(self, children: Children) -> AbstractContextManager[None]:
        """Drills may run on it during this. Raises DrillbookError, StoppedError."""

    def keep_logs(self) -> None:
        """A drill on it was not proven: keep what would vanish with the place."""


@dataclass(frozen=True, slots=True)
class Staging:
    """The environment of an inventory, which has this name."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def up(self, children: Children) -> Iterator[None]:
        """It is there already."""
        del children
        yield

    def keep_logs(self) -> None:
        """Its logs are its own."""
