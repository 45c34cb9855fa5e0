"""Redirects are followed where the endpoint says so, its headers stay at its origin, and packed answers are read."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from drillbook import clients
from drillbook.clients import http_get
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.http import route
from drillbook.target.probing.http.route import Route, unpacked
from drillbook.target.probing.probes import HttpProbe
from tests.support.unit import Server, endpoint, reply, request

pytestmark = pytest.mark.unit


class Site:
    """A server whose places redirect or answer, and what it was asked."""

    def __init__(self, **places: bytes) -> None:
        self.places, self.heads = places, list[str]()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await request(reader)
            self.heads.append(head)
            writer.write(self.places.get(head.split()[1].strip("/"), reply(404)))
            await writer.drain()


Serve = Callable[[Site], str]
"""Starts a site, and gives its URL."""


def to(place: str, status: int = 302) -> bytes:
    return reply(status, b"", f"Location: {place}\r\n")


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda site: f"http://127.0.0.1:{stack.enter_context(Server(site)).port}"


def looked(api: Endpoint) -> tuple[bool, int | None, object]:
    """What a probe's look says."""

    async def look() -> tuple[bool, int | None, object]:
        probe = HttpProbe(api)
        try:
            return await probe.look()
        finally:
            await probe.close()

    return asyncio.run(look())


HERE = reply(200, b'"here"')


@pytest.mark.parametrize(("follow", "status"), [(False, 302), (True, 200)])
def test_a_redirect_is_followed_where_the_endpoint_says_so(serve: Serve, follow: bool, status: int) -> None:
    url = serve(Site(health=to("/b/../there"), there=HERE))
    api = endpoint("api", f"{url}/health", follow=follow)
    ok, seen, _ = looked(api)
    assert (ok, seen) == (follow, status)
    assert http_get(api).status_code == status


def test_whom_to_trust_is_read_for_https_alone_and_once(serve: Serve) -> None:
    """To read it is 15 ms of a processor, and a step may look twenty times a second."""
    clients._public_trust.cache_clear()
    plain = serve(Site(health=HERE, away=to("https://127.0.0.1:1/there")))
    assert http_get(endpoint("api", f"{plain}/health")).status_code == 200
    assert clients._public_trust.cache_info().currsize == 0
    for url in ("https://127.0.0.1:1/health", f"{plain}/away"):
        with pytest.raises(httpx.ConnectError):
            http_get(endpoint("api", url, follow=True))
    assert clients._public_trust.cache_info()[:2] == (1, 1)  # hits, misses
    assert clients._public_trust().verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_each_kind_of_redirect_is_one(serve: Serve, status: int) -> None:
    url = serve(Site(health=to("there", status), there=HERE))
    assert looked(endpoint("api", f"{url}/health", follow=True))[:2] == (True, 200)


def test_what_the_headers_say_is_said_to_the_own_origin_alone(serve: Serve) -> None:
    other, own = Site(there=HERE), Site()
    elsewhere = serve(other)
    own.places = {"health": to("/next"), "next": to(f"{elsewhere}/there")}
    api = endpoint("api", f"{serve(own)}/health", follow=True, headers={"X-API-Key": "hunter2hunter2"})
    assert looked(api)[1] == 200
    assert http_get(api).status_code == 200
    assert len(own.heads) == 4
    assert all("hunter2hunter2" in head for head in own.heads)
    assert len(other.heads) == 2
    assert not any("hunter2hunter2" in head for head in other.heads)


@pytest.mark.parametrize(
    ("place", "says"), [("/health", "redirected more than 5 times"), ("ftp://x/y", "redirected to what is no http")]
)
def test_a_redirect_that_leads_nowhere_is_no_answer(serve: Serve, place: str, says: str) -> None:
    url = serve(Site(health=to(place)))
    with pytest.raises(ConnectionError, match=says):
        looked(endpoint("api", f"{url}/health", follow=True))


def test_a_place_that_is_another_one_each_time_leaves_no_line(serve: Serve) -> None:
    site = Site(**{f"p{number}": HERE for number in range(5)})
    url = serve(site)

    async def run() -> int:
        way = Route(endpoint("api", f"{url}/health", follow=True))
        for number in range(5):
            site.places["health"] = to(f"/p{number}")
            assert (await way.ask()).status == 200
        way.close()
        return len(way._lines)

    assert asyncio.run(run()) == 2


# packed answers


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"[1]", mtime=0)),
        ("X-GZip", gzip.compress(b"[1]", mtime=0)),
        ("deflate", zlib.compress(b"[1]")),
        ("", b"[1]"),
    ],
    ids=["gzip", "x-gzip", "deflate", "plain"],
)
def test_a_packed_answer_is_read(coding: str, packed: bytes) -> None:
    assert unpacked(packed, coding) == b"[1]"


def test_what_is_packed_in_another_way_stays_as_it_came() -> None:
    assert unpacked(b"\x0b\x02", "br") == b"\x0b\x02"
    assert unpacked(b"", "gzip") == b""


def test_what_only_says_that_it_is_packed_is_no_answer() -> None:
    with pytest.raises(ConnectionError, match="the answer says that it is gzip, and is not"):
        unpacked(b"[1]", "gzip")


def test_an_answer_that_grows_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "MOST_BYTES", 1_000_000)
    with pytest.raises(ConnectionError, match="the answer is longer than 1 MB"):
        unpacked(gzip.compress(b"0" * 3_000_000), "gzip")


def test_a_packed_answer_of_a_server_is_a_value(serve: Serve) -> None:
    packed = reply(
        200, gzip.compress(b'{"status": "up"}'), "Content-Encoding: gzip\r\nContent-Type: application/json\r\n"
    )
    api = endpoint("api", serve(Site(health=packed)) + "/health")
    ok, _, value = looked(api)
    assert (ok, value.read(), value.form) == (True, {"status": "up"}, "application/json, gzip")  # type: ignore[attr-defined]
