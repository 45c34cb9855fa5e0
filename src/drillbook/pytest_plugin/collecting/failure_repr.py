"""How a failed scenario is shown: its steps, each with its result, and the user's own frames.

The rule: frames of pytest, pluggy and pytest-bdd are left out. An error that is a sentence is shown as that sentence,
first, without a traceback. No secret is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import _pytest
import pluggy
import pytest_bdd
from _pytest._code.code import (
    ExceptionChainRepr,
    ExceptionRepr,
    ReprEntryNative,
    ReprFileLocation,
    ReprTraceback,
    TerminalRepr,
    Traceback,
    TracebackEntry,
)

from drillbook.errors import DrillbookError
from drillbook.model.phases import PlannedStep

_MACHINERY = (
    *(Path(str(module.__file__)).parent for module in (_pytest, pluggy, pytest_bdd)),
    Path(__file__).parents[1],
)


class StepMark(StrEnum):
    """What became of a step."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "not run"


def sentence_of(error: BaseException) -> str | None:
    """The text of an error that needs no traceback: a DrillbookError, or one that has `__drillbook_sentence__`.

    The attribute may hold the sentence itself; any other value (True) means the text of the error.
    """
    marked = getattr(error, "__drillbook_sentence__", None)
    if isinstance(marked, str):
        return marked
    if marked or isinstance(error, DrillbookError):
        return str(error)
    return None


def trail(path: str, steps: Sequence[PlannedStep], marks: Sequence[StepMark]) -> str:
    """The steps of a scenario, one a line: mark, `path:line`, sentence. Ends with a newline."""
    places = [f"{path}:{step.line}" for step in steps]
    width = max(map(len, places), default=0)
    return "".join(
        f"  {mark:<7}  {place:<{width}}  {step.keyword} {step.text}\n"
        for mark, place, step in zip(marks, places, steps, strict=True)
    )


def sentence_repr(sentence: str, steps: str, path: str, line: int) -> TerminalRepr:
    """A failure that is a sentence, with the steps below it. `path` and `line` are its place in the feature."""
    text = f"{sentence}\n\n{steps}" if steps else f"{sentence}\n"
    return ExceptionChainRepr([(_native(text), ReprFileLocation(path, line, sentence), None)])


def with_trail(shown: TerminalRepr, steps: str) -> TerminalRepr:
    """The same failure with the steps above its traceback; without a traceback it stays as it is."""
    if isinstance(shown, ExceptionRepr):
        # An entry of the traceback itself: a section of its own would come last, and pytest-xdist would turn a class of
        # our own to plain text.
        first = shown.chain[0][0] if isinstance(shown, ExceptionChainRepr) else shown.reprtraceback
        first.reprentries = [ReprEntryNative([steps]), *first.reprentries]
    return shown


def without_secrets(shown: Any, redact: Callable[[str], str]) -> Any:
    """The same failure with each text in it redacted; as one text when a secret spans several of them."""
    shown = in_each_text(shown, redact)
    text = re.sub("(?m)^E +", "", str(shown))  # pytest's mark of each line of an error
    return shown if redact(text) == text else redact(text)


def in_each_text(shown: Any, change: Callable[[str], str]) -> Any:
    """Change each text in a failure of pytest's.

    It changes the failure in place: pytest builds its short summary and JUnit from these parts.
    """
    match shown:
        case str():
            return change(shown)
        case list() | tuple():
            return type(shown)(in_each_text(each, change) for each in shown)
        case TerminalRepr():
            for name, each in vars(shown).items():
                setattr(shown, name, in_each_text(each, change))
    return shown


def own_frames(traceback: Traceback) -> Traceback:
    """The frames of the user's step, and of its fixture; all frames if none is the user's."""
    return Traceback(entry for entry in traceback if not _is_machinery(entry)) or traceback


def _is_machinery(entry: TracebackEntry) -> bool:
    path = Path(entry.frame.code.raw.co_filename)
    return any(place == path or place in path.parents for place in _MACHINERY)


def _native(text: str) -> ReprTraceback:
    return ReprTraceback([ReprEntryNative([text])], None, style="native")
