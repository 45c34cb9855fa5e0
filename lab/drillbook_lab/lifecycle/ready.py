"""Whether the lab is up: each part is asked in the way in which its users will ask it."""

import ssl
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import psycopg
from redis.backoff import NoBackoff
from redis.client import Redis
from redis.exceptions import RedisError
from redis.retry import Retry

from drillbook_lab.app.webhooks.jobs import job_id
from drillbook_lab.base.poll import NotYet
from drillbook_lab.base.topology import HOST, MASTER_NAME, QUEUE_NAME, REDIS_NODES, SENTINELS
from drillbook_lab.lifecycle.parts.postgres import ADMIN, url

TRANSIENT: tuple[type[Exception], ...] = (
    NotYet,
    RedisError,
    OSError,
    psycopg.OperationalError,
    httpx.HTTPError,
    ssl.SSLError,
)


def client(
    port: int,
    password: str,
    *,
    username: str | None = None,
    ca: str | None = None,
    timeout_s: float = 2,
    host: str = HOST,
) -> Redis:
    """A plain Redis client with one attempt; over TLS when an authority is given."""
    tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": ca, "ssl_check_hostname": True} if ca else {}
    return Redis(
        host=host,
        port=port,
        username=username,
        password=password,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        **tls,
    )


def reachable(base: str) -> bool:
    """Whether somebody answers there, whatever the answer is."""
    httpx.get(base, timeout=2, trust_env=False)
    return True


def replication(ports: Mapping[str, int], password: str) -> bool:
    """Whether the primary has one replica that is in step."""
    with client(ports[REDIS_NODES[0]], password) as redis:
        replicas = redis.info("replication")
    if replicas.get("slave0", {}).get("state") != "online":
        raise NotYet(f"the primary has no replica online: {replicas.get('slave0')}")
    return True


def sentinels(ports: Mapping[str, int], password: str) -> bool:
    """Whether each sentinel takes the primary for up, and knows the replica and both other sentinels."""
    for name in SENTINELS:
        with client(ports[name], password) as sentinel:
            master: Mapping[str, Any] = sentinel.sentinel_masters()[MASTER_NAME]
            replicas: list[Mapping[str, Any]] = sentinel.sentinel_slaves(MASTER_NAME)
            others: list[Mapping[str, Any]] = sentinel.sentinel_sentinels(MASTER_NAME)
        flags = [str(each.get("flags")) for each in (*replicas, *others)]
        if sorted(flags) != ["sentinel", "sentinel", "slave"] or str(master["flags"]) != "master":
            raise NotYet(f"{name} sees the primary as {master['flags']} and the others as {flags}")
    return True


# httpx reads the trusted certificates for each client, which takes 15 ms of CPU. The lab speaks http, and is polled.


def health(base_url: str) -> bool:
    """Whether the API says "ok" for itself, Redis and the database."""
    answer = httpx.get(f"{base_url}/health/details", timeout=2, trust_env=False, verify=False).json()
    if answer["status"] != "ok":
        parts = {name: part["error"] for name, part in answer["components"].items() if part["error"]}
        raise NotYet(f"the API is {answer['status']}: {parts}")
    return True


def frontend(base_url: str) -> bool:
    """Whether the CDN has a page for users."""
    return httpx.get(f"{base_url}/", timeout=2, trust_env=False, verify=False).status_code == 200


def answers(url: str) -> bool:
    """Whether there is an answer without an error."""
    httpx.get(url, timeout=2, trust_env=False, verify=False).raise_for_status()
    return True


def scraped(base_url: str) -> bool:
    """Whether Prometheus has read the metrics of the API."""
    asked = httpx.get(f"{base_url}/api/v1/query", params={"query": "up"}, timeout=2, trust_env=False, verify=False)
    asked.raise_for_status()
    if [each["value"][1] for each in asked.json()["data"]["result"]] != ["1"]:
        raise NotYet(f"Prometheus has not read the metrics of the API: {asked.text[:200]}")
    return True


def submit_first_job(base_url: str, key: str) -> str:
    """Send a webhook as a sender would; returns its id."""
    webhook_id = f"up-{uuid.uuid4()}"
    webhook = {"id": webhook_id, "kind": "first", "payload": {}}
    answer = httpx.post(f"{base_url}/webhooks", json=webhook, headers={"X-API-Key": key}, timeout=5, trust_env=False)
    if answer.status_code != 202 or answer.json()["queued"] != "redis":
        raise NotYet(f"the first webhook was answered {answer.status_code} {answer.text[:200]}")
    return webhook_id


def job_done(webhook_id: str, ports: Mapping[str, int], postgres_password: str, redis_password: str) -> bool:
    """Whether the job's work is in the database and Redis knows so; a job forgotten earlier is delivered again."""
    with psycopg.connect(url(ports["postgres"], ADMIN, postgres_password), connect_timeout=2) as database:
        worked = database.execute("SELECT FROM job_runs WHERE job_id = %s", (webhook_id,)).rowcount == 1
    with client(ports[REDIS_NODES[0]], redis_password) as redis:
        return worked and redis.zscore(f"bull:{QUEUE_NAME}:completed", job_id(webhook_id)) is not None


def forget_job(webhook_id: str, ports: Mapping[str, int], postgres_password: str, redis_password: str) -> None:
    """Remove the first job's traces, because a drill's ledger must find only its own work."""
    with psycopg.connect(url(ports["postgres"], ADMIN, postgres_password), connect_timeout=2) as database:
        database.execute("DELETE FROM job_runs WHERE job_id = %s", (webhook_id,))
        database.execute("DELETE FROM items WHERE id = %s", (webhook_id,))
    prefix = f"bull:{QUEUE_NAME}:"
    with client(ports[REDIS_NODES[0]], redis_password) as redis:
        redis.zrem(prefix + "completed", job_id(webhook_id))
        redis.delete(prefix + job_id(webhook_id), prefix + "events")
