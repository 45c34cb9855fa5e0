"""The prober looks at each endpoint on its own, says so when it no longer looks, and always ends."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import ssl
import struct
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drillbook.checks import At
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.sample import Sample
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing import prober as probing
from drillbook.target.probing import probes, pulse
from drillbook.target.probing.patience import Patience
from drillbook.target.probing.prober import Prober, _spread
from drillbook.target.probing.probes import HttpProbe, SqlProbe, TcpProbe, take, why
from tests.support.unit import (
    DEADLINE_S,
    Handler,
    Server,
    answering,
    endpoint,
    free_port,
    reply,
    request,
    silent,
    until,
)

pytestmark = pytest.mark.unit

UP = answering(reply(200, b'{"status": "ok"}'))


class Scripted:
    """A probe that does what a test says, for endpoints of kind tcp."""

    overlaps: ClassVar[bool] = True

    def __init__(self, look: Callable[[], Any]) -> None:
        self._look = look
        self.closed = threading.Event()

    async def look(self) -> tuple[bool, int | None, object]:
        return True, None, await self._look()

    async def close(self) -> None:
        self.closed.set()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mapping[str, Endpoint]]:
    """Endpoints that are looked at by these coroutine functions."""

    def install(**looks: Callable[[], Any]) -> Mapping[str, Endpoint]:
        kinds: dict[EndpointKind, Any] = {EndpointKind.TCP: lambda of: Scripted(looks[of.name])}
        monkeypatch.setattr(probes, "_PROBES", {**probes._PROBES, **kinds})
        return {name: endpoint(name, "tcp://127.0.0.1:1") for name in looks}

    return install


async def quick() -> str:
    return "here"


async def hangs() -> None:
    await asyncio.Event().wait()


def samples(handler: Handler, count: int = 1, **more: Any) -> list[Sample]:
    """So many samples of an HTTP server."""
    with Server(handler) as server:
        api = endpoint("api", f"http://127.0.0.1:{server.port}", **more)
        with Prober({"api": api}) as prober:
            until(lambda: len(prober.of("api")) >= count, "samples")
        return list(prober.of("api").all())


def test_an_answer_is_sampled_again_and_again() -> None:
    taken = samples(UP, 5)
    assert {(each.ok, each.status, each.error) for each in taken} == {(True, 200, None)}
    assert taken[0].value == {"status": "ok"}
    assert all(before.sent_s < after.sent_s for before, after in pairwise(taken))


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (204, True), (302, False), (400, False), (404, False), (503, False)]
)
def test_which_status_is_healthy(status: int, ok: bool) -> None:
    raw = reply(status, b"" if status == 204 else b"{}")
    (first, *_) = samples(answering(raw))
    assert (first.ok, first.status, first.error) == (ok, status, None)


@pytest.mark.parametrize(("below", "ok", "judged"), [(300, False, "is not healthy"), (400, True, "counts as healthy")])
def test_a_redirect_is_told_and_is_healthy_where_the_endpoint_says_so(below: int, ok: bool, judged: str) -> None:
    login = reply(302, b"", "Location: /login\r\n")
    with Server(answering(login)) as server:
        api = endpoint("api", f"http://127.0.0.1:{server.port}", healthy_below=below)
        with Prober({"api": api}) as prober:
            until(lambda: len(prober.of("api")) >= 3)
        assert {each.ok for each in prober.of("api").all()} == {ok}
        (told,) = prober.redirected()
    assert f"'api' was answered by a redirect (status 302), and that {judged}" in told


def test_what_is_no_redirect_is_not_told() -> None:
    with Server(UP) as server, Prober({"api": endpoint("api", f"http://127.0.0.1:{server.port}")}) as prober:
        until(lambda: len(prober.of("api")) >= 1)
        assert list(prober.redirected()) == []


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ("Content-Type: text/html; charset=utf-8\r\n", "text/html"),
        ("Content-Type: application/json\r\nContent-Encoding: br\r\n", "application/json, br"),
        ("", ""),
    ],
)
def test_a_look_says_what_kind_of_answer_it_was(headers: str, form: str) -> None:
    (first, *_) = samples(answering(reply(401, b"<h1>Log in</h1>", headers)))
    assert first.form == form
    seen = At("api", "the API").json("status", "status").is_("up").judge(first)
    assert seen.observed == f"no status in the answer (status 401{', ' if form else ''}{form})"


@pytest.mark.parametrize(
    ("body", "value"),
    [(b"[1]", [1]), (b"null", None), (b"plain", "plain"), (b"", ""), (b"\xff", "\\xff"), (b'{"a":', '{"a":')],
)
def test_the_value_is_the_json_or_the_text(body: bytes, value: object) -> None:
    (first, *_) = samples(answering(reply(200, body)))
    assert first.value == value


def test_a_value_that_changes_is_seen() -> None:
    taken = samples(answering(reply(200, b"1"), reply(200, b"1"), reply(200, b"2")), 3)
    assert [each.value for each in taken[:3]] == [1, 1, 2]


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize(
    ("handler", "error"),
    [(silent, "no answer in time"), (_reset, "connection reset"), (answering(b"garbage\r\n\r\n"), "not HTTP")],
    ids=["silent", "reset", "garbage"],
)
def test_what_is_no_answer_is_a_sample_that_says_why(handler: Handler, error: str) -> None:
    first = samples(handler, timeout_s=0.05)[0]
    assert (first.ok, first.status, first.value) == (False, None, None)
    assert first.error is not None
    assert error in first.error


@pytest.mark.parametrize("scheme", ["http", "tcp", "redis", "postgresql"])
def test_nobody_there(scheme: str) -> None:
    more: dict[str, Any] = {"kind": EndpointKind.SQL} if scheme == "postgresql" else {}
    url = f"{scheme}://127.0.0.1:{free_port()}"
    it = Endpoint("it", more.get("kind") or EndpointKind(scheme), url, samples_per_s=100)
    with Prober({"it": it}) as prober:
        until(lambda: len(prober.of("it")) >= 2)
    first = prober.of("it")[0]
    assert not first.ok
    assert first.error is not None
    assert "refused" in first.error or "111" in first.error


def test_an_open_port_is_sampled_too() -> None:
    with Server(silent) as server:
        sample = asyncio.run(take(TcpProbe(endpoint("it", f"tcp://127.0.0.1:{server.port}")), Patience(DEADLINE_S)))
    assert (sample.ok, sample.value) == (True, "connected")


@pytest.mark.parametrize("make", [HttpProbe, TcpProbe, SqlProbe])
def test_a_probe_that_never_looked_can_be_closed(make: Any) -> None:
    url = "postgresql://127.0.0.1" if make is SqlProbe else f"{'tcp' if make is TcpProbe else 'http'}://127.0.0.1:1"
    kind = {SqlProbe: EndpointKind.SQL, TcpProbe: EndpointKind.TCP, HttpProbe: EndpointKind.HTTP}[make]
    asyncio.run(make(Endpoint("it", kind, url)).close())


def test_a_restarted_server_is_seen_again() -> None:
    port = free_port()
    api = endpoint("api", f"http://127.0.0.1:{port}")

    with Prober({"api": api}) as prober:
        series = prober.of("api")
        until(lambda: len(series) > 0 and not series[-1].ok, "down")
        server = Server(UP)
        server.port = port
        with server:
            until(lambda: series[-1].ok, "up")
        until(lambda: not series[-1].ok, "down again")


def test_one_that_hangs_delays_no_other(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    with Prober(scripted(stuck=hangs, fine=quick)) as prober:
        until(lambda: len(prober.of("fine")) >= 20)
        assert prober.alive
        assert not any(sample.ok for sample in prober.of("stuck").all())


def test_a_look_that_takes_too_long_is_given_up_and_the_next_one_made(
    scripted: Callable[..., Mapping[str, Endpoint]],
) -> None:
    answers = iter([hangs, quick])

    async def look() -> object:
        return await next(answers, quick)()

    (stuck,) = scripted(stuck=look).values()
    slow = endpoint("stuck", stuck.url, timeout_s=0.05)
    with Prober({"stuck": slow}) as prober:
        until(lambda: len(prober.of("stuck")) >= 2)
    first, second = prober.of("stuck").all()[:2]
    assert (first.ok, first.error) == (False, "no answer in time")
    assert (second.ok, second.value) == (True, "here")


def dead(prober: Prober) -> None:
    """Let the sampling of one endpoint die, as an error in the prober itself would."""
    assert prober._loop is not None
    prober._loop.call_soon_threadsafe(prober._tasks[0].cancel)
    until(lambda: not prober.alive, "dead")


def test_a_dead_prober_is_noticed(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    with Prober(scripted(one=quick, other=quick)) as prober:
        assert prober.alive
        dead(prober)
        with pytest.raises(CouldNotLookError, match="the prober is not running"):
            prober.run(quick())


@pytest.mark.parametrize("state", ["never started", "stopped"])
def test_a_prober_that_does_not_run_is_not_alive_and_runs_nothing(state: str) -> None:
    prober = Prober({})
    if state == "stopped":
        prober.start()
        assert prober.alive
        prober.stop()
    assert not prober.alive
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CouldNotLookError):
            prober.run(quick())
        gc.collect()


def test_work_runs_beside_the_samples() -> None:
    with Prober({}) as prober:
        assert prober.run(quick()).result(DEADLINE_S) == "here"


def test_who_waits_for_a_look_at_each_gets_it(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    answered = threading.Event()

    async def late() -> str:
        await asyncio.to_thread(answered.wait, DEADLINE_S)
        return "here"

    with Prober(scripted(one=quick, other=late)) as prober:
        until(lambda: len(prober.of("one")) > 0, "a look at the first")
        assert len(prober.of("other")) == 0
        answered.set()
        assert prober.looked(0)
        assert len(prober.of("other")) > 0


def test_a_look_from_before_is_none(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    with Prober(scripted(api=quick)) as prober:
        until(lambda: len(prober.of("api")) > 0, "a look")
        since_s = time.monotonic()
        assert prober.looked(since_s)
        assert prober.of("api")[len(prober.of("api")) - 1].sent_s >= since_s


def test_a_look_that_is_cut_off_is_one(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    endpoints = {name: replace(each, timeout_s=0.05) for name, each in scripted(api=hangs).items()}
    with Prober(endpoints) as prober:
        assert prober.looked(0)
        assert prober.of("api")[0].error == "no answer in time"


def test_an_endpoint_that_is_not_looked_at_is_told(
    scripted: Callable[..., Mapping[str, Endpoint]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prober = Prober(scripted(api=quick))
    assert not prober.looked(0), "it was never started"
    # else the test waits as long as a drill waits beyond the time-out
    monkeypatch.setattr(probing, "_OVER_S", 0)
    endpoints = {name: replace(each, timeout_s=0.05) for name, each in scripted(api=quick).items()}
    with Prober(endpoints) as prober:
        assert not prober.looked(time.monotonic() + 3600), "no look since an instant that has not come"
        assert prober.alive


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name == "drillbook-prober"}


def test_stopping_ends_the_thread_closes_the_probes_and_may_be_repeated(
    scripted: Callable[..., Mapping[str, Endpoint]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Scripted] = []

    def make(_of: Endpoint) -> Scripted:
        made.append(Scripted(quick))
        return made[-1]

    endpoints = scripted(one=quick, other=quick)
    monkeypatch.setattr(probes, "_PROBES", {EndpointKind.TCP: make})
    prober = Prober(endpoints)
    prober.stop()
    prober.start()
    thread = prober._thread
    assert thread is not None
    until(lambda: len(prober.of("one")) > 0 and len(prober.of("other")) > 0)
    assert prober.cpu_ratio is None
    prober.stop()
    prober.stop()
    assert not thread.is_alive()
    assert all(each.closed.is_set() for each in made)
    assert prober.cpu_ratio is not None
    assert prober.cpu_ratio >= 0
    count = len(prober.of("one"))
    assert [(row.endpoint, row.failures, row.interval_s, row.timeout_s) for row in prober.stats()] == [
        ("one", 0, 0.01, 1.0),
        ("other", 0, 0.01, 1.0),
    ]
    assert prober.stats()[0].samples == count


def test_stopping_ends_what_runs_beside_the_samples() -> None:
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with Prober({}) as prober:
        prober.run(work())
    assert ended.is_set()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(probing, "STOP_TIMEOUT_S", 0.2)
    yield
    gc.collect()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("times", [1, 3, 10**9], ids=["once", "three times", "for ever"])
def test_a_probe_that_swallows_cancellation_does_not_hang_the_stop(
    scripted: Callable[..., Mapping[str, Endpoint]], times: int
) -> None:
    """psycopg and redis-py have had such time-outs: the cancellation is caught and taken for their own."""
    looking = threading.Event()

    async def stubborn() -> str:
        for _ in range(times):
            looking.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue
        return "never mind"

    prober = Prober(scripted(stuck=stubborn, fine=quick))
    prober.start()
    thread = prober._thread
    assert thread is not None
    assert looking.wait(DEADLINE_S)
    prober.stop()
    until(lambda: not thread.is_alive(), "the thread ends")


@pytest.mark.usefixtures("_impatient")
def test_a_probe_that_blocks_the_loop_does_not_hang_the_stop(
    scripted: Callable[..., Mapping[str, Endpoint]],
) -> None:
    let_go, blocked = threading.Event(), threading.Event()

    async def blocks() -> None:
        blocked.set()
        let_go.wait(DEADLINE_S)

    prober = Prober(scripted(stuck=blocks))
    prober.start()
    thread = prober._thread
    assert thread is not None
    assert blocked.wait(DEADLINE_S)
    prober.stop()
    let_go.set()
    until(lambda: not thread.is_alive(), "the thread ends")


def test_endpoints_are_known_by_their_names() -> None:
    api, quiet = endpoint("api", "http://127.0.0.1:1"), endpoint("quiet", "http://127.0.0.1:1", probe=False)
    prober = Prober({"api": api, "quiet": quiet})
    assert prober.endpoint("api") is api
    assert prober.of("api").name == "api"
    for ask in (prober.of, prober.endpoint):
        with pytest.raises(DrillbookError, match="'quiet' is not sampled: remove 'probe: false'"):
            ask("quiet")
        with pytest.raises(DrillbookError, match=r"no endpoint 'nobody' .*; there are: api, quiet"):
            ask("nobody")
    with pytest.raises(DrillbookError, match="there are: none"):
        Prober({}).of("api")


def test_an_endpoint_that_nobody_can_ask_is_said_before_anything_starts(tmp_path: Path) -> None:
    prober = Prober({"api": endpoint("api", "https://127.0.0.1", ca=tmp_path / "no-ca.pem")})
    with pytest.raises(DrillbookError, match="endpoint 'api' cannot be asked: FileNotFoundError"):
        prober.start()
    assert not prober.alive
    prober.stop()


def test_a_sample_has_the_times_of_its_look() -> None:
    before = time.monotonic()
    sample = asyncio.run(take(Scripted(quick), Patience(1.0)))
    assert before <= sample.sent_s <= sample.done_s <= time.monotonic()
    assert (sample.ok, sample.value, sample.error) == (True, "here", None)


class _NoReason(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (ConnectionResetError("the server closed the connection"), "connection reset"),
        (ssl.SSLError(1, "[SSL] wrong version number"), "TLS: "),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (_NoReason(), "_NoReason"),
    ],
)
def test_why(error: BaseException, words: str) -> None:
    assert why(error).startswith(words)
    assert "\n" not in why(error)


# a pause of this process


def stand_still(prober: Prober, seconds: float) -> None:
    """Keep the prober's loop from running, as SIGSTOP does with all of the process."""

    async def block() -> None:
        threading.Event().wait(seconds)

    prober.run(block()).result(DEADLINE_S)


