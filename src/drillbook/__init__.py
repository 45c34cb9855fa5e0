"""Executable recovery runbooks: a pytest plugin.

A steps module imports its vocabulary from here: `from drillbook import fault, given, parse, recovery, then`.
The names are loaded when first asked for, so that `drillbook --help` does not import pytest-bdd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.repository.vocabulary import fault, given, parse, parse_duration, recovery, then, when

__all__ = ["fault", "given", "parse", "parse_duration", "recovery", "then", "when"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from drillbook.repository import vocabulary

        return getattr(vocabulary, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
