"""What a steps module imports: the decorators that say what a step is for, and the types that a sentence may
hold.

The rule: a value that cannot be read (`within 30 lightyears`) does not match, so the sentence is refused when
the feature is collected, before anything is broken.

    from drillbook import fault, given, parse, recovery, then

    @fault(parse('the network between "{client}" and "{server}" is cut'))
    def network_is_cut(drill, client, server): ...

    @then(parse('within {deadline:Duration} the API reports "{component}" as {state:State}'))
    def api_reports(drill, api, component, state, deadline): ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from pytest_bdd import given, parsers, step, then, when

from drillbook.phases import StepKind

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

    The kind belongs to the function, whatever other decorators it has: what breaks the system breaks it under
    every sentence.
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


# ---- durations --------------------------------------------------------------------------------------------

_UNIT_S = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip

_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_DURATION_PART = re.compile(rf"({_UNSIGNED}) ?([a-z]+)(?:,? and |, | |$|(?=\d))")
_SPOKEN_PART = rf"{_UNSIGNED} (?:ms|milliseconds?|seconds?|minutes?|hours?|days?)"


def parse_duration(text: str) -> float:
    """Seconds from `10m`, `90s`, `1h30m`, `500 ms`, `30 seconds` or `1 hour and 30 minutes`.

    Raises ValueError with a sentence that says how durations are written.
    """
    rest = text.strip().lower()
    total = Decimal(0)
    position = 0
    while position < len(rest) or not rest:
        part = _DURATION_PART.match(rest, position)
        if part is None or part[2] not in _UNIT_S:
            raise ValueError(
                f"'{text}' is not a duration: write '30 seconds', '10 minutes', '500 ms' or '2 hours' "
                "in a sentence, and '90s', '10m' or '1h30m' in a tag"
            )
        total += _decimal(part[1]) * Decimal(str(_UNIT_S[part[2]]))
        position = part.end()
    return float(total)


# ---- types of a sentence ----------------------------------------------------------------------------------


class State(StrEnum):
    """What a health check says of a component."""

    UP = "up"
    DOWN = "down"
    DEGRADED = "degraded"


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _typed(pattern: str, convert: Converter) -> Converter:
    """A converter for the `parse` library, which reads the pattern from an attribute. No capturing groups."""

    def converter(text: str) -> Any:
        return convert(text)

    setattr(converter, "pattern", pattern)  # noqa: B010 (mypy has no attribute on functions)
    return converter


def _number(text: str) -> int | float:
    value = _decimal(text)
    return float(value) if "." in text else int(value)


TYPES: Mapping[str, Converter] = {
    # '30 seconds', '500 ms', '1 hour and 30 minutes' -> seconds, float
    "Duration": _typed(rf"{_SPOKEN_PART}(?:(?: and |, | ){_SPOKEN_PART})*", parse_duration),
    # '1000', '1,000', '-3' -> int; '2.5' -> float
    "Number": _typed(rf"-?{_UNSIGNED}", _number),
    # '1000', '1,000', '-3' -> int
    "Integer": _typed(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)", lambda text: int(_decimal(text))),
    # '2 %', '99.9%', '2 percent' -> 0.02, a fraction of 1
    "Percent": _typed(
        rf"{_UNSIGNED} ?(?:%|percent)",
        lambda text: float(_decimal(re.split(r" ?(?:%|p)", text, flags=re.I)[0]) / 100),
    ),
    # 'up', 'down', 'degraded' -> State
    "State": _typed("|".join(State), lambda text: State(text.lower())),
    # '"a"', '"a" and "b"', '"a", "b" and "c"' -> ("a", "b", "c")
    "Names": _typed(r'"[^"]+"(?:, "[^"]+")*(?:,? and "[^"]+")?', lambda text: tuple(re.findall(r'"([^"]+)"', text))),
    # 'open', 'read-only' -> str
    "Word": _typed(r"[\w-]+", str),
    # any text without a double quote -> str; what an untyped field between double quotes is
    "Text": _typed(r'[^"]+', str),
}

_QUOTED_FIELD = re.compile(r'"\{(\w+)\}"')


class parse(parsers.parse):
    """pytest-bdd's `parsers.parse` with Drillbook's types (see TYPES), and one trap less.

    An untyped field between double quotes holds no double quote. With the `parse` library alone,
    `the service "{name}" is stopped` also takes `the service "api" on host "web1" is stopped`, with a name of
    `api" on host "web1`, and collides with the sentence that means it.
    """

    def __init__(self, name: str, extra_types: Mapping[str, Converter] | None = None, **kwargs: Any) -> None:
        super().__init__(_QUOTED_FIELD.sub(r'"{\1:Text}"', name), {**TYPES, **(extra_types or {})}, **kwargs)
        self.name = name
