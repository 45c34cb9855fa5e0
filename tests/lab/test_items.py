"""Items through the cache: counted, compared with the database, forgotten, warmed; each with its refusing twin."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import psycopg
import pytest

from drillbook_lab.testing import RunningLab

pytestmark = pytest.mark.lab

ITEMS = "item-31,item-32,item-33"


def sources(lab: RunningLab) -> dict[str, int]:
    found: dict[str, int] = lab.api("GET", f"/items?ids={ITEMS}").json()["sources"]
    return found


def put_into_cache(lab: RunningLab, item: str, value: object) -> None:
    with lab.redis(lab.primary()) as redis:
        held = json.loads(str(redis.get(f"cache:item:{item}")))
        redis.set(f"cache:item:{item}", json.dumps({**held, "value": value}), keepttl=True)


def test_a_lab_begins_with_projects_and_their_scenes_and_keeps_them_together(lab: RunningLab) -> None:
    assert lab.sql("SELECT count(*), count(DISTINCT project_id) FROM scenes") == [(600, 200)]
    assert lab.sql("SELECT updated_at::date::text FROM projects WHERE id = 'project-1'") == [("2026-01-01",)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        lab.sql("INSERT INTO scenes VALUES ('scene-x', 'no-such-project', 1, '')")


def test_the_database_has_a_small_disk_where_the_kernel_allows_one(lab: RunningLab) -> None:
    volume = Path(lab.contract["postgres"]["volume"])
    if not volume.is_symlink():
        pytest.skip("this kernel makes no mount namespace for us")
    found = os.statvfs(volume)
    assert found.f_blocks * found.f_frsize == 64 * 2**20
    assert str(volume.resolve()) not in Path("/proc/self/mounts").read_text()


def test_several_items_are_missed_then_hit_and_the_metrics_say_so(lab: RunningLab) -> None:
    assert sources(lab) == {"hit": 0, "miss": 3, "bypass": 0}
    assert sources(lab) == {"hit": 3, "miss": 0, "bypass": 0}
    metrics = lab.api("GET", "/cache/metrics").json()
    assert 0 < metrics["hit_rate"] < 1
    assert metrics["miss"] >= 3


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=,", "?ids=" + ",".join(["a"] * 101)])
def test_no_items_or_too_many_are_refused(lab: RunningLab, query: str) -> None:
    assert lab.api("GET", f"/items{query}").status_code == 400


def test_a_wrong_entry_is_served_and_found_until_it_is_forgotten(lab: RunningLab) -> None:
    sources(lab)
    assert lab.api("GET", "/cache/wrong").json()["wrong"] == []
    put_into_cache(lab, "item-31", {"number": -1})
    assert lab.api("GET", "/items/item-31").json()["value"] == {"number": -1}
    assert lab.api("GET", "/cache/wrong").json()["wrong"] == ["item-31"]
    assert lab.api("DELETE", "/cache/items/item-31").json() == {"changed": True}
    assert lab.api("DELETE", "/cache/items/item-31").json() == {"changed": False}
    assert lab.api("GET", "/items/item-31").json()["value"] == {"number": 31}


def test_warming_adds_what_is_missing_and_nothing_else(lab: RunningLab) -> None:
    lab.api("POST", "/cache/warm")
    lab.api("DELETE", "/cache/items/item-32")
    assert lab.api("POST", "/cache/warm").json() == {"added": 1}
    assert lab.api("POST", "/cache/warm").json() == {"added": 0}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/cache/wrong"), ("POST", "/cache/warm"), ("DELETE", "/cache/items/item-33")]
)
def test_the_cache_is_the_operators(lab: RunningLab, method: str, path: str) -> None:
    assert lab.api(method, path, key="wrong").status_code == 401


def test_what_users_were_answered_is_counted_and_looking_on_is_not(lab: RunningLab) -> None:
    def errors() -> float:
        rate: float = lab.health()["requests"]["error_rate"] or 0.0
        return rate

    lab.eventually("no error in the last seconds", lambda: errors() == 0)
    lab.cut("api", "postgres")
    try:
        lab.api("DELETE", "/cache/items/item-33")
        assert lab.api("GET", "/items/item-33").status_code == 503
        assert errors() > 0
        lab.eventually("an API that is not ready", lambda: lab.api("GET", "/health/ready").status_code == 503)
        lab.eventually("no error in the last seconds", lambda: errors() == 0)
    finally:
        lab.heal()


def test_redis_away_means_the_database_for_users_and_an_error_for_operators(lab: RunningLab) -> None:
    lab.cut("api", "redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3")
    assert sources(lab) == {"hit": 0, "miss": 0, "bypass": 3}
    assert lab.api("POST", "/cache/warm").status_code == 503


def test_a_restart_keeps_what_was_acknowledged_in_memory_and_a_kill_loses_it(lab: RunningLab) -> None:
    def in_memory(prefix: str) -> None:
        for n in range(5):
            answer = lab.api("POST", "/webhooks", {"id": f"{prefix}-{n}", "kind": "test", "payload": {}})
            assert answer.json()["queued"] == "memory"

    redis = ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3")
    for end, done in (("stop", 5), ("kill", 0)):
        prefix = f"restart-{end}"
        lab.cut("api", *redis)
        lab.eventually("Redis seen down", lambda: lab.health()["components"]["redis"]["status"] == "down")
        in_memory(prefix)
        if end == "stop":
            lab.supervisor.stop("api")
        else:
            lab.kill("api")
        lab.heal()
        # what was taken up stands before newcomers: once this one is done, so is all that will be
        after = f"after-{end}"
        lab.api("POST", "/webhooks", {"id": after, "kind": "test", "payload": {}})
        lab.eventually("a later job", partial(lab.runs, after))
        lab.eventually("the jobs that were kept", lambda: len(lab.runs(prefix)) >= done)  # noqa: B023 - asked in this turn
        assert lab.runs(prefix) == {f"{prefix}-{n}": 1 for n in range(done)}
