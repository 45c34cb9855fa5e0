"""Makes text from a system under test safe for a terminal and for xdist.

The rule: an answer cannot move the cursor, change a colour or reorder a line. Half a surrogate pair is shown as an
escape, because it cannot be sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NOT_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text, with an escape for each character that a terminal would obey or that cannot be sent."""
    return _NOT_SHOWN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def printable_data(data: Any) -> Any:
    """The same for all texts in JSON data."""
    match data:
        case str():
            return printable(data)
        case Mapping():
            return {printable_data(key): printable_data(value) for key, value in data.items()}
        case list() | tuple():
            return type(data)(map(printable_data, data))
    return data
