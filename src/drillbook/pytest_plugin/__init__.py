"""pytest's hooks, nodes and reports. This is the only package that imports `_pytest`.

The rule: Python imports Drillbook's own modules, and pytest does not. pytest would read each of them through its
rewriter of assertions, which takes a tenth of the time to a drill's first step, and they hold no assertion that a user
reads. The users' own steps are rewritten (`repository/step_modules`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_OURS = f"{__name__.partition('.')[0]}."


class _PlainImport:
    """Comes before pytest's import hook."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith(_OURS) else None


sys.meta_path.insert(0, _PlainImport)
