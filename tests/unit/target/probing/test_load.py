"""The work of a drill: sent at its rate whatever the system does, and every attempt accounted for."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.work_balance import Answered, Attempt
from drillbook.target.inventory.settings import Endpoint, EndpointKind, Work
from drillbook.target.probing import load as loading
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober
from tests.support.unit import DEADLINE_S, Handler, Server, answering, free_port, reply, request, silent, until

pytestmark = pytest.mark.unit

ACCEPTED = answering(reply(202))
DATABASE = Endpoint("database", EndpointKind.SQL, "postgresql://127.0.0.1:1/app", timeout_s=0.1)
FAST, SLOW = 500, 50


def work(port: int, **more: Any) -> Work:
    body = {"id": "{id}", "nested": ["job {id}"]}
    return Work(f"http://127.0.0.1:{port}/jobs", "database", "select 1", submit_body=body, **more)


@contextmanager
def loaded(handler: Handler | None, **more: Any) -> Iterator[Load]:
    """A load on a server that answers like this; on a closed port when there is none."""
    with Prober({}) as prober:
        if handler is None:
            yield Load(prober, work(free_port()), DATABASE, "run-")
            return
        with Server(handler) as server:
            load = Load(prober, work(server.port, **more), DATABASE, "run-")
            try:
                yield load
            finally:
                load.stop()


def after(handler: Handler | None, count: int = 5, **more: Any) -> Load:
    """A load that was stopped when it had so many answers."""
    with loaded(handler, **more) as load:
        load.submit(FAST)
        until(lambda: len(load.attempts) >= count, "attempts")
        load.stop()
        return load


def answers(load: Load) -> set[Answered]:
    return {attempt.answered for attempt in load.attempts}


def test_what_is_sent_is_a_job_with_its_own_id() -> None:
    bodies: list[Any] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await request(reader)
            assert head.startswith("POST /jobs ")
            bodies.append(json.loads(body))
            writer.write(reply(202))

    load = after(handler)
    # answered in any order, numbered without a gap
    ids = sorted(attempt.id for attempt in load.attempts)
    assert ids == [f"run-{number:06d}" for number in range(1, len(ids) + 1)]
    assert sorted(body["id"] for body in bodies) == ids
    assert bodies[0]["nested"] == [f"job {bodies[0]['id']}"]
    assert all(attempt.sent_s <= attempt.answered_s for attempt in load.attempts)


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        (202, Answered.ACKNOWLEDGED),
        (503, Answered.REFUSED),
        (200, Answered.UNKNOWN),
        (500, Answered.UNKNOWN),
        (302, Answered.UNKNOWN),
    ],
)
def test_what_an_answer_means(status: int, answered: Answered) -> None:
    load = after(answering(reply(status)))
    assert answers(load) == {answered}
    assert {attempt.status for attempt in load.attempts} == {status}


def test_the_inventory_says_what_an_answer_means() -> None:
    meaning: dict[str, Any] = {"acknowledged": frozenset({200}), "refused": frozenset({202})}
    assert answers(after(answering(reply(202)), **meaning)) == {Answered.REFUSED}
    assert answers(after(answering(reply(200)), **meaning)) == {Answered.ACKNOWLEDGED}


def test_nobody_there_is_unknown_and_says_why() -> None:
    load = after(None)
    assert answers(load) == {Answered.UNKNOWN}
    assert {attempt.detail for attempt in load.attempts} == {"connection refused"}


def test_a_line_that_cannot_be_made_is_unknown_and_says_why(tmp_path: Path) -> None:
    with Prober({}) as prober:
        nowhere = Work("https://127.0.0.1:1/jobs", "database", "select 1", submit_ca=tmp_path / "no-ca.pem")
        load = Load(prober, nowhere, DATABASE, "run-")
        load.submit(FAST, count=1)
        until(lambda: load.rate == 0, "the attempt that was sent")
        load.stop()
    (attempt,) = load.attempts
    assert attempt.answered is Answered.UNKNOWN
    assert attempt.detail == "FileNotFoundError: [Errno 2] No such file or directory"


def test_no_answer_is_unknown_and_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "ANSWER_TIMEOUT_S", 0.05)
    load = after(silent)
    assert answers(load) == {Answered.UNKNOWN}
    assert {attempt.detail for attempt in load.attempts} == {"no answer in time"}


def holding(let_go: threading.Event, arrived: Callable[[], object] = lambda: None) -> Handler:
    """Takes requests and answers none of them until it is let go."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            arrived()
            while not let_go.is_set():
                await asyncio.sleep(0.005)
            writer.write(reply(202))

    return handler


