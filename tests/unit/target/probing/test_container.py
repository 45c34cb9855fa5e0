"""An endpoint of kind container: what an engine says of it, by the package that talks to engines."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drillbook.checks import At
from drillbook.clients import container_client, container_events, container_log
from drillbook.errors import CouldNotLookError, DrillbookError
from drillbook.model.times.sample import Sample
from drillbook.target.inventory.settings import Endpoint, EndpointKind
from drillbook.target.probing import probes
from drillbook.target.probing.probes import take_once

pytestmark = pytest.mark.unit

MB = 1024 * 1024
RUNNING = {
    "Status": "running",
    "ExitCode": 0,
    "OOMKilled": False,
    "StartedAt": "2026-11-30T10:00:00Z",
    "FinishedAt": "0001-01-01T00:00:00Z",
    "Health": {"Status": "healthy"},
}
EXITED = {**RUNNING, "Status": "exited", "ExitCode": 137}
STATS = {"usage": 96 * MB, "limit": 256 * MB, "stats": {"total_inactive_file": 32 * MB}}


class FakeEngine:
    """Answers like an engine of API 1.41 that has one container, `api`."""

    def __init__(self) -> None:
        self.state: Mapping[str, Any] = RUNNING
        self.memory: Mapping[str, Any] = STATS
        self.asked: list[str] = []
        self.silent = threading.Event()
        self.events: list[Mapping[str, Any]] = []
        self.wall_s = time.time()
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                engine.asked.append(self.path)
                if engine.silent.is_set():
                    return
                status, answer = engine.answer(urlsplit(self.path).path)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, path: str) -> tuple[int, object]:
        name = path.removeprefix("/v1.41").replace("/4711/", "/api/")  # the client goes on by the id
        known = {"Id": "4711", "Config": {"Image": "shop:1.1", "Tty": True}, "State": self.state, "RestartCount": 2}
        found: Mapping[str, object] = {
            "/version": {"ApiVersion": "1.41"},
            "/info": {"SystemTime": "2026-11-30T10:00:10.123456789Z"},
            "/containers/api/json": known,
            "/containers/api/stats": {"memory_stats": self.memory},
            "/containers/api/logs": b"address already in use\n",
            "/events": b"".join(json.dumps(each).encode() + b"\n" for each in self.events),
        }
        return (200, found[name]) if name in found else (404, {"message": f"No such container: {name}"})

    def endpoint(self, container: str = "api", **more: Any) -> Endpoint:
        url = f"tcp://127.0.0.1:{self.server.server_port}"
        return Endpoint("api container", EndpointKind.CONTAINER, url, container=container, timeout_s=5.0, **more)

    def query(self, path: str) -> Mapping[str, list[str]]:
        """The query of the last request for this path."""
        return parse_qs(urlsplit([each for each in self.asked if path in each][-1]).query)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine()
    yield made
    made.close()


def look(endpoint: Endpoint) -> Sample:
    return asyncio.run(take_once(endpoint))


def test_a_container_that_runs_is_healthy_and_says_what_memory_it_uses(engine: FakeEngine) -> None:
    seen = look(engine.endpoint())
    assert (seen.ok, seen.error) == (True, None)
    value: Any = seen.value
    assert (value["state"], value["health"], value["restarts"], value["image"]) == ("running", "healthy", 2, "shop:1.1")
    assert value["memory"] == {"used_bytes": 64 * MB, "limit_bytes": 256 * MB, "share": 0.25}
    # else the engine measures for a second before it answers
    assert engine.query("/stats") == {"stream": ["False"], "one-shot": ["True"]}
    assert At("api container").answers().judge(seen).met


@pytest.mark.parametrize(
    ("state", "observed"),
    [
        (EXITED, "exited, healthy"),
        ({**RUNNING, "Health": {"Status": "unhealthy"}}, "running, unhealthy"),
        ({**RUNNING, "Health": {"Status": "starting"}}, "running, starting"),
        ({**RUNNING, "Status": "paused"}, "paused, healthy"),
        ({key: each for key, each in EXITED.items() if key != "Health"}, "exited"),
    ],
)
def test_one_that_does_not_run_well_is_an_answer_that_is_not_healthy(
    engine: FakeEngine, state: Mapping[str, Any], observed: str
) -> None:
    engine.state = state
    seen = look(engine.endpoint())
    assert (seen.ok, seen.error) == (False, None)
    answers, silent = (check.judge(seen) for check in (At("api container").answers(), At("api container").silent()))
    assert (answers.met, silent.met) == (False, True)
    assert answers.observed == silent.observed == observed


def test_a_container_without_a_check_of_its_health_is_healthy_when_it_runs(engine: FakeEngine) -> None:
    engine.state = {key: each for key, each in RUNNING.items() if key != "Health"}
    seen: Any = look(engine.endpoint())
    assert (seen.ok, seen.value["health"]) == (True, "none")


def test_how_a_container_ended_is_known(engine: FakeEngine) -> None:
    engine.state = {**EXITED, "OOMKilled": True}
    value: Any = look(engine.endpoint()).value
    assert (value["exit_code"], value["oom_killed"], value["memory"]) == (137, True, None)
    assert not any("/stats" in each for each in engine.asked)


def test_one_that_ends_while_it_is_asked_has_no_memory(engine: FakeEngine) -> None:
    engine.memory = {}
    value: Any = look(engine.endpoint()).value
    assert value["memory"] is None


def test_a_container_that_is_not_there_is_no_answer(engine: FakeEngine) -> None:
    seen = look(engine.endpoint("web"))
    assert not seen.ok
    assert seen.error is not None
    assert "No such container" in seen.error


def test_an_engine_that_is_silent_is_no_answer(engine: FakeEngine) -> None:
    endpoint = Endpoint(
        "it", EndpointKind.CONTAINER, engine.endpoint().url, container="api", timeout_s=0.05, samples_per_s=1
    )
    engine.silent.set()
    seen = look(endpoint)
    assert (seen.ok, seen.value) == (False, None)
    assert seen.error is not None


def test_without_the_package_an_endpoint_cannot_be_asked(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'docker'", name="docker")

    monkeypatch.setattr(probes, "import_module", missing)
    with pytest.raises(DrillbookError, match=r"docker is missing: pip install 'drillbook\[containers\]'"):
        look(engine.endpoint())


def test_a_step_has_a_client(engine: FakeEngine) -> None:
    client = container_client(engine.endpoint())
    assert client.containers.get("api").status == "running"
    client.close()


def test_what_has_happened_is_told_by_the_clock_of_this_machine(engine: FakeEngine) -> None:
    """The engine's clock may be another one: here it stands at 10:00:10, and the event is from 4 s before."""
    at = 1_796_032_806_123_456_789
    engine.events = [{"Action": "oom", "timeNano": at}]
    began = time.monotonic()
    (told,) = container_events(engine.endpoint(), "oom", began - 6)
    assert began - 5 < told < time.monotonic() - 3
    asked = engine.query("/events")
    assert json.loads(asked["filters"][0]) == {"type": ["container"], "container": ["api"], "event": ["oom"]}
    assert float(asked["until"][0]) - float(asked["since"][0]) == pytest.approx(6, abs=2)
    engine.events = []
    assert container_events(engine.endpoint(), "oom", began) == []


def test_what_a_container_has_said_is_read(engine: FakeEngine) -> None:
    assert container_log(engine.endpoint(), time.monotonic()) == "address already in use\n"


def test_whoever_asks_an_engine_that_does_not_know_the_container_could_not_look(engine: FakeEngine) -> None:
    with pytest.raises(CouldNotLookError, match="No such container"):
        container_log(engine.endpoint("web"), time.monotonic())
    engine.close()
    with pytest.raises(CouldNotLookError, match="cannot be asked of its engine"):
        container_events(engine.endpoint(), "oom", time.monotonic())
