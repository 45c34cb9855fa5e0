"""What the application does in an outage, and that nothing acknowledged is lost: each outage is really made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.client import Redis

from drillbook_lab.app.webhooks.jobs import job_id
from drillbook_lab.base.poll import NotYet
from drillbook_lab.base.topology import MASTER_NAME, QUEUE_NAME, SENTINEL_DOWN_AFTER_MS
from drillbook_lab.testing import RunningLab

pytestmark = pytest.mark.lab

REDIS = ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3")


def submit(lab: RunningLab, job: str) -> str | None:
    """Send one webhook; where it is queued, or None when it was refused."""
    answer = lab.api("POST", "/webhooks", {"id": job, "kind": "test", "payload": {}})
    return str(answer.json()["queued"]) if answer.status_code == 202 else None


def messages_at(url: str) -> Any:
    return httpx.get(url, timeout=5).json()


def redis_is(lab: RunningLab, status: str, kind: str | None = None) -> bool:
    part = lab.health()["components"]["redis"]
    return part["status"] == status and kind in (None, part["error_kind"])


def submit_until(lab: RunningLab, prefix: str, enough: Callable[[], bool]) -> list[str]:
    """Send webhooks one after the other until it is enough; the acknowledged ids."""
    acknowledged: list[str] = []

    def send() -> bool:
        job = f"{prefix}-{len(acknowledged)}-x"
        if submit(lab, job):
            acknowledged.append(job)
        return enough()

    lab.eventually("enough webhooks", send, within_s=60)
    return acknowledged


def assert_each_done_once(lab: RunningLab, prefix: str, acknowledged: list[str]) -> None:
    def all_done() -> bool:
        missing = sorted(set(acknowledged) - set(lab.runs(prefix)))
        if missing:
            raise NotYet(f"{len(missing)} of {len(acknowledged)} are not done: {whereabouts(lab, missing[:3])}")
        return True

    lab.eventually("all acknowledged jobs", all_done, within_s=120)
    assert {job: count for job, count in lab.runs(prefix).items() if count != 1} == {}


def whereabouts(lab: RunningLab, jobs: list[str]) -> str:
    """What Redis knows of these jobs, and the queue and its workers as they are: for the message of a failure."""
    with lab.redis(lab.primary()) as node:
        known = {job: node.hgetall(f"bull:{QUEUE_NAME}:{job_id(job)}") for job in jobs}
        clients = [each["name"] for each in node.client_list()]
    health = lab.health()
    return f"{known}; clients {clients}; health {health}; {lab.api('GET', '/queue/metrics').text}"


def test_a_cut_network_opens_the_breaker_fills_the_buffer_and_heals_by_itself(lab: RunningLab) -> None:
    lab.cut("api", *REDIS)
    lab.eventually("redis down", lambda: redis_is(lab, "down", "timeout"))
    acknowledged = submit_until(lab, "cut", lambda: lab.health()["circuit_breaker"]["state"] == "open")
    assert lab.health()["buffer"]["size"] > 0
    assert lab.health()["status"] == "degraded"
    assert lab.api("GET", "/health/ready").status_code == 200
    refused = lab.api("GET", "/queue/metrics")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert refused.json()["error"]
    assert lab.api("GET", "/items/item-1").headers["X-Cache"] == "bypass"
    errors = lab.api("GET", "/logs?level=error&service=queue").json()["logs"]
    assert errors
    lab.proxy("POST", "/reset")
    lab.eventually("redis up", lambda: redis_is(lab, "up"))
    assert_each_done_once(lab, "cut", acknowledged)
    lab.eventually("an empty buffer", lambda: lab.health()["buffer"]["size"] == 0)
    lab.eventually("a closed breaker", lambda: lab.health()["circuit_breaker"]["state"] == "closed")


def test_a_full_buffer_refuses_with_retry_after_and_loses_nothing(lab: RunningLab) -> None:
    lab.proxy("POST", f"/proxies?client=api&server={','.join(REDIS)}", {"enabled": False})
    lab.eventually("redis down", lambda: redis_is(lab, "down", "refused"))
    acknowledged: list[str] = []

    def fill() -> bool:
        job = f"full-{len(acknowledged)}-x"
        answer = lab.api("POST", "/webhooks", {"id": job, "kind": "test", "payload": {}})
        if answer.status_code == 202:
            acknowledged.append(job)
            return False
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "full" in answer.json()["error"]
        return True

    while not fill():
        pass
    assert lab.health()["buffer"] == {"size": 1000, "limit": 1000}
    assert len(acknowledged) == 1000
    assert lab.health()["status"] == "down"
    assert lab.api("GET", "/health/ready").status_code == 503
    assert lab.api("GET", "/health/live").status_code == 200
    lab.proxy("POST", "/reset")
    assert_each_done_once(lab, "full", acknowledged)


def lock_out(lab: RunningLab) -> None:
    """Redis refuses the application."""
    for name in ("redis-1", "redis-2"):
        with lab.redis(name) as node:
            node.execute_command("ACL", "SETUSER", "app", "off")
            node.execute_command("CLIENT", "KILL", "USER", "app")


def unlock(lab: RunningLab) -> None:
    for name in ("redis-1", "redis-2"):
        with lab.redis(name) as node:
            node.execute_command("ACL", "SETUSER", "app", "on")


def test_a_user_taken_away_is_an_authentication_error(lab: RunningLab) -> None:
    lock_out(lab)
    lab.eventually("redis down", lambda: redis_is(lab, "down", "auth"))
    assert submit(lab, "acl-1") == "memory"
    unlock(lab)
    lab.eventually("redis up", lambda: redis_is(lab, "up"))
    assert_each_done_once(lab, "acl", ["acl-1"])


def sentinels_are_patient(lab: RunningLab, patience_ms: int) -> None:
    for client in sentinels(lab):
        client.execute_command("SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", patience_ms)


def sentinels_are_as_before(lab: RunningLab) -> None:
    """Not before each has an answer again: they would call the primary down at once, and its last writes were lost."""

    def answered() -> bool:
        states: list[Any] = [client.sentinel_master(MASTER_NAME) for client in sentinels(lab)]
        return all(int(state["last-ok-ping-reply"]) < SENTINEL_DOWN_AFTER_MS // 3 for state in states)

    lab.eventually("an answer to each Sentinel", answered)
    sentinels_are_patient(lab, SENTINEL_DOWN_AFTER_MS)


def sentinels(lab: RunningLab) -> Iterator[Any]:
    redis = lab.contract["redis"]
    for sentinel in redis["sentinels"].values():
        with Redis(port=sentinel["port"], password=redis["sentinel_password"], decode_responses=True) as client:
            yield client


@contextmanager
def at_its_limit(lab: RunningLab) -> Iterator[None]:
    """Redis takes no more connections, and has closed those that there were."""
    # Sentinels that cannot log in would soon call the primary down, and the API would no longer try it
    sentinels_are_patient(lab, 60_000)
    with lab.redis(lab.primary()) as node:
        limit = node.config_get("maxclients")["maxclients"]
        # one, and this connection has it: with more, whoever comes back first would get the rest
        node.config_set("maxclients", 1)
        try:
            node.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            yield
        finally:
            node.config_set("maxclients", limit)
            sentinels_are_as_before(lab)


def test_too_many_clients_is_a_limit(lab: RunningLab) -> None:
    with at_its_limit(lab):
        lab.eventually("the limit", lambda: redis_is(lab, "down", "limit"))
    lab.eventually("redis up", lambda: redis_is(lab, "up"))


@contextmanager
def refusing(lab: RunningLab) -> Iterator[None]:
    lock_out(lab)
    yield
    unlock(lab)


@contextmanager
def paused(lab: RunningLab) -> Iterator[None]:
    """Redis answers no write; its Sentinels, which only ask, it answers."""
    # as late as a busy machine lets it: they would promote the replica, which has nothing of this
    sentinels_are_patient(lab, 60_000)
    with lab.redis(lab.primary()) as node:
        node.client_pause(600_000, all=False)
        try:
            yield
        finally:
            node.client_unpause()
            sentinels_are_as_before(lab)


@contextmanager
def cut_off(lab: RunningLab) -> Iterator[None]:
    lab.cut("api", *REDIS)
    yield
    lab.proxy("POST", "/reset")


AWAY = {"refused": refusing, "paused": paused, "full": at_its_limit, "cut": cut_off}


@pytest.mark.parametrize("how", AWAY)
def test_an_api_that_is_told_to_end_ends_and_leaves_what_it_acknowledged(lab: RunningLab, how: str) -> None:
    """However Redis is away: nobody has to kill it, and webhooks come in until the end."""
    pending = Path(lab.contract["env"]["api"]).with_suffix(".pending.ndjson")
    prefix = f"end-{how}"
    with AWAY[how](lab):
        acknowledged = submit_until(lab, prefix, lambda: lab.health()["buffer"]["size"] >= 20)
        killed = kills_of_the_api(lab)
        with ThreadPoolExecutor(1) as beside:
            # supervisor waits as long as it says (stopwaitsecs), and then kills
            stopping = beside.submit(lab.supervisor.stop, "api")
            while not stopping.done():
                job = f"{prefix}-late-{len(acknowledged)}-x"
                with suppress(httpx.HTTPError):
                    acknowledged += [job] if submit(lab, job) else []
            stopping.result()
        assert lab.statename("api") == "STOPPED"
        assert kills_of_the_api(lab) == killed
        kept = {json.loads(line)["id"] for line in pending.read_text().splitlines()}
    assert len(kept) >= 20
    with lab.redis(lab.primary()) as node:
        queued = {job for job in acknowledged if node.exists(f"bull:{QUEUE_NAME}:{job_id(job)}")}
    assert set(acknowledged) - kept - queued == set()
    lab.supervisor.start("api")
    assert_each_done_once(lab, prefix, acknowledged)


def kills_of_the_api(lab: RunningLab) -> int:
    """How often supervisor has killed the API since it did not end."""
    return lab.lab.logs("supervisord", 10_000).count("killing 'api'")


@pytest.mark.parametrize("certificate", ["expired", "untrusted"])
def test_a_bad_certificate_is_a_tls_error(lab: RunningLab, certificate: str) -> None:
    lab.proxy("POST", f"/proxies?client=api&server={','.join(REDIS)}", {"certificate": certificate})
    lab.eventually("redis down", lambda: redis_is(lab, "down", "tls"))
    lab.proxy("POST", "/reset")
    lab.eventually("redis up", lambda: redis_is(lab, "up"))


def test_a_killed_primary_is_replaced_and_every_acknowledged_job_is_done_once(lab: RunningLab) -> None:
    old = lab.primary()
    before = submit_until(lab, "failover-a", lambda: len(lab.runs("failover-a")) >= 20)
    lab.kill(old)
    during = submit_until(lab, "failover-b", lambda: redis_is(lab, "down"))
    during += submit_until(lab, "failover-c", lambda: lab.primary() != old and redis_is(lab, "up"))
    lab.eventually("an empty buffer", lambda: lab.health()["buffer"]["size"] == 0)
    after = submit_until(lab, "failover-d", lambda: len(lab.runs("failover-d")) >= 20)
    assert_each_done_once(lab, "failover", before + during + after)
    lab.supervisor.start(old)

    def replica() -> bool:
        with lab.redis(old) as node:
            return bool(node.info("replication")["role"] == "slave")

    lab.eventually("the old primary as a replica", replica, within_s=40)


def test_without_sentinel_nobody_takes_over(lab: RunningLab) -> None:
    """The twin of the failover: with a restart of the old primary as the only way back."""
    old = lab.primary()
    for name in ("sentinel-2", "sentinel-3"):
        lab.supervisor.stop(name)
    lab.kill(old)
    lab.eventually("redis down", lambda: redis_is(lab, "down"))
    acknowledged = submit_until(lab, "alone", lambda: lab.health()["circuit_breaker"]["state"] == "open")
    with lab.redis(next(n for n in ("redis-1", "redis-2") if n != old)) as other:
        assert other.info("replication")["role"] == "slave"
    lab.supervisor.start(old)
    lab.eventually("redis up", lambda: redis_is(lab, "up"), within_s=30)
    assert_each_done_once(lab, "alone", acknowledged)


def test_a_killed_worker_loses_no_job(lab: RunningLab) -> None:
    for name in ("worker-2", "worker-3"):
        lab.supervisor.stop(name)
    for number in range(3):
        # as many as it takes up at once; longer than a busy machine needs to see them active and to kill their worker
        body = {"id": f"held-{number}", "kind": "test", "payload": {"work_ms": 15000}}
        assert lab.api("POST", "/webhooks", body).status_code == 202
    lab.eventually("active jobs", lambda: lab.api("GET", "/queue/metrics").json()["active"] == 3)
    lab.kill("worker-1")
    assert lab.runs("held") == {}
    lab.supervisor.start("worker-2")
    assert_each_done_once(lab, "held", [f"held-{number}" for number in range(3)])


def test_a_stopped_database_is_seen_and_its_jobs_are_retried(lab: RunningLab) -> None:
    lab.supervisor.stop("postgres")
    lab.eventually("database down", lambda: lab.health()["components"]["database"]["status"] == "down")
    assert lab.api("GET", "/health/ready").status_code == 503
    assert submit(lab, "nodb-1") == "redis"
    lab.supervisor.start("postgres")
    lab.eventually("database up", lambda: lab.health()["components"]["database"]["status"] == "up")
    assert_each_done_once(lab, "nodb", ["nodb-1"])


def test_a_cut_database_hangs_nobody(lab: RunningLab) -> None:
    lab.cut("api", "postgres")
    lab.eventually(
        "database down", lambda: lab.health()["components"]["database"]["error_kind"] == "timeout", within_s=10
    )
    answer = lab.api("GET", "/items/item-50")
    assert answer.status_code == 503
    lab.proxy("POST", "/reset")
    lab.eventually("database up", lambda: lab.health()["components"]["database"]["status"] == "up")
    lab.eventually("the item", lambda: lab.api("GET", "/items/item-50").status_code == 200)


def test_an_outage_reaches_slack_and_so_does_its_end(lab: RunningLab) -> None:
    sink = lab.contract["sink"]["url"]
    last = messages_at(f"{sink}/messages")["last_id"]

    def alerts() -> dict[str, str]:
        found = messages_at(f"{sink}/messages?channel=%23alerts&since_id={last}")["messages"]
        return {
            f"{each['payload']['attachments'][0]['fields'][0]['value']}": each["payload"]["attachments"][0]["color"]
            for each in found
        }

    lab.cut("api", *REDIS)
    lab.eventually("the alert", lambda: alerts().get("redis_down") == "danger")
    lab.proxy("POST", "/reset")
    lab.eventually("its end", lambda: alerts().get("redis_down") == "good")


def test_a_dead_api_is_reported_when_slack_cannot_be_reached_at_first(lab: RunningLab) -> None:
    sink = lab.contract["sink"]["url"]
    last = messages_at(f"{sink}/messages")["last_id"]
    lab.proxy("POST", "/proxies/alerting-sink", {"enabled": False})
    lab.supervisor.stop("api")

    def tried() -> bool:
        return "Slack does not take the message" in lab.lab.logs("alerting")

    lab.eventually("a message that could not be sent", tried)
    assert messages_at(f"{sink}/messages?since_id={last}")["messages"] == []
    lab.proxy("POST", "/proxies/alerting-sink", {"enabled": True})
    lab.eventually("the alert", lambda: messages_at(f"{sink}/messages?since_id={last}")["messages"])
