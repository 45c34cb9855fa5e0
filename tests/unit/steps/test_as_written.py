"""What source runbooks take for a proof, next to what is so: each check is met by that, and refused by its opposite."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from steps import as_written

from drillbook.errors import CouldNotLookError
from tests.support.stepdrill import Redis, StepDrill
from tests.support.unit import sample

pytestmark = pytest.mark.unit

MEMORY = "process_resident_memory_bytes 9e7\n"


@pytest.mark.parametrize(
    ("active", "stranded", "met"),
    [(4, 2, True), (0, 1, True), (7, 2, True), (8, 2, False), (4, 0, False)],
    ids=["as before", "nothing is active", "one more", "more than before", "no job is lost"],
)
def test_the_length_that_is_watched(active: int, stranded: int, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {f"wh-{number}": "unknown" for number in range(stranded)} | {"wh-9": "completed"}
    monkeypatch.setattr(as_written, "answer", lambda *_: active)
    monkeypatch.setattr(as_written, "members", lambda *_: list(jobs))
    monkeypatch.setattr(as_written, "states", lambda *_: jobs)
    drill: Any = StepDrill(before=4.0)
    as_written.watched_length_proves_nothing(drill, "waiting")
    assert drill.met is met


@pytest.mark.parametrize(
    ("text", "met"),
    [(MEMORY, True), (MEMORY + "memory_usage 3\n", False), ("", False), ("<html>no such page</html>", False)],
)
def test_the_metric_that_is_not_there(text: str, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(endpoint: Any) -> httpx.Response:
        asked.append(endpoint.url)
        return httpx.Response(200, text=text)

    monkeypatch.setattr(as_written, "http_get", get)
    drill: Any = StepDrill()
    as_written.metrics_have_no_such_line(drill)
    assert drill.met is met
    assert set(asked) == {"http://127.0.0.1/metrics"}


def redis(hits: int, misses: int) -> Redis:
    return Redis(info={"keyspace_hits": hits, "keyspace_misses": misses})


@pytest.mark.parametrize(
    ("hits", "cache", "met"),
    [(54, 0.0, True), (50, 0.0, True), (40, 0.0, False), (54, 1.0, False), (54, None, False)],
    ids=["as before", "nearly", "INFO sees it", "the cache answers", "nobody looks up"],
)
def test_the_hit_rate_of_info(hits: int, cache: float | None, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_written, "redis_client", lambda _: redis(hits, 100 - hits))
    drill: Any = StepDrill({"cache": [sample({"hit_rate": cache}, status=200)]})
    as_written.info_hit_rate_hides_it(drill, 54.0)
    assert drill.met is met


def test_the_hit_rate_before_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_written, "redis_client", lambda _: redis(54, 46))
    drill: Any = StepDrill({"cache": [sample({"hit_rate": 1.0}, status=200)]})
    assert as_written.info_hit_rate_is_known(drill) == 54.0
    assert drill.observed["the cache's own hit rate before the fault"] == "100.0 %"
    monkeypatch.setattr(as_written, "redis_client", lambda _: redis(0, 0))
    with pytest.raises(CouldNotLookError, match="nobody has looked up a key"):
        as_written.info_hit_rate_is_known(drill)
