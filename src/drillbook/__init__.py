"""Executable recovery runbooks: a pytest plugin.

A steps module imports its words from here: `from drillbook import fault, given, parse, recovery, then`. Two more names
are for annotations: `Drill` is the type of the fixture `drill`, `State` that of `{state:State}` in a sentence.

This module, `drillbook.checks`, `drillbook.clients` and `drillbook.errors` are public, each with the names in its
`__all__`. Everything else may change without notice.

The rule: a name is loaded when somebody first asks for it. So `drillbook --help` imports neither pytest-bdd nor a
drill.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as `typing` does it: importing `typing` takes a fifth of the start of a small process
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
