"""Ways in which a drill could pass falsely, as values: what is wrong, how the good repository gets it, how it must end.

The tables stand beside this file, by subject; tests/drills/test_mutants*.py run them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.drills.conftest import Mini

Edit = Callable[[Mini], object]

PASSED, INVALID, NOT_RECOVERED = "PASSED", "INVALID", "NOT_RECOVERED"
NOT_RESTORED, ABORTED, BETRAYED = "NOT_RESTORED", "ABORTED", "BETRAYED"
REFUSED = "refused when it is collected"
SILENT = "nothing ran, and nothing says that it passed"
STATUS = {NOT_RECOVERED: {1}, INVALID: {11}, NOT_RESTORED: {12}, ABORTED: {13}, REFUSED: {2}, SILENT: {0, 4, 5}}
STATUS |= {BETRAYED: {14}}

GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 20 seconds the service is down",
    'When the recovery playbook "fix" is run',
    "Then within 20 seconds the service is up",
)


@dataclass(frozen=True, slots=True, init=False)
class Mutant:
    """One way. `why` is a pattern that pytest's output has to match: the reason must name what is wrong."""

    name: str
    wrong: str
    ends: str
    why: str
    edits: tuple[Edit, ...]
    args: tuple[str, ...]
    broken: bool
    """The service is broken at the end, as it was before the drill."""
    alone: bool
    """It has a session of its own; shared.py says which may share one."""
    proves: bool
    """`drillbook prove` is what could say that it is proven, and not pytest."""

    def __init__(
        self,
        name: str,
        wrong: str,
        ends: str,
        why: str,
        *edits: Edit,
        args: tuple[str, ...] = (),
        broken: bool = False,
        alone: bool = False,
        proves: bool = False,
    ) -> None:
        values = (name, wrong, ends, why, edits, args, broken, alone or proves, proves)
        for field, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, field, value)


def feature(*steps: str, tags: str = "@rto:1m", name: str = "It breaks") -> Edit:
    """The one feature, with these steps."""
    return lambda mini: mini.feature(*steps, tags=tags, name=name)


def tagged(tags: str) -> Edit:
    """The good feature with these tags."""
    return feature(*GOOD, tags=tags)


def ending(*steps: str, tags: str = "@rto:1m") -> Edit:
    """The good feature with further steps at its end."""
    return feature(*GOOD, *steps, tags=tags)


IMPORTED = "checks import At, Check, Observation, looked\n"


def body(function: str, *lines: str) -> Edit:
    """Another body for one step of steps/web.py."""

    def edit(mini: Mini) -> None:
        path = mini.root / "steps/web.py"
        new = "".join(f"    {line}\n" for line in lines)
        text, count = re.subn(
            rf"(?m)(^def {function}\(.*\n)(    .*\n)+", lambda found: found[1] + new, path.read_text()
        )
        assert count == 1, function
        text = text.replace("checks import At, looked\n", IMPORTED)
        assert IMPORTED in text, "the small repository's steps import something else now"
        path.write_text(text)

    return edit


def step(sentence: str, *lines: str, kind: str = "then") -> Edit:
    """One step more in steps/web.py; its body may use `drill`."""
    code = "".join(f"    {line}\n" for line in lines)
    return added("steps/web.py", f"\n\n@{kind}({sentence!r})\ndef one_more(drill):\n{code}")


def added(path: str, text: str) -> Edit:
    """Text at the end of a file, which may be new."""

    def edit(mini: Mini) -> None:
        with (mini.root / path).open("a") as file:
            file.write(text)

    return edit


def conftest(text: str) -> Edit:
    """A conftest.py at the root of the repository."""
    return added("conftest.py", f"import pytest\n\n\n{text}\n")


def swapped(path: str, old: str, new: str) -> Edit:
    """Other text in a file."""
    return lambda mini: mini.replace(path, old, new)


def gone(path: str) -> Edit:
    """A file less."""
    return lambda mini: (mini.root / path).unlink()