def test_a_slow_system_does_not_slow_the_work_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open loop: more leave although none was answered; what is too much is counted as skipped, not as attempted."""
    monkeypatch.setattr(loading, "MAX_UNDER_WAY", 8)
    let_go = threading.Event()
    arrived: list[int] = []
    with loaded(holding(let_go, lambda: arrived.append(1))) as load:
        load.submit(FAST)
        until(lambda: load.skipped >= 5, "skipped")
        until(lambda: len(arrived) == 8, "under way")
        assert not list(load.attempts)
        let_go.set()
        load.stop()
    assert len(arrived) >= 8
    ids = [each.id for each in load.attempts]
    assert len(ids) == len(set(ids)) >= 8
    assert answers(load) == {Answered.ACKNOWLEDGED}


def test_what_is_overdue_at_once_is_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that no machine keeps: many attempts are due before the first has begun."""
    monkeypatch.setattr(loading, "MAX_UNDER_WAY", 4)
    let_go = threading.Event()
    under_way: list[int] = []
    with loaded(holding(let_go, lambda: under_way.append(1))) as load:
        load.submit(100_000)
        until(lambda: load.skipped >= 100, "skipped")
        until(lambda: len(under_way) >= 4)
        assert len(under_way) == 4
        let_go.set()


def test_samples_have_their_turn_whatever_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_UNDER_WAY", 4)
    let_go = threading.Event()
    with loaded(holding(let_go)) as load:
        load.submit(1e9)
        until(lambda: load.skipped >= 100, "skipped")

        async def turn() -> str:
            await asyncio.sleep(0)
            return "taken"

        assert load._prober.run(turn()).result(DEADLINE_S) == "taken"
        let_go.set()


def test_stopping_waits_for_what_is_under_way() -> None:
    let_go, arrived = threading.Event(), threading.Event()
    with loaded(holding(let_go, arrived.set)) as load:
        load.submit(FAST)
        assert arrived.wait(DEADLINE_S)
        stopping = threading.Thread(target=load.stop)
        stopping.start()
        until(lambda: load.rates[-1].per_second == 0, "stopping")
        assert not list(load.attempts)
        let_go.set()
        stopping.join(DEADLINE_S)
        assert not stopping.is_alive()
        assert answers(load) == {Answered.ACKNOWLEDGED}
        count = len(load.attempts)
        load.stop()
        assert len(load.attempts) == count


def test_stopping_a_load_whose_prober_is_gone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "STOP_TIMEOUT_S", 0.05)
    with loaded(ACCEPTED) as load:
        load.submit(FAST)
        load._prober.run(asyncio.sleep(0)).result(DEADLINE_S)
        load._order = replace(load._order, ended=True)
        load._running.result(DEADLINE_S)
        load._running = load._prober.run(asyncio.sleep(DEADLINE_S))
        with pytest.raises(CouldNotLookError, match="did not stop in time"):
            load.stop()


def test_a_load_that_never_began_can_be_stopped() -> None:
    with loaded(ACCEPTED) as load:
        load.stop()
        assert load.rates == []


