"""The balance of the work: what was acknowledged and is not done is lost, and nothing else is."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.model.work_balance import Account, Answered, Attempt, account
from tests.support.unit import quickly

pytestmark = pytest.mark.unit

ACK, REFUSED, UNKNOWN = Answered.ACKNOWLEDGED, Answered.REFUSED, Answered.UNKNOWN


def tried(job: str, answered: Answered) -> Attempt:
    return Attempt(job, 1.0, 1.1, answered)


def history(**jobs: Answered) -> list[Attempt]:
    return [tried(job, answered) for job, answered in jobs.items()]


def test_all_done() -> None:
    balance = account(history(a=ACK, b=ACK, c=REFUSED), {"a": 1, "b": 1})
    assert balance == Account(3, 2, 1, 0, 2, (), {}, (), ())
    assert balance.sound
    assert str(balance) == "2 acknowledged, 2 completed, 0 lost, 0 duplicated, 0 unexpected"


def test_what_was_answered_otherwise_was_answered() -> None:
    """A 500 neither accepts nor refuses, and is no silence."""
    answers = [
        *(Attempt(job, 1.0, 1.1, UNKNOWN, status) for job, status in (("a", 500), ("b", 502), ("c", 500), ("d", None))),
        Attempt("e", 1.0, 1.1, REFUSED, 503),
        # asked again, and accepted
        *(Attempt("f", 1.0, 1.1, answered, status) for answered, status in ((UNKNOWN, 504), (ACK, 202))),
    ]
    balance = account(answers, {"f": 1, "a": 1})
    assert (balance.unknown, balance.answered_otherwise) == (4, {500: 2, 502: 1})
    assert balance.recovered == ("a",)


NOT_SOUND: dict[str, tuple[list[Attempt], Mapping[str, int], str]] = {
    "acknowledged and not done is lost": (history(a=ACK, b=ACK), {"a": 1}, "1 lost"),
    "done zero times is lost": (history(a=ACK), {"a": 0}, "1 lost"),
    "done twice is duplicated": (history(a=ACK), {"a": 2}, "1 duplicated"),
    "refused and done is unexpected": (history(a=ACK, b=REFUSED), {"a": 1, "b": 1}, "1 unexpected"),
    "never asked for and done is unexpected": (history(a=ACK), {"a": 1, "z": 1}, "1 unexpected"),
    "nothing acknowledged proves nothing": (history(a=UNKNOWN, b=REFUSED), {"a": 1}, "0 acknowledged"),
    "no work at all proves nothing": ([], {}, "0 acknowledged"),
}


@pytest.mark.parametrize(("attempts", "done", "says"), NOT_SOUND.values(), ids=list(NOT_SOUND))
def test_not_sound(attempts: list[Attempt], done: Mapping[str, int], says: str) -> None:
    balance = account(attempts, done)
    assert not balance.sound
    assert says in str(balance)


@pytest.mark.parametrize("done", [{"a": 1}, {"a": 1, "b": 1}], ids=["was not", "was"])
def test_unanswered_work_may_be_done_or_not(done: Mapping[str, int]) -> None:
    balance = account(history(a=ACK, b=UNKNOWN), done)
    assert balance.sound
    assert balance.recovered == (("b",) if "b" in done else ())


@pytest.mark.parametrize(
    ("answers", "counts"),
    [
        ((UNKNOWN, ACK), (1, 0, 0)),
        ((REFUSED, ACK), (1, 0, 0)),
        ((REFUSED, UNKNOWN), (0, 0, 1)),
        ((REFUSED, REFUSED), (0, 1, 0)),
    ],
)
def test_work_that_was_sent_again_counts_by_its_best_answer(
    answers: tuple[Answered, ...], counts: tuple[int, int, int]
) -> None:
    balance = account([tried("a", each) for each in answers], {})
    assert (balance.acknowledged, balance.refused, balance.unknown) == counts
    assert balance.attempted == 2


jobs = st.sampled_from([f"job{number}" for number in range(8)])
attempts_made = st.lists(st.builds(tried, jobs, st.sampled_from(Answered)), max_size=20)
work_done = st.dictionaries(jobs, st.integers(0, 3), max_size=8)


@quickly
@given(attempts_made, work_done)
def test_the_balance_is_conserved(attempts: list[Attempt], done: Mapping[str, int]) -> None:
    """Every id is counted once on each side; the definitions are those of Jepsen's total-queue."""
    balance = account(attempts, done)
    answers: dict[str, set[Answered]] = {}
    for attempt in attempts:
        answers.setdefault(attempt.id, set()).add(attempt.answered)
    acknowledged = {job for job, seen in answers.items() if ACK in seen}
    unknown = {job for job, seen in answers.items() if UNKNOWN in seen} - acknowledged
    happened = {job for job, times in done.items() if times}

    assert balance.attempted == len(attempts)
    assert balance.acknowledged + balance.refused + balance.unknown == len(answers) <= balance.attempted
    assert set(balance.lost) == acknowledged - happened
    assert set(balance.unexpected) == happened - acknowledged - unknown
    assert set(balance.recovered) == happened & unknown
    assert dict(balance.duplicated) == {job: times for job, times in done.items() if times >= 2}
    kept = balance.acknowledged - len(balance.lost)
    assert balance.completed == kept + len(balance.recovered) + len(balance.unexpected)
    assert balance.sound == (
        bool(acknowledged) and acknowledged <= happened <= acknowledged | unknown and max(done.values()) == 1
    )


@quickly
@given(attempts_made, work_done, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(attempts: list[Attempt], done: Mapping[str, int], order: random.Random) -> None:
    mixed = order.sample(attempts, len(attempts))
    done_mixed = dict(order.sample(list(done.items()), len(done)))
    assert account(mixed, done_mixed) == account(attempts, done)
    assert list(account(mixed, done_mixed).duplicated) == sorted(account(attempts, done).duplicated)
