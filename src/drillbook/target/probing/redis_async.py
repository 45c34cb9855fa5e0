"""A Redis connection for an asyncio loop, as the prober needs it.

The rule: it finds the primary as the clients of steps do (redis.py), and tries once. It is a module of its own because
importing redis.asyncio takes 0.1 s of CPU. Only a session with a Redis endpoint pays that.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from drillbook.errors import CouldNotLookError
from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.redis import as_text, connection_options, reachable_at, shown, trust_of


async def connection(endpoint: Endpoint) -> tuple[Any, str]:
    """A connected asyncio connection to the primary, and the address by which the cluster knows the primary."""
    tls = urlsplit(endpoint.url).scheme == "rediss"
    kind = SSLConnection if tls else Connection
    never = Retry(NoBackoff(), 0)

    async def connect(host: str, port: int, user: str | None, password: str | None, number: int) -> Any:
        options = connection_options(endpoint, password=password, user=user)
        made: Any = kind(host=host, port=port, db=number, retry=never, **options)
        if tls:
            # while Redis is down there are 20 connections a second: this took a fifth of a core
            made.ssl_context.context = trust_of(options["ssl_ca_certs"])
        await made.connect()
        return made

    parts, number = urlsplit(endpoint.url), endpoint.database
    if parts.scheme == "unix":
        options = connection_options(endpoint, password=endpoint.password, user=endpoint.user)
        local: Any = UnixDomainSocketConnection(path=parts.path, db=number, retry=never, **options)
        await local.connect()
        return local, parts.path
    if not endpoint.sentinels:
        host, port = parts.hostname or "127.0.0.1", parts.port or 6379
        return await connect(host, port, endpoint.user, endpoint.password, number), shown(host, port)
    refused: Exception | None = None
    for host, port in endpoint.sentinels:
        try:
            sentinel = await connect(host, port, None, endpoint.sentinel_password, 0)
            try:
                await sentinel.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", endpoint.master_name)
                address = await sentinel.read_response()
            finally:
                await sentinel.disconnect(nowait=True)
        except (RedisError, OSError) as error:
            refused = error
            continue
        if address:
            announced = (as_text(address[0]), int(address[1]))
            to_host, to_port = reachable_at(endpoint, *announced)
            found = await connect(to_host, to_port, endpoint.user, endpoint.password, number)
            return found, shown(*announced)
    raise refused or CouldNotLookError(f"no Sentinel of endpoint {endpoint.name!r} knows {endpoint.master_name!r}")
