"""Redis connections from an inventory's endpoint: direct or through Sentinel, with password, TLS and a NAT map.

Sentinel announces the addresses that the nodes have for themselves. Clients may reach the nodes by other addresses (TLS
termination, port forwarding, containers). Then the endpoint's `nat` maps announced to reachable ones, as ioredis does.
"""

from __future__ import annotations

import ipaddress
import ssl
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, SSLConnection
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError
from redis.retry import Retry

from drillbook.errors import CouldNotLookError
from drillbook.target.inventory.settings import Endpoint


def connection_options(endpoint: Endpoint, *, password: str | None, user: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": user,
        "password": password,
        "socket_timeout": endpoint.timeout_s,
        "socket_connect_timeout": endpoint.timeout_s,
        "driver_info": _driver(),
    }
    if urlsplit(endpoint.url).scheme == "rediss":
        options |= {"ssl_ca_certs": str(endpoint.ca) if endpoint.ca else None, "ssl_check_hostname": True}
    return options


@cache
def _driver() -> DriverInfo:
    """What a connection announces of its library, read once. redis-py reads it off its installed files each time, 1 ms
    of CPU.
    """
    return DriverInfo()


@cache
def trust_of(ca: str | None) -> ssl.SSLContext:
    """The authorities that TLS trusts, read once. redis-py reads the system's for each connection, 25 ms of CPU."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cafile=ca)
    return context


class _TlsConnection(SSLConnection):
    """redis-py's own connection, with TLS settings that are read once."""

    def _wrap_socket_with_ssl(self, sock: Any) -> ssl.SSLSocket:
        return trust_of(self.ca_certs).wrap_socket(sock, server_hostname=self.host)


def shown(host: str, port: int) -> str:
    """HOST:PORT, an address of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable_at(endpoint: Endpoint, host: str, port: int) -> tuple[str, int]:
    """The address at which this announced address is reached from here. An IPv6 address has several spellings."""
    announced = _address(shown(host, port))
    return next((_address(to) for at, to in endpoint.nat.items() if _same(_address(at), announced)), (host, port))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _same(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return one[1] == other[1] and _plain(one[0]) == _plain(other[0])


def _plain(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def client(endpoint: Endpoint, database: int | None = None) -> redis.Redis:
    """A blocking client to the current primary; close it after use.

    It uses the endpoint's database unless the caller names one. Raises redis' own errors when nobody answers.
    """
    tls = urlsplit(endpoint.url).scheme == "rediss"
    never = Retry(NoBackoff(), 0)

    number = endpoint.database if database is None else database

    def connect(host: str, port: int, user: str | None, password: str | None, number: int = number) -> redis.Redis:
        options = connection_options(endpoint, password=password, user=user)
        options |= {"host": host, "port": port, "db": number, "retry": never, "decode_responses": True}
        if tls:
            return redis.Redis.from_pool(ConnectionPool(connection_class=_TlsConnection, **options))
        return redis.Redis(**options)

    parts = urlsplit(endpoint.url)
    if parts.scheme == "unix":
        options = connection_options(endpoint, password=endpoint.password, user=endpoint.user)
        return redis.Redis(unix_socket_path=parts.path, db=number, retry=never, decode_responses=True, **options)
    if not endpoint.sentinels:
        return connect(parts.hostname or "127.0.0.1", parts.port or 6379, endpoint.user, endpoint.password)
    refused: Exception | None = None
    for host, port in endpoint.sentinels:
        try:
            with connect(host, port, None, endpoint.sentinel_password, 0) as sentinel:
                address: Any = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", endpoint.master_name)
        except (RedisError, OSError) as error:
            refused = error
            continue
        if address:
            to_host, to_port = reachable_at(endpoint, as_text(address[0]), int(address[1]))
            return connect(to_host, to_port, endpoint.user, endpoint.password)
    raise refused or CouldNotLookError(f"no Sentinel of endpoint {endpoint.name!r} knows {endpoint.master_name!r}")


def as_text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
