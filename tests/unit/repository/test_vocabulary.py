"""What a steps module imports."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from pytest_bdd.steps import step_function_context_registry

import drillbook
from drillbook.model.phases import StepKind
from drillbook.model.times.durations import parse_duration
from drillbook.repository.vocabulary import State, drill_kind_of, fault, given, parse, recovery, then, when

pytestmark = pytest.mark.unit


# ---- durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 seconds", 30), ("1 second", 1), ("1 minute", 60), ("10 minutes", 600), ("2 hours", 7200), ("1 day", 86400),
        ("500 ms", 0.5), ("1 millisecond", 0.001), ("0.1 seconds", 0.1), ("1,000 seconds", 1000), ("0 seconds", 0),
        ("10m", 600), ("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("2d", 172800), ("500ms", 0.5), ("5min", 300),
        ("1 hour and 30 minutes", 5400), ("1 hour, 2 minutes and 3 seconds", 3723), (" 10 Minutes ", 600),
    ],
)  # fmt: skip
def test_parse_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10",
        "m",
        "soon",
        "10 parsecs",
        "-5s",
        "1h30",
        "10m and",
        "5 5 s",
        "1 hourand",
        "1e3 s",
        "10 m!",
        "10,00 s",
    ],
)
def test_what_is_no_duration_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write '30 seconds'"):
        parse_duration(text)


@examples(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_whole_number_of_a_unit_is_exact(count: int, unit: str) -> None:
    unit_s = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[unit]
    assert parse_duration(f"{count}{unit}") == count * unit_s / 1000


@examples(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert str(error).startswith(f"'{text}'")


# ---- types


def values(pattern: str, sentence: str) -> dict[str, Any] | None:
    parser = parse(pattern)
    return parser.parse_arguments(sentence) if parser.is_matching(sentence) else None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Duration", "30 seconds", 30.0), ("Duration", "1 minute", 60.0), ("Duration", "500 ms", 0.5),
        ("Duration", "1 hour and 30 minutes", 5400.0), ("Duration", "1,500 milliseconds", 1.5),
        ("Number", "1000", 1000), ("Number", "1,000", 1000), ("Number", "2.5", 2.5), ("Number", "-3", -3),
        ("Integer", "1,000", 1000), ("Integer", "0", 0), ("Integer", "-1", -1),
        ("Percent", "2 %", 0.02), ("Percent", "99.9%", 0.999), ("Percent", "50 percent", 0.5),
        ("State", "up", State.UP), ("State", "down", State.DOWN), ("State", "degraded", State.DEGRADED),
        ("State", "UP", State.UP),
        ("Names", '"a"', ("a",)), ("Names", '"a" and "b"', ("a", "b")), ("Names", '"a", "b" and "c"', ("a", "b", "c")),
        ("Names", '"a", "b", and "c"', ("a", "b", "c")),
        ("Text", "a b-c", "a b-c"),
    ],
)  # fmt: skip
def test_types(kind: str, text: str, value: object) -> None:
    found = values(f"it is {{x:{kind}}} now", f"it is {text} now")
    assert found == {"x": value}
    assert found is not None
    assert type(found["x"]) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Duration", "30"), ("Duration", "30s"), ("Duration", "30 lightyears"), ("Duration", "half a minute"),
        ("Number", "ten"), ("Number", "1,00"), ("Integer", "2.5"), ("Percent", "2"), ("State", "broken"),
        ("State", "upp"), ("Names", "a"), ("Names", '"a" "b"'), ("Text", 'a"b'), ("Text", ""),
    ],
)  # fmt: skip
def test_a_value_of_another_type_does_not_match(kind: str, text: str) -> None:
    assert values(f"it is {{x:{kind}}} now", f"it is {text} now") is None


def test_an_untyped_field_between_quotes_holds_no_quote() -> None:
    pattern = 'the service "{name}" is stopped'
    assert values(pattern, 'the service "api" is stopped') == {"name": "api"}
    assert values(pattern, 'the service "api" on host "web1" is stopped') is None


def test_an_untyped_field_without_quotes_holds_any_text() -> None:
    assert values("it says {text}", 'it says "a" and "b"') == {"text": '"a" and "b"'}


def test_several_types_in_one_sentence() -> None:
    assert values(
        'within {deadline:Duration} "{name}" is {state:State} for {share:Percent} of {names:Names}',
        'within 1 minute and 30 seconds "api" is up for 99 % of "a" and "b"',
    ) == {"deadline": 90.0, "name": "api", "state": State.UP, "share": 0.99, "names": ("a", "b")}


def test_own_types_are_added_to_drillbooks() -> None:
    parser = parse("{x:Twice} for {d:Duration}", extra_types={"Twice": lambda text: int(text) * 2})
    assert parser.parse_arguments("4 for 1 second") == {"x": 8, "d": 1.0}


def test_an_unknown_type_is_an_error_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="Duratoin"):
        parse("within {x:Duratoin}")


def test_the_pattern_is_shown_as_written() -> None:
    assert parse('the "{name}" is {state:State}').name == 'the "{name}" is {state:State}'


# ---- kinds


def test_a_function_knows_its_kind() -> None:
    @fault("it breaks")
    def breaks() -> None: ...

    @recovery("it is mended")
    def mends() -> None: ...

    @given("it is there")
    @when("somebody looks")
    @then("it is seen")
    def looks() -> None: ...

    assert drill_kind_of(breaks) is StepKind.FAULT
    assert drill_kind_of(mends) is StepKind.RECOVERY
    assert drill_kind_of(looks) is None


def test_the_kind_stays_with_a_wrapped_function() -> None:
    @fault("it breaks")
    def breaks() -> None: ...

    @functools.wraps(breaks)
    def wrapper() -> None: ...

    assert drill_kind_of(wrapper) is StepKind.FAULT


def test_a_function_is_not_both_a_fault_and_a_recovery() -> None:
    with pytest.raises(ValueError, match="is a fault and cannot also be a recovery"):

        @recovery("it is mended")
        @fault("it breaks")
        def both() -> None: ...


def test_two_sentences_for_one_fault() -> None:
    @fault("it breaks")
    @fault("it falls over")
    def breaks() -> None: ...

    assert drill_kind_of(breaks) is StepKind.FAULT


def test_the_definition_is_pytest_bdds_own() -> None:
    def number(text: str) -> int:
        return int(text)

    @fault(parse("{n} things break"), converters={"n": number}, target_fixture="things")
    def breaks(n: int) -> int:
        """Breaks."""
        return n

    marker: Any = locals()["pytestbdd_stepdef_when_{n} things break"]
    context = step_function_context_registry[marker._get_wrapped_function()]
    assert (context.type, context.converters, context.target_fixture) == ("when", {"n": number}, "things")
    assert context.step_func is breaks
    assert (breaks(3), breaks.__doc__) == (3, "Breaks.")


def test_stacklevel_defines_the_step_where_the_caller_wants_it() -> None:
    def define() -> None:
        @fault("it breaks", stacklevel=2)
        def breaks() -> None: ...

    define()
    assert "pytestbdd_stepdef_when_it breaks" in locals()


def test_the_vocabulary_is_in_the_package_itself() -> None:
    from drillbook.repository import vocabulary

    for name in ("fault", "given", "parse", "parse_duration", "recovery", "then", "when"):
        assert getattr(drillbook, name) is getattr(vocabulary, name)
    with pytest.raises(AttributeError, match="no attribute 'fualt'"):
        getattr(drillbook, "fualt")  # noqa: B009
