"""Where drills are run: the places of a fleet, and the one that is no lab.

The rule: a staging is there before and afterwards, and there is one of it. One pytest at a time drills it, nothing is
brought up or taken down, and none takes its place once a drill has left it broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from drillbook.commands.children import Children


class Place(Protocol):
    """What a pytest of the fleet drills."""

    @property
    def name(self) -> str: ...

    @property
    def env(self) -> Mapping[str, str]:
        """What the drills know it by, besides the environment that they inherit."""

    def up(self, children: Children) -> AbstractContextManager[None]:
        """It can be drilled while this lasts. Raises DrillbookError, StoppedError."""

    def keep_logs(self) -> None:
        """A drill on it was not proven: what would vanish with the place is kept."""


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
