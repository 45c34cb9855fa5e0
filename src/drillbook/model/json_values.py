"""The value that a diagnosis step saw, in a form that the record can hold.

The rule: an observation is shown and kept, and is never a check. It has no requirement, so nothing passes by it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from drillbook.errors import DrillbookError


def json_value(subject: str, value: object) -> Any:
    """A copy of the value that holds only JSON: texts, numbers, true, false, none, lists and mappings of these.

    Raises DrillbookError for anything else: Python's text for such an object is no observation.
    """
    match value:
        case Enum():
            return json_value(subject, value.value)
        case str() | bool() | int() | None:
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [json_value(subject, each) for each in value]
        case Mapping() if all(isinstance(name, str) for name in value):
            return {str(name): json_value(subject, each) for name, each in value.items()}
        case Mapping():
            what = "a mapping whose names are not all texts"
        case float():
            what = f"{value}, which JSON does not have"
        case _:
            what = f"a {type(value).__name__}"
    raise DrillbookError(
        f"the observation of {subject!r} holds {what}: hand over texts, numbers, true, false, none, "
        "or lists and mappings of these"
    )


LONGEST_VALUE = 160
"""Characters of an observed value on the terminal; the record holds the whole value."""


def observed_value(value: object, unit: str) -> str:
    """`value unit` in one line; a long value is cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    if len(text) > LONGEST_VALUE:
        text = f"{text[:LONGEST_VALUE]}..."
    return f"{text} {unit}".rstrip()