@pytest.fixture
def sensitive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT_S", 0.01)
    monkeypatch.setattr(pulse, "STILL_S", 0.2)


@pytest.mark.usefixtures("sensitive")
def test_a_look_that_ran_out_of_time_while_this_process_stood_still_is_none(
    scripted: Callable[..., Mapping[str, Endpoint]],
) -> None:
    """The answer was there all the time, and nobody read it."""
    answers = asyncio.Event()
    asked: list[float] = []

    async def look() -> str:
        asked.append(time.monotonic())
        if len(asked) == 2:
            await answers.wait()
        return "here"

    (quick_one,) = scripted(api=look).values()
    told: list[Sample] = []
    prober = Prober({"api": replace(quick_one, timeout_s=0.05)})
    prober.on_sample("api", told.append)
    with prober:
        until(lambda: len(asked) >= 2, "the look that waits")
        before_s = time.monotonic()
        stand_still(prober, 0.4)
        until(lambda: len(prober.of("api")) >= 3)
        after_s = time.monotonic()
    assert all(each.ok for each in told[:1])
    assert all(each.ok or each.done_s < before_s + 0.06 for each in prober.of("api").all())
    pause = prober.stood_still(before_s, after_s)
    assert pause is not None and pause.seconds > 0.2
    assert prober.stood_still(after_s, after_s + 1) is None


