"""The way to the primary: direct, over a socket, or by asking one Sentinel after the other, through a NAT map."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from drillbook.errors import CouldNotLookError
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.probes import RedisProbe
from drillbook.target.probing.redis import client, reachable_at
from drillbook.target.probing.redis_async import connection as async_connection
from drillbook_lab.lifecycle.parts import tls
from tests.support.unit import DEADLINE_S, Handler, Server, endpoint, free_port

pytestmark = pytest.mark.unit

Commands = Callable[[list[str]], bytes]


async def command(reader: asyncio.StreamReader) -> list[str]:
    """Read one command of the Redis protocol."""
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(length + 2))[:-2].decode())
    return words


def bulk(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)


INTRODUCTIONS = {"CLIENT": b"+OK\r\n", "SELECT": b"+OK\r\n", "HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n"}


def speaking(answers: Mapping[str, bytes], seen: list[list[str]]) -> Handler:
    """A server that knows these commands, by their first word; the client's own introductions are taken."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            words = await command(reader)
            seen.append(words)
            name = "AUTH" if "AUTH" in words and "AUTH" in answers else words[0]
            answer = {**INTRODUCTIONS, **answers}.get(name, b"-ERR unknown command\r\n")
            writer.write(INTRODUCTIONS["HELLO"] if words[0] == "HELLO" and answer == b"+OK\r\n" else answer)
            await writer.drain()

    return handler


PRIMARY = {"ROLE": bulk("master", "0"), "PING": b"+PONG\r\n", "AUTH": b"+OK\r\n"}


class Cluster:
    """Primaries and Sentinels on loopback, and what each was told."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.seen: dict[int, list[list[str]]] = {}

    def server(self, answers: Mapping[str, bytes], tls: ssl.SSLContext | None = None) -> int:
        seen: list[list[str]] = []
        port = self._stack.enter_context(Server(speaking(answers, seen), tls)).port
        self.seen[port] = seen
        return port

    def sentinel(self, *address: str) -> int:
        """One that names this address, or knows no primary."""
        return self.server({"SENTINEL": bulk(*address) if address else b"*-1\r\n", "AUTH": b"+OK\r\n"})

    def credentials(self, port: int) -> list[list[str]]:
        """What it was given to log in with: by AUTH, or by HELLO with it (protocol 3)."""
        return [words[words.index("AUTH") + 1 :] for words in self.seen[port] if "AUTH" in words]

    def told(self, port: int, word: str) -> list[list[str]]:
        return [words for words in self.seen[port] if words[0] == word]


@contextmanager
def _cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with _cluster() as it:
        yield it


def through(*sentinels: int, **more: Any) -> Endpoint:
    """An endpoint that is found through these Sentinels."""
    values: dict[str, Any] = {"master_name": "mymaster", "timeout_s": DEADLINE_S}
    addresses = tuple(("127.0.0.1", port) for port in sentinels)
    return endpoint("redis", "redis://sentinel", sentinels=addresses, **(values | more))


def direct(port: int, **more: Any) -> Endpoint:
    return endpoint("redis", f"redis://127.0.0.1:{port}", **({"timeout_s": DEADLINE_S} | more))


def probed(of: Endpoint) -> object:
    """What the prober's look says."""

    async def run() -> object:
        probe = RedisProbe(of)
        try:
            await probe.look()
            return (await probe.look())[2]
        finally:
            await probe.close()

    return asyncio.run(run())


def asked(of: Endpoint) -> object:
    """What the blocking client says."""
    with client(of) as connection:
        return connection.ping()


