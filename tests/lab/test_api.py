"""The API of a healthy lab, each answer with its refusing twin."""

from __future__ import annotations

import httpx
import pytest

from drillbook_lab.testing import RunningLab

from .support import ROOT, Plays, recap, said

pytestmark = pytest.mark.lab


def post(lab: RunningLab, job: str, kind: str = "test", **payload: object) -> None:
    answer = lab.api("POST", "/webhooks", {"id": job, "kind": kind, "payload": payload})
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"id": job, "queued": "redis"}


def test_a_webhook_becomes_a_job_that_is_done_once(lab: RunningLab) -> None:
    post(lab, "api-once")
    post(lab, "api-once")
    lab.eventually("the job", lambda: lab.runs("api-once"))
    post(lab, "api-once")
    post(lab, "api-after")
    lab.eventually("a later job", lambda: lab.runs("api-after"))
    assert lab.runs("api-once") == {"api-once": 1}


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [("wrong", {"id": "1", "kind": "k"}, 401), (None, {"id": "1"}, 400), (None, ["no"], 400)],
)
def test_a_stranger_and_nonsense_are_refused(lab: RunningLab, key: str | None, body: object, status: int) -> None:
    answer = lab.api("POST", "/webhooks", body, key)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["/queue/metrics", "/queue/dlq"])
def test_the_queue_is_shown_to_whom_it_belongs(lab: RunningLab, path: str) -> None:
    assert lab.api("GET", path).status_code == 200
    assert lab.api("GET", path, key="wrong").status_code == 401


def test_health_is_truthful_in_good_times(lab: RunningLab) -> None:
    health = lab.health()
    assert health["status"] == "ok"
    assert {name: part["status"] for name, part in health["components"].items()} == {"redis": "up", "database": "up"}
    assert isinstance(health["components"]["redis"]["latency_ms"], float)  # 0.0 on a fast machine
    assert health["circuit_breaker"] == {"state": "closed", "failures": 0}
    assert health["buffer"] == {"size": 0, "limit": 1000}
    assert health["memory"]["rss_bytes"] > 1_000_000
    assert lab.api("GET", "/health/live").status_code == 200
    assert lab.api("GET", "/health/ready").status_code == 200


def test_version_is_the_same_everywhere(lab: RunningLab) -> None:
    answer = lab.api("GET", "/version")
    assert answer.json()["version"] == lab.health()["version"] == lab.contract["product"]["stable"].removeprefix("v")
    assert {lab.api("GET", path).headers["x-release"] for path in ("/health/live", "/projects", "/nowhere")} == {
        answer.json()["version"]
    }


def test_during_maintenance_only_operators_write(lab: RunningLab) -> None:
    def webhook() -> httpx.Response:
        return lab.api("POST", "/webhooks", {"id": "api-maintenance", "kind": "test", "payload": {}})

    assert lab.api("POST", "/maintenance/enable", key="wrong").status_code == 401
    assert lab.api("POST", "/maintenance/begin").status_code == 404
    assert lab.api("POST", "/maintenance/enable").json() == {"changed": True, "maintenance": True}
    try:
        assert lab.api("POST", "/maintenance/enable").json()["changed"] is False
        assert lab.health()["status"] == "maintenance"
        refused = webhook()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
        assert lab.api("GET", "/projects").status_code == 200
        assert lab.api("POST", "/queue/resume").status_code == 200
    finally:
        assert lab.api("POST", "/maintenance/disable").json() == {"changed": True, "maintenance": False}
    assert webhook().status_code == 202
    lab.eventually("the job after maintenance", lambda: lab.runs("api-maintenance"))


def test_a_poison_job_ends_as_a_dead_letter_and_the_others_go_on(lab: RunningLab) -> None:
    post(lab, "api-poison", kind="poison")
    post(lab, "api-beside-poison")
    lab.eventually("the other job", lambda: lab.runs("api-beside-poison"))

    def dead() -> bool:
        letters = lab.api("GET", "/queue/dlq").json()
        return any(each["id"] == "api-poison" and each["attempts"] == 5 for each in letters["jobs"])

    lab.eventually("the dead letter", dead, within_s=30)
    assert lab.runs("api-poison") == {}


def test_a_job_that_fails_twice_is_done_at_the_third_attempt(lab: RunningLab) -> None:
    post(lab, "api-retry", fail_attempts=2)
    lab.eventually("the third attempt", lambda: lab.runs("api-retry"))
    assert lab.sql("SELECT attempt FROM job_runs WHERE job_id = 'api-retry'") == [(3,)]


def test_a_paused_queue_holds_its_jobs(lab: RunningLab) -> None:
    assert lab.api("POST", "/queue/pause").json() == {"changed": True, "paused": True}
    assert lab.api("POST", "/queue/pause").json()["changed"] is False
    post(lab, "api-paused")
    metrics = lab.api("GET", "/queue/metrics").json()
    assert metrics["paused"] is True
    assert metrics["depth"] == 1
    assert lab.runs("api-paused") == {}
    assert lab.api("POST", "/queue/resume").json()["changed"] is True
    lab.eventually("the held job", lambda: lab.runs("api-paused"))


def test_the_oldest_active_job_has_an_age(lab: RunningLab) -> None:
    post(lab, "api-slow", work_ms=3000)
    lab.eventually("an active job", lambda: lab.api("GET", "/queue/metrics").json()["active"] == 1)
    lab.eventually("its age", lambda: (lab.api("GET", "/queue/metrics").json()["oldest_active_s"] or 0) > 1, within_s=5)
    lab.eventually("its end", lambda: lab.runs("api-slow"))
    lab.eventually("a rate", lambda: lab.api("GET", "/queue/metrics").json()["processing_rate"] > 0)


def test_an_item_is_a_miss_then_a_hit_and_an_unknown_one_404(lab: RunningLab) -> None:
    assert [lab.api("GET", "/items/item-7").headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]
    assert lab.api("GET", "/items/item-7").json()["value"] == {"number": 7}
    assert lab.api("GET", "/items/nobody").status_code == 404


def test_metrics_hold_what_dashboards_ask_for(lab: RunningLab) -> None:
    text = lab.api("GET", "/metrics").text
    for name in (
        "process_resident_memory_bytes",
        'webhooks_total{result="redis"}',
        'circuit_breaker_state{state="closed"} 1.0',
        "buffer_size 0.0",
        'cache_requests_total{result="hit"}',
    ):
        assert name in text


def test_logs_are_chosen_by_level_and_service(lab: RunningLab) -> None:
    lines = lab.api("GET", "/logs?level=info&service=api").json()["logs"]
    assert [line["message"] for line in lines] == ["started"]
    assert lab.api("GET", "/logs?level=loud").status_code == 400


def test_a_release_that_is_not_served_in_time_is_taken_back(lab: RunningLab, plays: Plays) -> None:
    before = lab.api("GET", "/version").json()
    more = {"release_ref": "bad/does-not-start", "drillbook_release_within": 2}
    events = plays.run(ROOT / "playbooks/deploy/release.yml", ROOT / "inventories/lab", **more)
    assert recap(events) == (False, True)
    assert f"was not served within 2 s: {before['commit']} is live again" in said(events)
    after = lab.api("GET", "/version").json()
    assert (after["commit"], after["started_at"] > before["started_at"]) == (before["commit"], True)
