"""The imports of a steps module: decorators that say what a step is for, and the types that a sentence may hold.

The rule: an unreadable value (`within 30 lightyears`) does not match. So collection refuses the sentence, before
anything is broken.

from drillbook import fault, given, parse, recovery, then

@fault(parse('the network between "{client}" and "{server}" is cut'))
    def network_is_cut(drill, client, server): ...

@then(parse('within {deadline:Duration} the API reports "{component}" as {state:State}'))
    def api_reports(drill, api, component, state, deadline): ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from pytest_bdd import given, parsers, step, then, when

from drillbook.model.phases import StepKind
from drillbook.model.times.durations import UNSIGNED, decimal, parse_duration

__all__ = [
    "TYPES",
    "State",
    "drill_kind_of",
    "fault",
    "given",
    "parse",
    "parse_duration",
    "recovery",
    "then",
    "when",
]
P = ParamSpec("P")
T = TypeVar("T")
Converter = Callable[[str], Any]
_KIND = "__drillbook_kind__"

# ---- kinds of step ----------------------------------------------------------------------------------------


def fault(
    name: str | parsers.StepParser,
    converters: dict[str, Callable[[str], object]] | None = None,
    target_fixture: str | None = None,
    stacklevel: int = 1,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A When step that breaks the system. Arguments as for pytest-bdd's `when`."""
    return _drill_step(StepKind.FAULT, name, converters, target_fixture, stacklevel)


def recovery(
    name: str | parsers.StepParser,
    converters: dict[str, Callable[[str], object]] | None = None,
    target_fixture: str | None = None,
    stacklevel: int = 1,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A When step that recovers the system. Arguments as for pytest-bdd's `when`."""
    return _drill_step(StepKind.RECOVERY, name, converters, target_fixture, stacklevel)


def drill_kind_of(step_func: Callable[..., object]) -> StepKind | None:
    """FAULT or RECOVERY for a function under `@fault` or `@recovery`, None for any other.

    The kind belongs to the function, whatever its other decorators: a fault breaks the system under every sentence.
    """
    kind: StepKind | None = getattr(step_func, _KIND, None)
    return kind


def _drill_step(
    kind: StepKind,
    name: str | parsers.StepParser,
    converters: dict[str, Callable[[str], object]] | None,
    target_fixture: str | None,
    stacklevel: int,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    # One frame more than pytest-bdd's own `when`: it puts the definition into the module of the caller's
    # caller.
    define = step(name, "when", converters=converters, target_fixture=target_fixture, stacklevel=stacklevel + 1)

    def decorator(func: Callable[P, T]) -> Callable[P, T]:
        known = drill_kind_of(func)
        if known not in (None, kind):
            raise ValueError(f"{func.__qualname__} is a {known} and cannot also be a {kind}: write two step functions")
        setattr(func, _KIND, kind)
        return define(func)

    return decorator


_SPOKEN_PART = rf"{UNSIGNED} (?:ms|milliseconds?|seconds?|minutes?|hours?|days?)"

# ---- types of a sentence ----------------------------------------------------------------------------------


class State(StrEnum):
    """What a health check says about a component."""

    UP = "up"
    DOWN = "down"
    DEGRADED = "degraded"


def _typed(pattern: str, convert: Converter) -> Converter:
    """A converter for the `parse` library, which reads the pattern from an attribute. No capturing groups."""

    def converter(text: str) -> Any:
        return convert(text)

    setattr(converter, "pattern", pattern)  # noqa: B010 (mypy has no attribute on functions)
    return converter


def _number(text: str) -> int | float:
    value = decimal(text)
    return float(value) if "." in text else int(value)


TYPES: Mapping[str, Converter] = {
    # '30 seconds', '500 ms', '1 hour and 30 minutes' -> seconds, float
    "Duration": _typed(rf"{_SPOKEN_PART}(?:(?: and |, | ){_SPOKEN_PART})*", parse_duration),
    # '1000', '1,000', '-3' -> int; '2.5' -> float
    "Number": _typed(rf"-?{UNSIGNED}", _number),
    # '1000', '1,000', '-3' -> int
    "Integer": _typed(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)", lambda text: int(decimal(text))),
    # '2 %', '99.9%', '2 percent' -> 0.02, a fraction of 1
    "Percent": _typed(
        rf"{UNSIGNED} ?(?:%|percent)",
        lambda text: float(decimal(re.split(r" ?(?:%|p)", text, flags=re.I)[0]) / 100),
    ),
    # 'up', 'down', 'degraded' -> State
    "State": _typed("|".join(State), lambda text: State(text.lower())),
    # '"a"', '"a" and "b"', '"a", "b" and "c"' -> ("a", "b", "c")
    "Names": _typed(r'"[^"]+"(?:, "[^"]+")*(?:,? and "[^"]+")?', lambda text: tuple(re.findall(r'"([^"]+)"', text))),
    # 'open', 'read-only' -> str
    "Word": _typed(r"[\w-]+", str),
    # any text without a double quote -> str; an untyped field between double quotes is one
    "Text": _typed(r'[^"]+', str),
}
_QUOTED_FIELD = re.compile(r'"\{(\w+)\}"')


class parse(parsers.parse):
    """pytest-bdd's `parsers.parse` with Drillbook's types (see TYPES), and one trap less.

    An untyped field between double quotes holds no double quote. With the `parse` library alone, `the service "{name}"
    is stopped` also takes `the service "api" on host "web1" is stopped`, with a name of `api" on host "web1`, and
    collides with the right sentence.
    """

    def __init__(self, name: str, extra_types: Mapping[str, Converter] | None = None, **kwargs: Any) -> None:
        super().__init__(_QUOTED_FIELD.sub(r'"{\1:Text}"', name), {**TYPES, **(extra_types or {})}, **kwargs)
        self.name = name
