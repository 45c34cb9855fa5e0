"""Each fault of the proxy as a real Redis client sees it, and the same client well again once the fault is gone."""

# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)

from __future__ import annotations

import socket
import time
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import redis.exceptions
from redis.client import Redis

from drillbook_lab.base.topology import HOST
from drillbook_lab.testing import RunningLab

pytestmark = pytest.mark.lab

LINK = "drill-redis-1"


def writable(lab: RunningLab) -> tuple[str, str]:
    """The node that takes writes (a test before may have made it the other one), and the link to it."""
    primary = lab.primary()
    return primary, f"drill-{primary}"


def put(lab: RunningLab, kind: str, stream: str = "both", link: str = LINK, **attributes: float) -> Any:
    return lab.proxy(
        "POST",
        f"/proxies/{link}/toxics",
        {"name": "t", "type": kind, "stream": stream, "attributes": attributes},
    )


def gone(lab: RunningLab, link: str = LINK) -> None:
    """The fault is taken away, the proxy says so, and a client that knows nothing of it agrees."""
    assert lab.proxy("POST", f"/proxies/{link}", {"heal": True})["changed"] is True
    assert lab.proxy("POST", f"/proxies/{link}", {"heal": True})["changed"] is False
    shown = lab.proxy("GET", f"/proxies/{link}")
    assert shown["faulty"] is False
    assert shown["toxics"] == []
    with lab.linked(link) as client:
        lab.eventually("an answer through the link", client.ping)


def took(client: Redis) -> float:
    began = time.monotonic()
    client.ping()
    return time.monotonic() - began


def test_latency_delays_each_answer(lab: RunningLab) -> None:
    with lab.linked(LINK) as client:
        client.ping()
        assert put(lab, "latency", latency=150)["changed"] is True
        assert put(lab, "latency", latency=150)["changed"] is False
        assert took(client) >= 0.3  # both directions
        assert put(lab, "latency", latency=10)["changed"] is True
        gone(lab)


def test_bandwidth_slows_what_is_large(lab: RunningLab) -> None:
    _, link = writable(lab)
    with lab.linked(link) as client:
        client.set("large", "x" * 20_000, ex=60)
        put(lab, "bandwidth", "downstream", link, rate=20)
        began = time.monotonic()
        assert client.strlen("large") == 20_000
        quick = time.monotonic() - began
        client.get("large")
        assert time.monotonic() - began - quick >= 0.8
        gone(lab, link)


def test_a_blackhole_keeps_connections_and_answers_nobody(lab: RunningLab) -> None:
    with lab.linked(LINK, timeout_s=1) as old, lab.linked(LINK, timeout_s=1) as new:
        lab.eventually("a connection that is open", old.ping)
        put(lab, "timeout", timeout=0)
        with pytest.raises(redis.exceptions.TimeoutError):
            old.ping()
        with pytest.raises(redis.exceptions.TimeoutError):
            new.ping()
        assert lab.proxy("GET", f"/proxies/{LINK}")["enabled"] is True
        gone(lab)


def test_what_was_sent_into_a_blackhole_arrives_afterwards(lab: RunningLab) -> None:
    primary, link = writable(lab)
    with lab.redis(primary) as direct, lab.linked(link, timeout_s=1) as client:
        direct.delete("held")
        lab.eventually("a connection that is open", client.ping)
        put(lab, "timeout", link=link, timeout=0)
        with pytest.raises(redis.exceptions.TimeoutError):
            client.set("held", "1")
        assert direct.get("held") is None
        gone(lab, link)
        lab.eventually("the held command", lambda: direct.get("held") == "1")


def test_clients_that_give_up_in_a_blackhole_leave_nothing_behind(lab: RunningLab) -> None:
    port = lab.contract["links"][LINK]["listen"]

    def taken() -> list[Any]:
        """The clients whose descriptors the proxy holds: in a blackhole it has no connection that it could count."""
        found = psutil.Process(lab.pid("proxy")).net_connections("tcp4")
        return [each.raddr for each in found if each.laddr.port == port and each.status != psutil.CONN_LISTEN]

    put(lab, "timeout", timeout=0)
    for _ in range(5):
        with lab.linked(LINK, timeout_s=0.1) as client, pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
    # clients are taken in the order in which they come: where the last is seen, the others were
    with socket.create_connection((HOST, port)) as waiting:
        lab.eventually("the client that waits, and it alone", lambda: taken() == [waiting.getsockname()])
    lab.eventually("no client", lambda: taken() == [])
    gone(lab)