def test_the_rate_may_change_and_begins_at_once() -> None:
    with loaded(ACCEPTED) as load:
        load.submit(0.001)
        until(lambda: len(load.attempts) == 1, "the first, at once")
        load.submit(FAST)
        until(lambda: len(load.attempts) >= 10, "the next, and not in a quarter of an hour")
        load.stop()
        load.submit(FAST)
        count = len(load.attempts)
        until(lambda: len(load.attempts) > count, "going on after a stop")
        load.stop()
        assert [rate.per_second for rate in load.rates] == [0.001, FAST, 0.0, FAST, 0.0]
        assert len({attempt.id for attempt in load.attempts}) == len(load.attempts)


def test_an_order_is_given_as_a_whole() -> None:
    """Between any two lines of `submit` the loop sends: never with the fields of one order and the end of another."""
    bodies: list[Any] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            bodies.append(json.loads((await request(reader))[1]))
            writer.write(reply(202))

    def of(kind: str) -> int:
        return sum(body.get("kind") == kind for body in bodies)

    with loaded(handler) as load:

        def line(frame: FrameType, event: str, _argument: object) -> Any:
            if event == "call":
                return line if frame.f_code is Load.submit.__code__ else None
            sent = len(bodies)
            until(lambda: len(bodies) > sent + 1, "attempts between two lines")
            return line

        load.submit(FAST, {"kind": "steady"})
        before = sys.gettrace()
        sys.settrace(line)
        try:
            load.submit(FAST, {"kind": "some"}, count=3)
        finally:
            sys.settrace(before)
        count = of("steady")
        until(lambda: of("steady") > count, "the steady work again")
        load.stop()
    assert of("some") == 3


