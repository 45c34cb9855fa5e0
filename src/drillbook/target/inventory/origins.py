"""Where a value of an inventory was written, according to Ansible's own tags.

The rule: an error names the innermost part that has a place. A value from a script has no place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.errors import Place


def origin_of(entry: Mapping[str, Any], path: str) -> Place | None:
    """The place of the innermost part of `path` ("a.b.0") that has one. `entry`: the resolved form of one variable."""
    origins: Mapping[str, str] = entry.get("origins", {})
    keys = path.split(".")
    written = next((origins[each] for n in range(len(keys), 0, -1) if (each := ".".join(keys[:n])) in origins), None)
    return None if written is None else _place(written)


def _place(written: str) -> Place:
    """The place in `FILE:LINE`, or in `FILE` alone."""
    file, _, line = written.rpartition(":")
    return Place(file, int(line)) if file and line.isdecimal() else Place(written)
