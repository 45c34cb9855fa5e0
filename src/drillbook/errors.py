"""The errors that Drillbook raises. Each says what failed, where, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CouldNotLookError",
    "DrillbookError",
    "GuardError",
    "InventoryError",
    "JournalError",
    "Place",
    "PlaybookError",
]


@dataclass(frozen=True, slots=True)
class Place:
    """A file of the user, and the line in it; None when only the file is known."""

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


class DrillbookError(Exception):
    """Something that the user can put right. The message is one or two plain sentences; nobody needs a traceback."""


class InventoryError(DrillbookError):
    """The inventory does not say what the drill needs, or Ansible cannot read it.

    `place` is the file and line, when known. The sentence names it as well.
    """

    def __init__(self, sentence: str, place: Place | None = None) -> None:
        super().__init__(sentence)
        self.place = place


class NoEnvironmentError(InventoryError):
    """The inventory does not name its environment, so no drill may run against it."""


class PlaybookError(DrillbookError):
    """A playbook could not be run at all (missing file, no Ansible); a *failed* play is a result, not an error."""


class JournalError(DrillbookError):
    """The undo journal cannot be read or written; no fault may happen."""


class EvidenceError(DrillbookError):
    """Evidence could not be written. The drill has acted, but no evidence shows it."""


class GuardError(DrillbookError):
    """The drill is not allowed to run here or now."""


class CouldNotLookError(DrillbookError):
    """A check could not look (it crashed, timed out, or had nothing to look at).

    Its result is unknown, never a pass.
    """
