"""The one error family: each says what failed, where, and what to do next."""

from __future__ import annotations

__all__ = [
    "CouldNotLookError",
    "DrillbookError",
    "GuardError",
    "InventoryError",
    "JournalError",
    "PlaybookError",
]


class DrillbookError(Exception):
    """Something that the user can put right: the message is one or two plain sentences, no traceback needed."""


class InventoryError(DrillbookError):
    """The inventory does not say what the drill needs, or Ansible cannot read it."""


class PlaybookError(DrillbookError):
    """A playbook could not be run at all (missing file, no Ansible); a *failed* play is a result, not an error."""


class JournalError(DrillbookError):
    """The undo journal cannot be read or written; no fault may happen."""


class GuardError(DrillbookError):
    """The drill is not allowed to run here or now."""


class CouldNotLookError(DrillbookError):
    """A check could not look (crashed, timed out, nothing to look at): unknown, never a pass."""
