"""The frontend of the lab: what the origin serves, and what the CDN keeps of it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from drillbook_lab.web.__main__ import application
from drillbook_lab.web.answers import Answer
from drillbook_lab.web.cdn import Cdn, fresh_for
from drillbook_lab.web.origin import FOREVER, PAGE, Origin

pytestmark = pytest.mark.unit

JS = f"app.{hashlib.sha256(b'js').hexdigest()[:8]}.js"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two releases; the first is live. A file lies beside what is served."""
    for release in ("one", "two"):
        dist = tmp_path / "releases" / release / "frontend" / "dist"
        dist.mkdir(parents=True)
        (dist / "index.html").write_text(release)
        (dist / JS).write_text("js")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "current").symlink_to("releases/one")
    return tmp_path


def switch(site: Path) -> None:
    (site / "current").unlink()
    (site / "current").symlink_to("releases/two")


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("public, max-age=0, s-maxage=60", 60),
        ('S-MaxAge="5", max-age=9', 5),
        ("max-age=31536000, immutable", 31_536_000),
        ("max-age=60, no-cache", 0),
        ("", 0),
        ("max-age=soon", 0),
        ("max-age=60, private", None),
        ("no-store", None),
    ],
)
def test_a_shared_cache_keeps_what_it_may(said: str, seconds: float | None) -> None:
    assert fresh_for(said) == seconds


def test_the_origin_serves_the_release_that_is_live(site: Path) -> None:
    origin = Origin(site)
    page, file = origin.get("/"), origin.get(f"/{JS}")
    assert (page.body, page.headers["cache-control"], file.headers["cache-control"]) == (b"one", PAGE, FOREVER)
    assert origin.get("/", page.headers["etag"]).status == 304
    switch(site)
    assert origin.get("/", page.headers["etag"]).body == b"two"
    assert {origin.get(path).status for path in ("/none", "/..", "/../../../../secret", f"/{JS}/x")} == {404}


def test_the_cdn_serves_the_old_page_until_it_is_stale_or_purged(site: Path) -> None:
    clock = Clock()
    cdn = Cdn(Origin(site).get, clock)
    assert cdn.get("/").headers["x-cache"] == "MISS"
    switch(site)
    clock.now_s += 59
    old = cdn.get("/")
    assert (old.body, old.headers["x-cache"], old.headers["age"]) == (b"one", "HIT", "59")
    clock.now_s += 1
    assert (cdn.get("/").body, cdn.purge("/other"), cdn.purge("/"), cdn.purge()) == (b"two", 0, 1, 0)


def test_what_is_stale_and_has_not_changed_is_kept(site: Path) -> None:
    clock = Clock()
    cdn = Cdn(Origin(site).get, clock)
    cdn.get("/")
    clock.now_s += 60
    again = cdn.get("/")
    assert (again.status, again.body, again.headers["x-cache"]) == (200, b"one", "REVALIDATED")
    assert cdn.get("/").headers["x-cache"] == "HIT"


@pytest.mark.parametrize(
    "answer", [Answer(404, {}), Answer(200, {"vary": "cookie"}), Answer(200, {"cache-control": "private"})]
)
def test_what_must_not_be_stored_is_not(answer: Answer) -> None:
    kept = replace(answer, headers={"cache-control": "max-age=60", **answer.headers})
    cdn = Cdn(lambda *_: kept)
    assert [cdn.get("/").headers["x-cache"] for _ in range(2)] == ["MISS", "MISS"]


def test_a_purge_needs_the_token_and_the_cdn(site: Path) -> None:
    to_both = httpx.ASGITransport(application(site, 81, "right"))

    async def ask(method: str, url: str, token: str = "") -> tuple[int, str]:
        async with httpx.AsyncClient(transport=to_both) as client:
            answer = await client.request(method, url, headers={"X-Purge-Token": token})
        return answer.status_code, answer.headers.get("x-cache", answer.text)

    async def talk() -> list[tuple[int, str]]:
        origin, cdn = "http://origin:80", "http://cdn:81"
        asked = [("GET", cdn, ""), ("GET", cdn, ""), ("GET", origin, ""), ("PURGE", f"{cdn}/*", "wrong")]
        asked += [("PURGE", f"{origin}/*", "right"), ("PURGE", f"{cdn}/*", "right"), ("GET", cdn, "")]
        return [await ask(*each) for each in asked]

    first, second, origin, wrong, no_cache, purged, last = asyncio.run(talk())
    assert (first, second, origin, last) == ((200, "MISS"), (200, "HIT"), (200, "one"), (200, "MISS"))
    assert (wrong[0], no_cache[0], purged) == (401, 405, (200, '{"purged":1}'))
