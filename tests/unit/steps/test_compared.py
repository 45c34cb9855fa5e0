"""What a sentence compares with, how long it looks, and what it writes down: no other reading, and no other jobs.

The key metrics and the failed jobs of a queue are judged by what was before. A step that asked for the past of another
reading would look like the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from steps import jobs

from tests.support.stepdrill import StepDrill
from tests.support.unit import sample
from tests.unit.steps.test_sentences import API, QUEUE, TAKEN, World, said

pytestmark = pytest.mark.unit

ANSWERS = {"api": [sample(API, status=200)], "queue": [sample(QUEUE, status=200)]}
COMPARED = {
    "the API's memory is back to its baseline within 10 %": "the API's memory",
    "within 60 seconds the queue is as deep as before, within 10 % or 20 jobs": "the queue's depth",
    "within 60 seconds the dead-letter queue holds no more jobs than before": "the dead-letter queue",
    "within 60 seconds the dead-letter queue holds 1 more job than before": "the dead-letter queue",
    "within 30 seconds 20 more jobs wait than before": "the queue's depth",
}


@pytest.mark.parametrize(("sentence", "subject"), COMPARED.items())
def test_it_is_compared_with_its_own_past(sentence: str, subject: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = said(sentence, World("well", ANSWERS, drill={"before": 5.0}), monkeypatch)
    (handed,) = drill.handed
    assert handed.check.name.startswith(subject)
    assert {reading.subject for reading in drill.compared} == {subject}


def test_the_jobs_that_workers_held_are_those_before_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "within 30 seconds every job that was acknowledged before the fault is completed, although the API "
    load = SimpleNamespace(balance=lambda until_s: until_s)
    drill = said(
        f"{sentence}cannot reach Redis", World("well", ANSWERS, drill={"before": 5.0, "load": load}), monkeypatch
    )
    assert [reading.subject for reading in drill.compared] == ["the jobs that workers hold"]
    assert drill.observed == {"jobs that workers held before the fault": "5.0 jobs"}


def test_the_error_log_is_compared_with_its_own_past(monkeypatch: pytest.MonkeyPatch) -> None:
    log = {"error log": [sample({"logs": []}, status=200)]}
    sentence = 'within 30 seconds the API\'s error log names "timeout" as the cause'
    drill = said(sentence, World("no line", log), monkeypatch)
    (handed,), (compared,) = drill.handed, drill.compared
    assert (handed.check.source, compared.source) == ("error log", "error log")
    assert compared.read(sample({"logs": [{"at": "2026-11-26T13:58:10+00:00"}, {"at": "2026-11-26T13:58:12+00:00"}]}))
    newest = str(compared.read(sample({"logs": [{"at": f"2026-11-26T13:58:{at}+00:00"} for at in (10, 12, 11)]})))
    assert newest == "2026-11-26 13:58:12+00:00"
    assert str(compared.read(sample({"logs": []}))).startswith("0001-01-01")


def test_memory_has_a_minute_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector of the API decides when; its sentence names no time."""
    (sentence, *_) = COMPARED
    (handed,) = said(sentence, World("well", ANSWERS, drill={"before": 90.0}), monkeypatch).handed
    assert (handed.verb, handed.within) == ("eventually", 60)


def test_errors_are_those_of_each_second_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def failures(last_s: float) -> int:
        asked.append(last_s)
        return 0

    load = SimpleNamespace(failures=failures)
    drill = said("no job is refused or left unanswered for 5 seconds", World("none", drill={"load": load}), monkeypatch)
    (handed,) = drill.handed
    assert (handed.verb, handed.length, asked) == ("throughout", 5, [1.0])


@pytest.mark.parametrize(
    ("endpoint", "member", "subject"),
    [
        ("api", "components.redis.latency_ms", "Redis answers the API within 5 ms for 2 seconds"),
        ("queue", "processing_rate", "within 60 seconds jobs are processed as fast as they are submitted, within 10 %"),
        ("queue", "failed", "within 60 seconds the dead-letter queue holds no more jobs than before"),
    ],
)
def test_it_looks_at_this_member(endpoint: str, member: str, subject: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = said(subject, World("well", ANSWERS, drill={"before": 5.0, "load": TAKEN}), monkeypatch)
    (handed,) = drill.handed
    assert (handed.check.source, handed.check.path) == (endpoint, member)


KEPT: Mapping[str, list[str]] = {"failed": ["f1", "f2", "f3", "f4"], "active": ["a1", "a2", "a3", "a4"], "wait": ["w1"]}


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("the latest failed jobs are written down", [("failed", "f2"), ("failed", "f3"), ("failed", "f4")]),
        (
            "the queue's counts, its oldest active jobs and its workers are written down",
            [("active", "a1"), ("active", "a2"), ("active", "a3")],
        ),
    ],
)
def test_these_jobs_are_written_down(
    sentence: str, shown: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`members` gives the oldest first."""
    for name in ("counts", "workers", "processes", "connections"):
        monkeypatch.setattr(jobs, name, lambda *_: 0)
    monkeypatch.setattr(jobs, "members", lambda _drill, name: KEPT[name])
    monkeypatch.setattr(jobs, "details", lambda _drill, job: {"id": job, "reason": f"why {job} failed"})
    drill: StepDrill = said(sentence, World("well", {"redis": [sample({"role": "master"})]}), monkeypatch)
    assert drill.met, "nobody would know whether Redis answered"
    written = {subject: value for subject, value in drill.observed.items() if " job " in subject}
    assert written == {f"{state} job {job}": {"id": job, "reason": f"why {job} failed"} for state, job in shown}