@pytest.mark.usefixtures("sensitive")
def test_when_nobody_looked_is_told(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    (api,) = scripted(api=quick).values()
    with Prober({"api": replace(api, timeout_s=0.05)}) as prober:
        until(lambda: len(prober.of("api")) >= 2)
        began_s = time.monotonic()
        stand_still(prober, 0.4)
        length = len(prober.of("api"))
        until(lambda: len(prober.of("api")) > length)
        with pytest.raises(CouldNotLookError, match=r"^it: nobody looked for 0\.\d s at 'api'$"):
            prober.refuse_unseen("it", "api", began_s)
    (stats,) = prober.stats()
    assert len(stats.gaps) >= 1
    (told,) = prober.unseen(lambda at_s: at_s - began_s)
    assert re.match(
        r"nobody looked for 0\.\d s at 'api', from -?0\.\d s on.*; for 0\.\d s of it this process stood still", told
    )


def test_a_prober_that_looks_tells_of_no_gap(scripted: Callable[..., Mapping[str, Endpoint]]) -> None:
    with Prober(scripted(api=quick)) as prober:
        until(lambda: len(prober.of("api")) >= 5)
    assert list(prober.unseen(lambda at_s: at_s)) == []


@pytest.mark.parametrize(("count", "most"), [(1, 1), (4, 4), (10, 4), (1000, 4)])
def test_a_few_endpoints_are_looked_at_in_one_go(count: int, most: int) -> None:
    at = Counter(_spread(count))
    assert sum(at.values()) == count
    assert max(at.values()) == most
    assert all(0 <= part < 1 for part in at)
