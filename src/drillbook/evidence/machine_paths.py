"""Takes this machine's paths out of what is kept: they tell readers elsewhere nothing.

The rule: below the repository a path is relative to it, below the home directory it begins with `~`. A path begins
where no path, URL or longer name goes on: also after a colon, as Ansible lists folders.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_BEGINS = r"(?:(?<![\w./~@%-])|(?<=\\n)|(?<=\\t)|(?<=\\r))"
_ENDS = r"(?![\w.~@%-])"


@lru_cache(maxsize=64)
def _places(root: str, home: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    places = [(re.compile(rf"{_BEGINS}{re.escape(root)}/(?=[\w.~{{*-])"), "")]
    places.append((re.compile(rf"{_BEGINS}{re.escape(root)}/?{_ENDS}"), "."))
    if len(Path(home).parts) > 1:
        places.append((re.compile(rf"{_BEGINS}{re.escape(home)}{_ENDS}"), "~"))
    return tuple(places)


def without_machine(text: str, root: Path | str, home: Path | str | None = None) -> str:
    """`text` without the paths of the repository at `root` and of the home directory; works for text in JSON, too."""
    root, home = str(root).rstrip("/"), str(Path.home() if home is None else home)
    if not root or (root not in text and home not in text):
        return text
    for place, instead in _places(root, home):
        text = place.sub(instead, text)
    return text
