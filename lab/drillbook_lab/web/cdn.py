"""The CDN: a shared cache of the origin's answers, by the rules of RFC 9111 that static files need.

The origin's Cache-Control says what may be stored, and for how long it is fresh (section 5.2.2); `s-maxage` is for
shared caches and comes first. The CDN asks for a stale answer again by its ETag (4.3). It does not store an answer with
Vary.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from drillbook_lab.web.answers import Answer

_NEVER = {"no-store", "private"}


def fresh_for(cache_control: str) -> float | None:
    """The seconds for which a shared cache may answer without asking; None if it may not store the answer."""
    directives = {}
    for each in cache_control.lower().split(","):
        name, _, value = each.strip().partition("=")
        directives[name] = value.strip('"')
    if _NEVER & set(directives):
        return None
    if "no-cache" in directives:
        return 0
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return float(directives[name]) if directives[name].isdecimal() else 0
    return 0


@dataclass(frozen=True, slots=True)
class _Stored:
    answer: Answer
    at_s: float
    fresh_s: float


class Cdn:
    """The cache. `fetch` asks the origin for a path, with the ETag of the stored answer if there is one."""

    def __init__(self, fetch: Callable[[str, str | None], Answer], now: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._now = fetch, now
        self._stored: dict[str, _Stored] = {}

    def get(self, path: str) -> Answer:
        """The answer for a user; X-Cache says where it comes from, and Age how many seconds it was kept."""
        held = self._stored.get(path)
        if held is not None and self._now() - held.at_s < held.fresh_s:
            return _told(held.answer, "HIT", self._now() - held.at_s)
        new = self._fetch(path, held.answer.headers.get("etag") if held else None)
        if held is not None and new.status == 304:
            self._keep(path, replace(held.answer, headers={**held.answer.headers, **new.headers}))
            return _told(self._stored[path].answer, "REVALIDATED", 0)
        self._keep(path, new)
        return _told(new, "MISS", 0)

    def purge(self, path: str | None = None) -> int:
        """Forget the answer of one path, or all answers; returns how many it forgot."""
        gone = [each for each in self._stored if path in (None, each)]
        for each in gone:
            del self._stored[each]
        return len(gone)

    def _keep(self, path: str, answer: Answer) -> None:
        self._stored.pop(path, None)
        fresh_s = fresh_for(answer.headers.get("cache-control", ""))
        if answer.status == 200 and fresh_s is not None and "vary" not in answer.headers:
            self._stored[path] = _Stored(answer, self._now(), fresh_s)


def _told(answer: Answer, x_cache: str, age_s: float) -> Answer:
    return replace(answer, headers={**answer.headers, "x-cache": x_cache, "age": str(int(age_s))})
