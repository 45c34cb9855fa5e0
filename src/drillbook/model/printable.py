"""Text of a system under test, as a terminal and xdist may have it.

The rule: an answer can move no cursor, change no colour and reorder no line. What is no text (half a surrogate pair)
is shown as what it is, since it can be sent nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NOT_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with each character that a terminal would obey, or nobody can send, as its escape."""
    return _NOT_SHOWN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def printable_data(data: Any) -> Any:
    """The same of all texts in data as JSON has it."""
    match data:
        case str():
            return printable(data)
        case Mapping():
            return {printable_data(key): printable_data(value) for key, value in data.items()}
        case list() | tuple():
            return type(data)(map(printable_data, data))
    return data
