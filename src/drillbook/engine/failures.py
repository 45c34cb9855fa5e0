"""The errors of a drill that did not prove what it should."""

from __future__ import annotations

from drillbook.errors import DrillbookError, GuardError
from drillbook.model.verdict import FindingKind


class DrillFailure(AssertionError):
    """A drill did not prove what it should. Its text says all of it, without a traceback."""

    __drillbook_sentence__ = True


class NotRestored(DrillFailure):
    """The system was not put back."""


def kind_of(error: BaseException) -> FindingKind:
    """An assertion of the user's own step looked and saw that it was not so.

    Any other error means that it could not look.
    """
    if isinstance(error, GuardError):
        return FindingKind.ABORTED
    return FindingKind.FAILED if isinstance(error, AssertionError) else FindingKind.UNKNOWN


def sentence_of(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    if isinstance(error, (AssertionError, DrillbookError)):
        return text[0] if text else "an assertion of the step failed"
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
