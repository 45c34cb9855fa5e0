"""Checks: each met by one sample and not by its twin; nothing is met by a look that found nobody."""

from __future__ import annotations

import pytest

from drillbook.checks import MISSING, At, Check, Observation, Reading, dig, looked
from drillbook.model.times.sample import Sample
from tests.support.unit import no_answer, sample

pytestmark = pytest.mark.unit

API = At("api", "the API")
NUMBER = API.json("number", "the number", "ms")
TEXT = API.json("text")


def number(value: object) -> Sample:
    return sample({"number": value})


def text(value: object) -> Sample:
    return sample({"text": value})


READINGS = {
    "is": (TEXT.is_("up"), text("up"), text("down")),
    "is, a number": (NUMBER.is_(3), number(3.0), number(4)),
    "is, no truth value": (NUMBER.is_(0), number(0), number(False)),
    "is, one, no truth value": (NUMBER.is_(1), number(1.0), number(True)),
    "is, a truth value": (NUMBER.is_(False), number(False), number(0)),
    "is, nothing": (TEXT.is_(None), text(None), text("")),
    "is not": (TEXT.is_not("up"), text("down"), text("up")),
    "at most": (NUMBER.at_most(5), number(5), number(5.1)),
    "at least": (NUMBER.at_least(5), number(5), number(4.9)),
    "within": (NUMBER.within(0.1, 100), number(110), number(110.2)),
    "within, below": (NUMBER.within(0.1, 100), number(90), number(89.8)),
    "within, of a negative number": (NUMBER.within(0.1, -100), number(-110), number(-111)),
    "contains, a text": (TEXT.contains("err"), text("an error"), text("fine")),
    "contains, a list": (TEXT.contains("a"), text(["a", "b"]), text(["b"])),
    "satisfies": (NUMBER.satisfies("is even", lambda value: value % 2 == 0), number(2), number(3)),
    "status": (API.status().is_(200), sample(status=200), sample(status=503)),
    "status is not": (API.status().is_not(500), sample(status=200), sample(status=500)),
    "latency": (API.latency().at_most(10), sample(took=0.01), sample(took=0.02)),
}
"""(check, a sample that meets it, its twin)"""

HEALTH = {
    "answers": (API.answers(), sample(status=200), sample(status=503, ok=False)),
    "silent": (API.silent(), sample(status=503, ok=False), sample(status=200)),
    "silent, nobody there": (API.silent(), no_answer(), sample("PONG")),
}


@pytest.mark.parametrize(("check", "good", "bad"), [*READINGS.values(), *HEALTH.values()], ids=[*READINGS, *HEALTH])
def test_each_check_is_met_and_its_twin_is_not(check: Check, good: Sample, bad: Sample) -> None:
    assert check.judge(good).met
    assert not check.judge(bad).met


@pytest.mark.parametrize("check", [check for check, _, _ in READINGS.values()], ids=list(READINGS))
@pytest.mark.parametrize(
    "nothing",
    [no_answer(), no_answer("the check's own time-out"), sample({}, ok=False), sample("no JSON", ok=False)],
    ids=["refused", "timed out", "no member", "no JSON"],
)
def test_no_answer_never_meets_a_reading(check: Check, nothing: Sample) -> None:
    seen = check.judge(nothing)
    assert not seen.met
    assert seen.observed == nothing.error or seen.observed.startswith("no ")


def test_no_answer_never_is_an_answer() -> None:
    seen = API.answers().judge(no_answer("connection reset"))
    assert seen == Observation(False, "connection reset", "a healthy answer")


WRONG = [None, "5", [5], {"a": 5}, True, False, float("nan")]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    "check",
    [NUMBER.at_most(1e9), NUMBER.at_least(-1e9), NUMBER.within(1e9, 5)],
    ids=["at most", "at least", "within"],
)
def test_what_is_no_number_meets_no_bound(check: Check, wrong: object) -> None:
    assert not check.judge(number(wrong)).met


@pytest.mark.parametrize("wrong", [None, 5, 5.0, True], ids=repr)
def test_what_is_no_collection_contains_nothing(wrong: object) -> None:
    assert not TEXT.contains("a").judge(text(wrong)).met


def test_is_not_wants_a_value() -> None:
    assert not TEXT.is_not("up").judge(text(None)).met


def test_a_reading_says_what_was_observed_and_required() -> None:
    seen = NUMBER.at_most(5).judge(number(7.128))
    assert (seen.observed, seen.required) == ("7.13 ms", "is at most 5 ms")
    assert NUMBER.within(0.1, 50).judge(number(50)).required == "is 50 ms ± 10 %"
    assert TEXT.is_("up").judge(sample({})).observed == "no the API text in the answer"
    assert TEXT.is_("up").name == "the API text is up"
    assert At("redis").answers().name == "redis answers"


def test_health_says_what_came_instead() -> None:
    assert API.answers().judge(sample(status=503, ok=False)).observed == "status 503"
    assert API.answers().judge(sample("PONG")).observed == "an answer"
    assert API.silent().judge(sample("PONG")).observed == "a healthy answer"
    assert API.silent().judge(no_answer("no answer in time")).observed == "no answer in time"


def test_a_factor_turns_numbers_and_nothing_else() -> None:
    memory = At("redis").json("used", "the memory", "MB", 1e-6)
    assert memory.at_most(2).judge(sample({"used": 1_500_000})).observed == "1.50 MB"
    assert not memory.at_most(1).judge(sample({"used": 1_500_000})).met
    assert not memory.at_most(1).judge(sample({"used": "much"})).met
    assert not memory.at_most(1).judge(sample({"used": True})).met


def test_latency_counts_good_answers_only() -> None:
    assert not API.latency().at_most(10).judge(sample(ok=False, status=503, took=0.001)).met


def test_a_look_is_read_as_it_is() -> None:
    check = looked("the queue", lambda: 3, "jobs").is_(3)
    assert check.name == "the queue is 3 jobs"
    assert callable(check.source)
    assert check.judge(sample(3)).met
    assert not check.judge(sample(4)).met
    assert not check.judge(no_answer("OSError: broken")).met


def test_a_condition_that_crashes_is_no_judgement() -> None:
    crashes = Reading("it", "api", lambda sample: sample.value).satisfies("is fine", lambda value: value["x"] > 1)
    with pytest.raises(KeyError):
        crashes.judge(sample({}))


def test_a_check_may_mark_a_moment() -> None:
    check = API.answers().marking("alerted")
    assert check.event == "alerted"
    assert API.answers().event is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", 1),
        ("items.0.id", "x"),
        ("items.1.id", MISSING),
        ("items.x", MISSING),
        ("items.²", MISSING),
        ("items.-1", MISSING),
        ("a.b.c", MISSING),
        ("word.0", MISSING),
        ("", MISSING),
        ("none", None),
        ("none.x", MISSING),
    ],
)
def test_dig(path: str, found: object) -> None:
    assert dig({"a": {"b": 1}, "items": [{"id": "x"}], "word": "w", "none": None}, path) == found


def test_missing_has_a_name() -> None:
    assert repr(MISSING) == "nothing"
