"""The way to an HTTP answer: the endpoint's URL, and its redirects if the endpoint follows them.

The rule: the endpoint's headers (keys, tokens) go to its own origin alone.
"""

from __future__ import annotations

import zlib
from urllib.parse import urljoin, urlsplit

from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.http.connection import MOST_BYTES, Answer, HttpLine

MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ZLIB_OR_GZIP = 47


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class Route:
    """Lines to the endpoint's URL and to the targets of its redirects. Not for concurrent use."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lines = {endpoint.url: HttpLine(endpoint.url, endpoint.headers, endpoint.ca)}

    async def ask(self) -> Answer:
        """The answer to a GET, at the end of the redirects. Raises as `HttpLine.ask` does."""
        url = self._endpoint.url
        answer = await self._lines[url].ask()
        if not self._endpoint.follow:
            return answer
        passed = [url]
        while answer.status in REDIRECTS and (to := answer.headers.get("location")):
            if len(passed) > MOST_REDIRECTS:
                raise ConnectionError(f"redirected more than {MOST_REDIRECTS} times")
            url = urljoin(url, to)
            passed.append(url)
            answer = await self._line(url).ask()
        for old in self._lines.keys() - passed:  # a redirect may name another place each time
            self._lines.pop(old).close()
        return answer

    def _line(self, url: str) -> HttpLine:
        if url not in self._lines:
            headers = self._endpoint.headers if origin(url) == origin(self._endpoint.url) else None
            try:
                self._lines[url] = HttpLine(url, headers, self._endpoint.ca)
            except ValueError:
                raise ConnectionError("redirected to what is no http(s) URL") from None
        return self._lines[url]

    def close(self) -> None:
        """Close the lines; they open again with the next request."""
        for line in self._lines.values():
            line.close()


def unpacked(body: bytes, coding: str) -> bytes:
    """The body without its content encoding; unchanged when the encoding is unknown. Raises ConnectionError."""
    if not body or coding.lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    unpacker = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        plain = unpacker.decompress(body, MOST_BYTES)
    except zlib.error:
        raise ConnectionError(f"the answer says that it is {coding}, and is not") from None
    if unpacker.unconsumed_tail:
        raise ConnectionError(f"the answer is longer than {MOST_BYTES // 1_000_000} MB")
    return plain
