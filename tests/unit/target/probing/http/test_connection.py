"""HTTP over one kept-alive connection, against servers on loopback that behave and that do not."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drillbook.target.probing.http.connection import Answer, HttpLine
from tests.support.unit import DEADLINE_S, Handler, Server, answering, free_port, reply, request, silent

pytestmark = pytest.mark.unit

OK = reply(200, b"ok")


def talk(handler: Handler, conversation: Callable[[HttpLine], Awaitable[None]], path: str = "/") -> int:
    """Hold a conversation over one line; gives the number of connections that it took."""
    with Server(handler) as server:

        async def run() -> None:
            line = HttpLine(f"http://127.0.0.1:{server.port}{path}")
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await conversation(line)
            finally:
                line.close()

        asyncio.run(run())
        return server.connections


def ask(handler: Handler, method: str = "GET", body: bytes | None = None) -> Answer:
    answers: list[Answer] = []

    async def once(line: HttpLine) -> None:
        answers.append(await line.ask(method, body))

    talk(handler, once)
    return answers[0]


def saying(*pieces: bytes, close: bool = True) -> Handler:
    """Takes one request, says the pieces one packet each, and closes the connection, or keeps it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if not close:
            await reader.read()

    return handler


ANSWERS = {
    "of known length": (OK, Answer(200, {"content-length": "2"}, b"ok")),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, {}, b"")),
    "in chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        Answer(200, {"transfer-encoding": "chunked"}, b"abcde"),
    ),
    "that ends with its connection": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it",
        Answer(200, {"connection": "close"}, b"all of it"),
    ),
    "of HTTP/1.0": (b"HTTP/1.0 503 No\r\n\r\n", Answer(503, {}, b"")),
    "after an early hint": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        Answer(200, {"content-length": "2"}, b"ok"),
    ),
    "with a field twice": (
        reply(200, b"", "X-A: 1\r\nX-A: 2\r\n"),
        Answer(200, {"content-length": "0", "x-a": "2"}, b""),
    ),
}


@pytest.mark.parametrize(("raw", "answer"), ANSWERS.values(), ids=list(ANSWERS))
def test_an_answer(raw: bytes, answer: Answer) -> None:
    assert ask(saying(raw)) == answer


@pytest.mark.parametrize(("raw", "answer"), ANSWERS.values(), ids=list(ANSWERS))
def test_an_answer_in_single_bytes(raw: bytes, answer: Answer) -> None:
    assert ask(saying(*(raw[at : at + 1] for at in range(len(raw))))) == answer


