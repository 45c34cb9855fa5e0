"""An abort condition that fires stops the main thread once, wherever it is, and nothing after the end of the steps."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drillbook.errors import GuardError
from drillbook.safety.abort_condition import Aborted, AbortGuard, Fired, conditions, refuse_unhealthy
from drillbook.safety.signals import Shield, Stopped
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.series import Series
from tests.support.unit import (
    DEADLINE_S,
    Server,
    answering,
    endpoint,
    free_port,
    no_answer,
    reply,
    request,
    sample,
    until,
)

pytestmark = pytest.mark.unit

WHERE = "hosts.yml:7"
FOREVER_S = 3 * DEADLINE_S


# ------------------------------------------------------------------ which endpoints


def named(*names: str, **more: object) -> dict[str, Endpoint]:
    return {name: endpoint(name, "http://127.0.0.1:1", **more) for name in names}


def which(tags: list[str], endpoints: dict[str, Endpoint]) -> list[str]:
    return [each.name for each in conditions(tags, endpoints, WHERE)]


def test_tags_name_endpoints_with_an_underscore_for_a_space() -> None:
    known = named("api", "api ready", "queue")
    assert which(["rto:1m", "abort-when:queue", "abort-when:api_ready"], known) == ["api ready", "queue"]
    assert which(["rto:1m"], known) == []
    assert which(["abort-when:api_x"], named("api_x")) == ["api_x"]


@pytest.mark.parametrize(
    ("tag", "endpoints", "sentence"),
    [
        (
            "abort-when:api_redy",
            named("api ready", "db"),
            (
                "@abort-when:api_redy: no such endpoint in drillbook_endpoints (hosts.yml:7); did you mean api_ready? "
                "There are: api_ready, db"
            ),
        ),
        ("abort-when:x", {}, "@abort-when:x: no such endpoint in drillbook_endpoints (hosts.yml:7); There are: none"),
        (
            "abort-when:a_b",
            named("a b", "a_b"),
            "@abort-when:a_b may mean the endpoints 'a b' and 'a_b' (hosts.yml:7): rename one of them",
        ),
        (
            "abort-when:a",
            named("a", probe=False),
            (
                "@abort-when:a: the endpoint 'a' is not sampled: remove 'probe: false' from it in drillbook_endpoints "
                "(hosts.yml:7)"
            ),
        ),
    ],
)
def test_what_names_no_endpoint_is_refused(tag: str, endpoints: dict[str, Endpoint], sentence: str) -> None:
    with pytest.raises(GuardError) as raised:
        conditions([tag], endpoints, WHERE)
    assert str(raised.value) == sentence


def test_what_is_unhealthy_before_the_drill_is_refused() -> None:
    with Server(answering(reply(200))) as well, Server(answering(reply(503))) as ill:
        healthy = endpoint("a", f"http://127.0.0.1:{well.port}")
        refuse_unhealthy([healthy])
        with pytest.raises(
            GuardError, match="the abort condition was there before the drill: b: observed status 503, required a heal"
        ):
            refuse_unhealthy([healthy, endpoint("b", f"http://127.0.0.1:{ill.port}")])
    with pytest.raises(GuardError, match=r"c: observed \*\*\*, required a healthy answer\. Nothing was broken"):
        refuse_unhealthy(
            [endpoint("c", f"http://127.0.0.1:{free_port()}")], lambda text: text.replace("connection refused", "***")
        )


# ------------------------------------------------------------------ what is said


def test_the_sentence_has_what_was_observed_and_what_was_required() -> None:
    fired = Fired("api ready", sample(ok=False, status=503))
    assert fired.sentence == ("the abort condition fired: api ready: observed status 503, required a healthy answer")
    assert "observed connection refused" in Fired("api", no_answer()).sentence


def test_the_moment_is_uncertain_back_to_the_last_healthy_sample() -> None:
    samples = [sample(at=1.0), sample(at=2.0), no_answer(at=2.5), sample(at=4.0)]
    moment = Fired("api", no_answer(at=3.0)).moment(samples)
    assert moment.at_s == pytest.approx(3.01)
    assert moment.uncertainty_s == pytest.approx(1.01)
    assert moment.source == "api: connection refused"
    assert Fired("api", no_answer(at=3.0)).moment([]).uncertainty_s == pytest.approx(0.01)


# ------------------------------------------------------------------ stopping


@contextmanager
def guarded(told: Callable[[str], None] = lambda _text: None) -> Iterator[tuple[AbortGuard, threading.Event, Shield]]:
    """A guard over a server that is healthy until the event is set; whatever happens the signals are given back."""
    ill = threading.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await request(reader):
            writer.write(reply(503 if ill.is_set() else 200))
            await writer.drain()

    handlers = {number: signal.getsignal(number) for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1)}
    with Server(handler) as server:
        site = endpoint("site", f"http://127.0.0.1:{server.port}")
        prober, shield = Prober({"site": site}), Shield(told)
        guard = AbortGuard([site], shield)
        guard.watch(prober)
        try:
            with prober:
                shield.raise_on_signal()
                guard.arm()
                yield guard, ill, shield
        finally:
            guard.hold()
            guard.release()
            guard.release()
            shield.release()
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert not [thread for thread in threading.enumerate() if thread.name == "drillbook-abort"]


def wait_in_an_event() -> None:
    threading.Event().wait(FOREVER_S)


def wait_in_a_series() -> None:
    Series("quiet").wait_beyond(0, time.monotonic() + FOREVER_S)


def compute() -> None:
    end_s = time.monotonic() + FOREVER_S
    while time.monotonic() < end_s:
        json.dumps(list(range(100)))


@pytest.mark.parametrize("busy", [wait_in_an_event, wait_in_a_series, lambda: time.sleep(FOREVER_S), compute])
def test_an_unhealthy_sample_stops_the_main_thread_wherever_it_is(busy: Callable[[], None]) -> None:
    with guarded() as (guard, ill, _shield):
        ill.set()
        with pytest.raises(Aborted, match="ABORTED: the abort condition fired: site"):
            busy()
        fired = guard.hold()
        assert fired is not None
        assert (fired.endpoint, fired.sample.status) == ("site", 503)


def test_a_healthy_endpoint_stops_nothing() -> None:
    with guarded() as (guard, _ill, _shield):
        series = Series("clock")
        assert not series.wait_beyond(0, time.monotonic() + 0.2)
        guard.check()
        assert guard.hold() is None
        assert list(guard.notes()) == []


def test_it_stops_once_and_is_asked_for_again_at_the_next_step() -> None:
    with guarded() as (guard, ill, _shield):
        ill.set()
        with pytest.raises(Aborted):
            wait_in_an_event()
        assert not threading.Event().wait(0.2), "no second exception on the way to the restore"
        with pytest.raises(Aborted):
            guard.check()


def test_after_the_end_of_the_steps_it_is_noted_only() -> None:
    with guarded() as (guard, ill, _shield):
        assert guard.hold() is None
        ill.set()
        until(lambda: bool(list(guard.notes())), "noted")
        assert guard.hold() is None
        guard.check()
        (note,) = guard.notes()
        assert note == (
            "while the system was put back the abort condition was there: "
            "site: observed status 503, required a healthy answer"
        )


def test_ctrl_c_after_it_waits() -> None:
    told: list[str] = []
    with guarded(told.append) as (_guard, ill, shield):
        ill.set()
        with pytest.raises(Aborted):
            wait_in_an_event()
        signal.raise_signal(signal.SIGINT)
        assert shield.held == ["SIGINT"]
        until(lambda: told == ["SIGINT received; the system is being put back first"], "told")


def test_after_ctrl_c_it_does_not_stop_the_stopping() -> None:
    with guarded() as (guard, ill, shield):
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
        ill.set()
        until(lambda: guard.fired is not None, "seen")
        assert not threading.Event().wait(0.2)
        guard.check()
        assert shield.stopping


def test_a_signal_that_a_user_handles_is_left_to_the_user() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGRTMAX, lambda number, _frame: got.append(number))
    try:
        with guarded() as (_guard, ill, _shield):
            signal.raise_signal(signal.SIGRTMAX)
            assert got == [signal.SIGRTMAX]
            ill.set()
            with pytest.raises(Aborted):
                wait_in_an_event()
        assert got == [signal.SIGRTMAX]
    finally:
        signal.signal(signal.SIGRTMAX, before)


def test_where_nothing_could_stop_the_drill_it_is_refused() -> None:
    refused: list[BaseException] = []

    def elsewhere() -> None:
        AbortGuard([], Shield(lambda _text: None)).arm()
        try:
            AbortGuard(list(named("api").values()), Shield(lambda _text: None))
        except GuardError as error:
            refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(DEADLINE_S)
    assert [str(error) for error in refused] == [
        "@abort-when: this drill does not run in the main thread, so the condition could not stop it"
    ]


def test_no_step_takes_it_for_an_error_of_its_own_and_no_session_for_its_end() -> None:
    assert not issubclass(Aborted, (Exception, KeyboardInterrupt, SystemExit))