def test_direct(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    assert probed(direct(port)) == {"role": "master", "node": f"127.0.0.1:{port}"}
    assert asked(direct(port)) is True
    assert cluster.credentials(port) == []


def test_user_and_password_are_given(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    of = direct(port, user="drill", password="correct-horse")
    probed(of)
    asked(of)
    assert cluster.credentials(port) == [["drill", "correct-horse"]] * 2


def test_a_password_that_is_refused_is_an_error(cluster: Cluster) -> None:
    wrong = {**PRIMARY, "AUTH": b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"}
    of = direct(cluster.server(wrong), password="wrong-horse")
    for look in (probed, asked):
        with pytest.raises(AuthenticationError, match="invalid username-password"):
            look(of)


def test_a_password_that_is_missing_is_an_error(cluster: Cluster) -> None:
    of = direct(cluster.server(dict.fromkeys(("ROLE", "PING"), b"-NOAUTH Authentication required.\r\n")))
    for look in (probed, asked):
        with pytest.raises((AuthenticationError, ResponseError), match="Authentication required"):
            look(of)


def test_a_replica_says_that_it_is_one(cluster: Cluster) -> None:
    port = cluster.server({"ROLE": bulk("slave", "127.0.0.1", "6379")})
    assert probed(direct(port)) == {"role": "slave", "node": f"127.0.0.1:{port}"}


def test_nobody_there() -> None:
    for look in (probed, asked):
        with pytest.raises((RedisError, OSError)):
            look(direct(free_port()))


def test_a_look_after_an_error_connects_anew(cluster: Cluster) -> None:
    port = cluster.server({**PRIMARY, "ROLE": b"-LOADING Redis is loading the dataset in memory\r\n"})

    async def run() -> None:
        probe = RedisProbe(direct(port))
        for _ in range(2):
            with pytest.raises(RedisError):
                await probe.look()

    asyncio.run(run())
    assert len(cluster.told(port, "ROLE")) == 2


def test_another_database(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    with client(direct(port), database=3) as connection:
        connection.ping()
    assert cluster.told(port, "SELECT") == [["SELECT", "3"]]


def test_the_database_of_the_url(cluster: Cluster) -> None:
    """Of the primary, and not of the Sentinel, which has none."""
    port = cluster.server(PRIMARY)
    sentinel = cluster.sentinel("127.0.0.1", str(port))
    for of in (direct(port, database=2), through(sentinel, database=2)):
        probed(of)
        asked(of)
        with client(of, database=0) as connection:
            connection.ping()
    assert cluster.told(port, "SELECT") == [["SELECT", "2"]] * 4
    assert cluster.told(sentinel, "SELECT") == []


@pytest.mark.parametrize("announced", ["2001:db8::5", "2001:0db8:0:0:0:0:0:5", "2001:DB8::5"])
@pytest.mark.parametrize("named", ["[2001:db8::5]:6379", "[2001:db8:0::5]:6379"])
def test_an_address_of_ipv6_is_mapped_however_it_is_written(cluster: Cluster, announced: str, named: str) -> None:
    port = cluster.server(PRIMARY)
    of = through(cluster.sentinel(announced, "6379"), nat={named: f"127.0.0.1:{port}"})
    assert asked(of) is True
    assert probed(of) == {"role": "master", "node": f"[{announced}]:6379"}


def test_an_address_may_be_mapped_to_ipv6() -> None:
    of = through(1, nat={"10.0.0.5:6379": "[::1]:16379"})
    assert reachable_at(of, "10.0.0.5", 6379) == ("::1", 16379)
    assert reachable_at(of, "::ffff:10.0.0.5", 6379) == ("::ffff:10.0.0.5", 6379)
    assert reachable_at(of, "10.0.0.5", 6380) == ("10.0.0.5", 6380)


def test_sentinel_names_the_primary(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    sentinel = cluster.sentinel("127.0.0.1", str(port))
    of = through(sentinel, password="correct-horse", sentinel_password="battery-staple")
    assert probed(of) == {"role": "master", "node": f"127.0.0.1:{port}"}
    assert asked(of) is True
    question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]
    assert cluster.told(sentinel, "SENTINEL") == [question] * 2
    assert [words[-1] for words in cluster.credentials(sentinel)] == ["battery-staple"] * 2
    assert [words[-1] for words in cluster.credentials(port)] == ["correct-horse"] * 2


def test_an_announced_address_is_translated_and_shown_as_announced(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    sentinel = cluster.sentinel("10.0.0.7", "6379")
    of = through(sentinel, nat={"10.0.0.7:6379": f"127.0.0.1:{port}", "10.0.0.8:6379": "127.0.0.1:1"})
    assert probed(of) == {"role": "master", "node": "10.0.0.7:6379"}
    assert asked(of) is True


def test_a_sentinel_that_is_down_or_knows_nothing_is_passed_over(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    of = through(free_port(), cluster.sentinel(), cluster.sentinel("127.0.0.1", str(port)))
    assert probed(of) == {"role": "master", "node": f"127.0.0.1:{port}"}
    assert asked(of) is True


def test_no_sentinel_knows_the_primary(cluster: Cluster) -> None:
    of = through(cluster.sentinel(), cluster.sentinel())
    for look in (probed, asked):
        with pytest.raises(CouldNotLookError, match="no Sentinel of endpoint 'redis' knows 'mymaster'"):
            look(of)


def test_no_sentinel_is_there() -> None:
    for look in (probed, asked):
        with pytest.raises((RedisConnectionError, OSError)):
            look(through(free_port(), free_port()))


def test_a_primary_that_is_down_is_an_error_although_sentinel_names_it(cluster: Cluster) -> None:
    of = through(cluster.sentinel("127.0.0.1", str(free_port())))
    for look in (probed, asked):
        with pytest.raises((RedisConnectionError, OSError)):
            look(of)


def test_a_unix_socket_is_asked_and_nobody_else(tmp_path: Path) -> None:
    """Without this, the Redis that happens to be on 127.0.0.1:6379 is looked at."""
    path = tmp_path / "redis.sock"
    of = endpoint("redis", f"unix://{path}", timeout_s=DEADLINE_S)
    seen: list[list[str]] = []

    async def run() -> tuple[object, object]:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError):
                await speaking(PRIMARY, seen)(reader, writer)
            writer.close()

        server = await asyncio.start_unix_server(handler, path)
        async with server:
            connection, node = await async_connection(of)
            await connection.send_command("PING")
            pong = await connection.read_response()
            await connection.disconnect()
            ping = await asyncio.to_thread(asked, of)
            return (pong, node), ping

    assert asyncio.run(run()) == ((b"PONG", str(path)), True)


def test_tls_is_spoken_where_the_url_says_so(cluster: Cluster) -> None:
    port = cluster.server(PRIMARY)
    of = endpoint("redis", f"rediss://127.0.0.1:{port}", timeout_s=0.1)
    for look in (probed, asked):
        with pytest.raises((RedisError, OSError)):
            look(of)
    assert cluster.seen[port] == []


@pytest.mark.parametrize(("kind", "trusted"), [("valid", True), ("expired", False), ("untrusted", False)])
def test_a_certificate_is_taken_if_the_authority_of_the_endpoint_vouches_for_it(
    cluster: Cluster, tmp_path: Path, kind: str, trusted: bool
) -> None:
    files = tls.write(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.server(kind))
    port = cluster.server(PRIMARY, server)
    for authority in (files.ca, None):
        of = endpoint("redis", f"rediss://127.0.0.1:{port}", timeout_s=DEADLINE_S, ca=authority)
        for look in (probed, asked):
            if trusted and authority:
                assert look(of)
            else:
                with pytest.raises(RedisConnectionError, match=r"(?i)certificate.verify.failed"):
                    look(of)
    assert bool(cluster.seen[port]) is trusted
