"""Every part of an endpoint's URL has an effect, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from drillbook.errors import InventoryError
from tests.unit.target.inventory.test_inventory import endpoints, inventory

pytestmark = pytest.mark.unit

SENTINEL = {"master": "shop", "nodes": ["10.0.0.5:26379"]}


def endpoint(**values: Any) -> Any:
    return endpoints(**values).endpoints["it"]


@pytest.mark.parametrize(
    ("url", "more", "database"),
    [
        ("redis://cache", {}, 0),
        ("redis://cache/", {}, 0),
        ("redis://cache:6379/2", {}, 2),
        ("rediss://app:correct-horse@cache/11", {}, 11),
        ("rediss://cache/3", {"sentinel": SENTINEL}, 3),
        ("unix:///run/redis.sock", {}, 0),
        ("unix:///run/redis.sock?db=4", {}, 4),
    ],
)
def test_the_number_of_a_database_counts(url: str, more: dict[str, Any], database: int) -> None:
    assert endpoint(kind="redis", url=url, **more).database == database


WITHOUT_EFFECT = [
    ("redis", "redis://cache/two", "the database in it is not a number"),
    ("redis", "redis://cache/2/3", "the database in it is not a number"),
    ("redis", "redis://cache?db=2", "its query has no effect"),
    ("redis", "rediss://cache/0?ssl_cert_reqs=none", "its query has no effect"),
    ("redis", "redis://cache/0#2", "the part after # has no effect"),
    ("redis", "redis://cache:0", "nobody listens at port 0"),
    ("redis", "unix://cache/run/redis.sock", "the URL of a socket is like"),
    ("redis", "unix:///run/redis.sock?database=2", "the URL of a socket is like"),
    ("http", "http://api/health#top", "the part after # has no effect"),
    ("http", "http://@api/health", "uses no user and password"),
    ("http", "http://api:0/health", "nobody listens at port 0"),
    ("http", "http://api/hea\nlth", "another character that no URL has"),
    ("http", "http://api/ä", "another character that no URL has"),
    ("tcp", "tcp://mail:25/queue", "path and query have no effect"),
    ("tcp", "tcp://mail:25?tls=1", "path and query have no effect"),
    ("container", "unix:///run/docker.sock?api=1.41", "what stands behind the engine's address has no effect"),
    ("container", "tcp://engine:2375/v1.41", "what stands behind the engine's address has no effect"),
    ("container", "tcp://engine", "it names no port"),
    ("container", "unix://run/docker.sock", "the URL of an engine's socket is like"),
    ("container", "unix:///", "the URL of an engine's socket is like"),
    ("container", "ssh://deploy@engine", "an endpoint of kind container has a URL like unix:///run/docker.sock"),
    ("sql", "postgresql://db/app#x", "the part after # has no effect"),
    ("sql", "postgresql://db/app?connect_timeout=9", 'use the key "timeout" of the endpoint'),
    ("sql", "postgresql://db/app?password=hunter2hunter2", 'use the key "password" of the endpoint'),
    ("sql", "postgresql://db/app?options=-c%20jit%3Doff", "a pooler refuses it"),
    ("sql", "postgresql://db/app?host=other", "its query names a host once more"),
    ("sql", "postgresql://db/app?dbname=other", "its query names a dbname once more"),
]


@pytest.mark.parametrize(("kind", "url", "says"), WITHOUT_EFFECT, ids=[repr(url) for _, url, _ in WITHOUT_EFFECT])
def test_a_part_that_has_no_effect_is_refused(kind: str, url: str, says: str) -> None:
    with pytest.raises(InventoryError, match=r"drillbook_endpoints\.it\.url \(.*:13\): ") as raised:
        endpoints(kind=kind, url=url)
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["redis://cache:6379", "unix:///run/redis.sock"])
def test_with_a_sentinel_a_place_has_no_effect(url: str) -> None:
    with pytest.raises(InventoryError, match="it names a place, and Sentinel names the primary"):
        endpoints(kind="redis", url=url, sentinel=SENTINEL)


@pytest.mark.parametrize(
    ("url", "key"), [("redis://app:correct-horse@cache", "user"), ("postgresql://:correct-horse@db/app", "password")]
)
def test_an_account_is_named_once(url: str, key: str) -> None:
    kind = "redis" if url.startswith("redis") else "sql"
    with pytest.raises(InventoryError, match=f"it names a {key}, and so does the key {key}"):
        endpoints(kind=kind, url=url, **{key: "another-horse"})


def test_what_libpq_reads_of_a_url_stays_in_it() -> None:
    url = "postgresql://db:5432/app?sslmode=verify-full&sslrootcert=system&application_name=drill"
    assert endpoint(kind="sql", url=url).url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://api/jobs#now", "part after # has no effect"),
        ("http://@api/jobs", "without user and password of the URL"),
    ],
)
def test_so_it_is_where_work_is_submitted(url: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says):
        inventory(
            drillbook_endpoints={"db": {"kind": "sql", "url": "postgresql://db/app"}},
            drillbook_work={"submit": {"url": url}, "completed": {"endpoint": "db", "query": "select"}},
        )


@pytest.mark.parametrize("url", ["unix:///run/podman/podman.sock", "tcp://engine:2375"])
def test_an_engine_is_at_a_socket_or_a_port(url: str) -> None:
    made = endpoint(kind="container", url=url, container="api")
    assert (made.url, made.container) == (url, "api")


def test_an_engine_is_asked_for_a_container() -> None:
    with pytest.raises(InventoryError, match='the key "container" is missing'):
        endpoint(kind="container", url="unix:///run/docker.sock")
