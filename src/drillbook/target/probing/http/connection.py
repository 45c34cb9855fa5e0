"""HTTP/1.1 over one kept-alive asyncio connection: the least work per request that still is real HTTP.

The prober asks every endpoint 20 times a second and may take 5 % of one core for all of them. A general client costs
1-2 ms of CPU a request here; httptools (the parser of uvicorn) under a bare asyncio protocol costs about 0.1 ms. It
does only what the prober and the load need: no proxies, no cookies. route.py follows redirects.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httptools

MOST_BYTES = 8_000_000
"""The longest answer allowed. An endpoint that never stops would fill the memory of this machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer: status, header fields with lower-case names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Exchange(asyncio.Protocol):
    """One connection; at most one request is open."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[Answer] | None = None
        self.reusable = False
        self._parser = httptools.HttpResponseParser(self)
        self._to_the_end = False
        self._clear()

    def _clear(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._length = 0

    # asyncio
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.reusable = True

    def data_received(self, data: bytes) -> None:
        if self.waiter is None or self.waiter.done():
            # nobody asked for this: it must not count as the answer to the next question
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if exc is None and self._to_the_end:
            self.on_message_complete()
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    # httptools
    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        # the parser does not say that a body without a length has ended with its connection
        self._to_the_end = "content-length" not in self._headers and "transfer-encoding" not in self._headers

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._length += len(body)
        if self._length > MOST_BYTES:
            self._fail(ConnectionError(f"the answer is longer than {MOST_BYTES // 1_000_000} MB"))
            self.close()

    def on_message_complete(self) -> None:
        self._to_the_end = False
        answer = Answer(self._parser.get_status_code(), self._headers, b"".join(self._body))
        self._clear()
        if answer.status < 200:
            return  # an interim response (103 Early Hints): the answer follows
        if not self._parser.should_keep_alive():
            self.reusable = False
        if self.waiter is None or self.waiter.done():
            self.close()
        else:
            self.waiter.set_result(answer)

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)

    def close(self) -> None:
        self.reusable = False
        if self.transport is not None:
            self.transport.abort()


class HttpLine:
    """A line to one URL, opened when needed and kept open. Not for concurrent use: one request at a time."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, ca: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"not an http(s) URL: {url}")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._ssl = ssl.create_default_context(cafile=str(ca) if ca else None) if parts.scheme == "https" else None
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        said = dict(headers or {})
        own = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "drillbook", "Accept": "*/*"}
        for name in {name.lower() for name in said}:
            # field names have no case: each is sent once
            own = {mine: value for mine, value in own.items() if mine.lower() != name or mine in said}
        fields = own | said
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._get: bytes | None = None
        self._exchange: _Exchange | None = None

    async def ask(self, method: str = "GET", body: bytes | None = None) -> Answer:
        """Send one request and return its answer.

        Raises OSError (refused, reset, TLS) or `ssl.SSLError`. The caller sets the time-out; a cancelled request closes
        the line. If the server had closed the line meanwhile, a GET is sent once more on a new one.
        """
        reused = self._exchange is not None and self._exchange.reusable
        try:
            return await self._once(method, body)
        except ConnectionError:
            if not reused or method != "GET":
                raise
            return await self._once(method, body)

    async def _once(self, method: str, body: bytes | None) -> Answer:
        exchange = self._exchange
        loop = asyncio.get_running_loop()
        if exchange is None or not exchange.reusable:
            _, exchange = await loop.create_connection(_Exchange, self._host, self._port, ssl=self._ssl)
            self._exchange = exchange
        assert exchange.transport is not None
        exchange.waiter = loop.create_future()
        if body is None:
            # the prober's request, the same again and again
            self._get = self._get or self._head("GET", "")
            exchange.transport.write(self._get if method == "GET" else self._head(method, ""))
        else:
            of_body = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            exchange.transport.write(self._head(method, of_body) + body)
        try:
            return await exchange.waiter
        except BaseException:
            exchange.close()
            raise
        finally:
            exchange.waiter = None

    def _head(self, method: str, of_body: str) -> bytes:
        return f"{method} {self._path} HTTP/1.1\r\n{self._fields}{of_body}\r\n".encode("latin-1")

    def close(self) -> None:
        """Close the line; it opens again with the next request."""
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None
