"""What is left of a value that is no longer kept: what checks have read of it, by its path.

The rule: who asks for more than that could not look. It is never taken for a value that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from drillbook.errors import CouldNotLookError


class Remembered:
    """Stands for the value of a look. Every use of it but `at` raises CouldNotLookError."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def at(self, path: str) -> object:
        """What was read at this path. Raises CouldNotLookError when nobody had read it before the value went."""
        if path not in self._values:
            self._gone()
        return self._values[path]

    def _gone(self, *_: object) -> NoReturn:
        raise CouldNotLookError(
            "what this look saw is no longer kept, since the endpoint says too much: read it in an earlier step, too, "
            "or sample an endpoint that says less"
        )

    __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __eq__ = __ne__ = __hash__ = _gone
    __lt__ = __le__ = __gt__ = __ge__ = __str__ = __getattr__ = _gone