def test_a_pause_is_no_work_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause one attempt is due, and not all that were not made in it."""
    now = [1000.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    with loaded(ACCEPTED) as load:
        monkeypatch.setattr(loading, "time", Clock)
        load.submit(100)
        until(lambda: len(load.attempts) == 1)
        load.submit(0)
        now[0] += 60
        load.submit(100)
        until(lambda: len(load.attempts) == 2)
        load.stop()
        assert len(load.attempts) == 2


class Books(Load):
    """A load whose database says what a test says."""

    done: Mapping[str, int]
    meanwhile: Callable[[], None]

    def completed(self) -> Mapping[str, int]:
        self.meanwhile()
        return self.done


def books(
    done: Mapping[str, int],
    *attempts: Attempt,
    sent: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Books:
    it = Books(Prober({}), work(1), DATABASE, "run-")
    it._attempts.extend(attempts)
    it._number = len(attempts) if sent is None else sent
    it.done, it.meanwhile = done, meanwhile
    return it


def tried(number: int, at: float, answered: Answered = Answered.ACKNOWLEDGED, **more: Any) -> Attempt:
    return Attempt(f"run-{number:06d}", at, at + 0.1, answered, **more)


def test_a_balance() -> None:
    balance = books({"run-000001": 1}, tried(1, 1.0), tried(2, 2.0)).balance()
    assert (balance.acknowledged, balance.lost, balance.sound) == (2, ("run-000002",), False)
    assert books({"run-000001": 1, "run-000002": 1}, tried(1, 1.0), tried(2, 2.0)).balance().sound


def test_what_was_answered_later_is_left_out_on_both_sides() -> None:
    history = books({"run-000001": 1, "run-000002": 1}, tried(1, 1.0), tried(2, 2.0), tried(3, 3.0))
    balance = history.balance(until_s=1.5)
    assert (balance.attempted, balance.completed, balance.sound) == (1, 1, True)
    assert history.balance(until_s=3.5).lost == ("run-000003",)


def test_what_is_under_way_is_left_out_on_both_sides() -> None:
    balance = books({"run-000001": 1, "run-000002": 1}, tried(1, 1.0), sent=2).balance()
    assert (balance.attempted, balance.unexpected, balance.sound) == (1, (), True)


def test_what_is_acknowledged_while_the_database_is_read_is_not_lost() -> None:
    history = books({}, sent=1)
    history.meanwhile = lambda: history._attempts.append(tried(1, time.monotonic()))
    assert history.balance().lost == ()


@pytest.mark.parametrize("job", ["run-000009", "run-1", "run-x", "000001", "run-²", "other-000001"])
def test_what_was_never_sent_is_unexpected(job: str) -> None:
    balance = books({"run-000001": 1, job: 1}, tried(1, 1.0), sent=3).balance()
    assert balance.unexpected == (job,)


def test_a_database_that_does_not_answer_is_no_balance() -> None:
    with pytest.raises(CouldNotLookError, match="the completed work could not be read from the database"):
        Load(Prober({}), work(1), DATABASE, "run-").balance()


def test_refusals_count_when_they_say_when_to_come_back() -> None:
    history = books(
        {},
        tried(1, 1.0, Answered.REFUSED, status=503, retry_after=True),
        tried(2, 2.0, Answered.REFUSED, status=503, retry_after=True),
        tried(3, 3.0, Answered.REFUSED, status=503),
        tried(4, 4.0, Answered.REFUSED, status=429, retry_after=True),
    )
    assert len(history.refused(503, since_s=0.0)) == 2
    assert len(history.refused(503, since_s=1.5)) == 1
    assert history.refused(429, since_s=4.5) == []


def test_a_refusal_says_when_to_come_back() -> None:
    assert all(attempt.retry_after for attempt in after(answering(reply(503, b"", "Retry-After: 1\r\n"))).attempts)
    assert not any(attempt.retry_after for attempt in after(answering(reply(503))).attempts)


def test_failures_of_late() -> None:
    now = time.monotonic()
    history = books({}, tried(1, now - 60, Answered.UNKNOWN), tried(2, now, Answered.REFUSED), tried(3, now))
    assert history.failures(last_s=30) == 1
    assert history.failures(last_s=90) == 2


def test_no_answer_of_late_is_no_success() -> None:
    with pytest.raises(CouldNotLookError, match="no job was answered in the last 5 s"):
        books({}, tried(1, time.monotonic() - 60)).failures(last_s=5)


def test_exactly_so_many_are_sent_and_then_no_more() -> None:
    with loaded(ACCEPTED) as load:
        load.submit(FAST, count=7)
        until(lambda: len(load.attempts) == 7)
        until(lambda: load.rate == 0, "the load that stands still")
        load.submit(FAST, count=3)
        until(lambda: len(load.attempts) == 10)
        load.stop()
        assert len(load.attempts) == 10
        assert [rate.per_second for rate in load.rates] == [FAST, 0.0, FAST, 0.0, 0.0]


def test_after_so_many_it_goes_on_as_before() -> None:
    bodies: list[Any] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request(reader)
            bodies.append(json.loads(body)["kind"])
            writer.write(reply(202))

    with loaded(handler) as load:
        load.submit(SLOW, {"kind": "steady"})
        until(lambda: len(load.attempts) == 1)
        load.submit(FAST, {"kind": "burst"}, count=7)
        until(lambda: load.rate == SLOW, "the load that goes on as before")
        sent = len(load.attempts)
        until(lambda: len(load.attempts) > sent + 1)
        load.stop()
        assert [rate.per_second for rate in load.rates] == [SLOW, FAST, SLOW, 0.0]
    assert bodies.count("burst") == 7
    assert bodies[-1] == "steady"


def test_fields_stand_in_the_body_instead_of_the_inventorys() -> None:
    bodies: list[Any] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request(reader)
            bodies.append(json.loads(body))
            writer.write(reply(202))

    with loaded(handler) as load:
        load.submit(FAST, {"nested": {"work_ms": 300}}, count=1)
        until(lambda: len(load.attempts) == 1)
    assert bodies == [{"id": "run-000001", "nested": {"work_ms": 300}}]


def test_fields_of_a_body_that_has_none_are_refused() -> None:
    with Prober({}) as prober:
        load = Load(
            prober, Work("http://127.0.0.1:1/", "database", "select 1", submit_body="job {id}"), DATABASE, "run-"
        )
        with pytest.raises(DrillbookError, match=r"drillbook_work\.submit\.body is not a mapping"):
            load.submit(FAST, {"kind": "slow"})
