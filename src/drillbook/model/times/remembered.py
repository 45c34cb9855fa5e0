"""What is left of a dropped value: the parts that checks have read of it, by path.

The rule: a check that asks for any other part could not look. That part never counts as missing from the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from drillbook.errors import CouldNotLookError


class Remembered:
    """Stands for the value of a look. Any use but `at` raises CouldNotLookError."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def at(self, path: str) -> object:
        """The part that was read at this path.

        Raises CouldNotLookError when nobody read it before the value was dropped.
        """
        if path not in self._values:
            self._gone()
        return self._values[path]

    def _gone(self, *_: object) -> NoReturn:
        raise CouldNotLookError(
            "the answer that this look saw is no longer kept, because the endpoint's answers are too large: read it in "
            "an earlier step, too, or sample an endpoint with shorter answers"
        )

    __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __eq__ = __ne__ = __hash__ = _gone
    __lt__ = __le__ = __gt__ = __ge__ = __str__ = __getattr__ = _gone