def test_a_reset_is_seen_as_a_reset(lab: RunningLab) -> None:
    with lab.linked(LINK) as client:
        client.ping()
        put(lab, "reset_peer", timeout=0)
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        gone(lab)


def test_a_disabled_link_refuses_and_ends_what_was_open(lab: RunningLab) -> None:
    with lab.linked(LINK) as client:
        client.ping()
        assert lab.proxy("POST", f"/proxies/{LINK}", {"enabled": False})["changed"] is True
        assert lab.proxy("POST", f"/proxies/{LINK}", {"enabled": False})["changed"] is False
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        with pytest.raises(redis.exceptions.ConnectionError, match="111"):
            client.ping()
        gone(lab)


@pytest.mark.parametrize(("kind", "reason"), [("expired", "has expired"), ("untrusted", "unable to get local issuer")])
def test_a_bad_certificate_is_refused_by_the_client(lab: RunningLab, kind: str, reason: str) -> None:
    with lab.linked(LINK) as client:
        client.ping()
        assert lab.proxy("POST", f"/proxies/{LINK}", {"certificate": kind})["changed"] is True
        assert lab.proxy("GET", f"/proxies/{LINK}")["certificate"] == kind
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        with pytest.raises(redis.exceptions.ConnectionError, match=reason):
            client.ping()
        gone(lab)


def test_a_dead_server_is_no_successful_handshake(lab: RunningLab) -> None:
    lab.kill("redis-2")
    lab.eventually("the end of redis-2", lambda: not lab.pid("redis-2"))
    with lab.linked("drill-redis-2") as client, pytest.raises(redis.exceptions.ConnectionError):
        client.ping()


def test_many_links_are_cut_at_once_and_the_others_are_not(lab: RunningLab) -> None:
    servers = ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3")
    answer = lab.cut("drill", *servers)
    assert sorted(answer["links"]) == sorted(f"drill-{server}" for server in servers)
    assert lab.cut("drill", *servers)["changed"] is False
    faulty = {name for name, link in lab.proxy("GET", "/proxies").items() if link["faulty"]}
    assert faulty == {f"drill-{server}" for server in servers}
    # on a busy machine an answer that took too long is "down" for a moment
    lab.eventually("Redis for the API", lambda: lab.health()["components"]["redis"]["status"] == "up")
    assert sorted(lab.proxy("POST", "/reset")["links"]) == sorted(faulty)


def test_a_plain_link_passes_faults_to_its_database_too(lab: RunningLab) -> None:
    postgres, link = lab.contract["postgres"], lab.contract["links"]["drill-postgres"]
    url = f"postgresql://{postgres['user']}:{postgres['password']}@127.0.0.1:{link['listen']}/{postgres['database']}"
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        lab.proxy("POST", "/proxies/drill-postgres", {"enabled": False})
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/proxies/nowhere", {}, 404),
        (f"/proxies/{LINK}", {"enable": False}, 400),
        (f"/proxies/{LINK}", {"enabled": "no"}, 400),
        (f"/proxies/{LINK}", {"certificate": "forged"}, 400),
        ("/proxies/drill-postgres", {"certificate": "expired"}, 400),
        (f"/proxies/{LINK}/toxics", {"type": "slicer"}, 400),
        ("/proxies?client=nobody", {"enabled": False}, 404),
    ],
)
def test_what_the_proxy_does_not_know_it_refuses(lab: RunningLab, path: str, body: dict[str, Any], status: int) -> None:
    answer = httpx.post(lab.contract["proxy"]["url"] + path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_toxics_are_managed_by_toxiproxys_names(lab: RunningLab) -> None:
    put(lab, "latency", latency=5)
    one = f"/proxies/{LINK}/toxics/t"
    assert lab.proxy("GET", one)["attributes"] == {"latency": 5, "jitter": 0}
    assert lab.proxy("POST", one, {"attributes": {"jitter": 1}})["attributes"] == {"latency": 5, "jitter": 1}
    assert [each["name"] for each in lab.proxy("GET", f"/proxies/{LINK}/toxics")] == ["t"]
    assert lab.proxy("DELETE", one) == {"changed": True}
    assert lab.proxy("DELETE", one) == {"changed": False}
