"""Executable recovery runbooks: a pytest plugin.

A steps module imports its words from here: `from drillbook import fault, given, parse, recovery, then`. For annotations
there are `Drill`, the type of the fixture `drill`, and `State`, the type of `{state:State}` in a sentence.

Public are this module, `drillbook.checks`, `drillbook.clients` and `drillbook.errors`, each with the names in its
`__all__`. Everything else may change without notice.

The rule: a name is loaded when it is first asked for. So `drillbook --help` imports neither pytest-bdd nor a drill.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.engine.drill import Drill
    from drillbook.repository.vocabulary import State, fault, given, parse, parse_duration, recovery, then, when

__all__ = ["Drill", "State", "fault", "given", "parse", "parse_duration", "recovery", "then", "when"]

_HOMES = {"Drill": "drillbook.engine.drill"}
_HOME = "drillbook.repository.vocabulary"


def __getattr__(name: str) -> object:
    if name in __all__:
        value: object = getattr(import_module(_HOMES.get(name, _HOME)), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
