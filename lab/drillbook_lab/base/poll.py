"""The one place that waits: with a deadline, a resolution, and the last reason why something is not yet so."""

import time
from collections.abc import Callable
from typing import TypeVar

from drillbook_lab.base.errors import LabError

T = TypeVar("T")


class NotYet(Exception):
    """What is waited for is not there yet; the text says what was seen instead."""


def until(
    look: Callable[[], T],
    *,
    what: str,
    within_s: float,
    every_s: float = 0.05,
    transient: tuple[type[Exception], ...] = (),
) -> T:
    """Return the first answer of `look` that is true.

    `look` says "not yet" by anything false (None, 0, an empty list), by NotYet or by one of the `transient` errors;
    any other error is a defect and passes through at once. After `within_s` seconds a LabError names what was waited
    for and what was seen last.
    """
    deadline = time.monotonic() + within_s
    while True:
        seen = "nothing"
        try:
            answer = look()
            if answer:
                return answer
            seen = repr(answer)
        except NotYet as error:
            seen = str(error)
        except transient as error:
            seen = f"{type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            raise LabError(f"waited {within_s:g} s for {what}; seen last: {seen}")
        time.sleep(every_s)