BROKEN = {
    "garbage": (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
    "nothing": (b"", "closed the connection"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", "closed the connection"),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "closed the connection"),
    "half of the chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "closed the connection",
    ),
    "a chunk without a size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
}


@pytest.mark.parametrize(("raw", "says"), BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_whole_answer_is_an_error(raw: bytes, says: str) -> None:
    with pytest.raises(ConnectionError, match=says):
        ask(saying(raw))


def test_a_connection_is_kept() -> None:
    async def thrice(line: HttpLine) -> None:
        for body in (b"a", b"b", b"c"):
            assert (await line.ask()).body == body

    assert talk(answering(reply(200, b"a"), reply(500, b"b"), reply(200, b"c")), thrice) == 1


@pytest.mark.parametrize(
    "raw",
    [reply(200, b"ok", "Connection: close\r\n"), b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ids=["close", "HTTP/1.0"],
)
def test_a_connection_that_the_server_will_close_is_not_used_again(raw: bytes) -> None:
    async def twice(line: HttpLine) -> None:
        for _ in range(2):
            assert (await line.ask("POST", b"x")).body == b"ok"

    assert talk(answering(raw), twice) == 2


async def _one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(OK)


async def _one_answer_then_slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the first request; takes the second and resets the connection, as a server that is being restarted."""
    await request(reader)
    writer.write(OK)
    await request(reader)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_look_on_a_line_that_was_closed_meanwhile_is_made_on_a_new_one() -> None:
    async def several(line: HttpLine) -> None:
        for _ in range(3):
            assert (await line.ask()).status == 200

    assert talk(_one_answer, several) == 3
    assert talk(_one_answer_then_slam, several) == 3


def test_work_is_never_sent_twice() -> None:
    async def twice(line: HttpLine) -> None:
        assert (await line.ask("POST", b"1")).status == 200
        with pytest.raises(ConnectionError):
            await line.ask("POST", b"2")

    assert talk(_one_answer_then_slam, twice) == 1


def test_a_line_works_again_after_an_error() -> None:
    async def several(line: HttpLine) -> None:
        with pytest.raises(ConnectionError, match="not HTTP"):
            await line.ask()
        assert (await line.ask()).status == 200

    assert talk(answering(b"garbage\r\n\r\n", OK), several) == 2


def test_nobody_there_is_refused() -> None:
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(HttpLine(f"http://127.0.0.1:{free_port()}").ask())


def test_who_waits_no_longer_closes_the_line() -> None:
    gone: list[bool] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if not gone:
            gone.append(await reader.read() == b"")
        writer.write(OK)

    async def impatient(line: HttpLine) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await line.ask()
        while not gone:
            await asyncio.sleep(0.005)
        assert (await line.ask()).status == 200

    assert talk(handler, impatient) == 2


@pytest.mark.parametrize("extra", [reply(408, b"late"), OK, b"garbage"], ids=["a farewell", "a second", "garbage"])
def test_what_nobody_asked_for_is_never_an_answer(extra: bytes) -> None:
    """A server's "408 Request Timeout" on an idle connection, or one answer too many."""
    left = [OK + extra, reply(200, b"mine")]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(left.pop(0))
            await writer.drain()

    async def twice(line: HttpLine) -> None:
        assert (await line.ask()).body == b"ok"
        assert (await line.ask()).body == b"mine"

    assert talk(handler, twice) == 2


def test_a_farewell_on_an_idle_line_ends_it() -> None:
    go = threading.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        while not go.is_set():
            await asyncio.sleep(0.005)
        writer.write(reply(408, b"late"))
        await reader.read()

    async def twice(line: HttpLine) -> None:
        assert (await line.ask()).body == b"ok"
        assert line._exchange is not None
        go.set()
        while line._exchange.reusable:
            await asyncio.sleep(0.005)
        assert (await line.ask()).body == b"ok"

    assert talk(handler, twice) == 2


def test_what_is_sent() -> None:
    heads: list[tuple[str, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await request(reader))
            writer.write(OK)

    with Server(handler) as server:

        async def run() -> None:
            line = HttpLine(f"http://user@127.0.0.1:{server.port}/a/b?c=d", {"X-Token": "t", "Accept": "text/html"})
            await line.ask()
            await line.ask("PUT", b"{}")
            line.close()

        asyncio.run(run())
        (get, nothing), (put, body) = heads
        assert get.splitlines() == [
            "GET /a/b?c=d HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "User-Agent: drillbook",
            "Accept: text/html",
            "X-Token: t",
            "",
        ]
        assert put.startswith("PUT /a/b?c=d HTTP/1.1\r\n")
        assert "Content-Type: application/json\r\nContent-Length: 2\r\n" in put
        assert (nothing, body) == (b"", b"{}")


def test_a_line_that_was_closed_opens_again() -> None:
    async def reopened(line: HttpLine) -> None:
        line.close()
        assert (await line.ask()).status == 200
        line.close()
        assert (await line.ask()).status == 200

    assert talk(answering(OK), reopened) == 2


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org", "http://", "http://h:port/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        HttpLine(url)


def test_a_ca_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HttpLine("https://example.org", ca=tmp_path / "no-ca.pem")


def test_a_server_without_tls_is_no_tls_server() -> None:
    async def run(port: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await HttpLine(f"https://127.0.0.1:{port}").ask()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Server(plain) as server, pytest.raises(OSError, match=r"SSL|TLS"):
        asyncio.run(run(server.port))


def test_silence_lasts_as_long_as_the_caller_waits() -> None:
    async def wait(line: HttpLine) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await line.ask()

    assert talk(silent, wait) == 1
