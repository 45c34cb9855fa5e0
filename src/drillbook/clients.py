"""Clients for steps: what a step asks an endpoint itself, beside the samples that the drill takes of it.

    from drillbook.clients import redis_client

    def waiting(drill):
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            return redis.llen("bull:jobs:wait")

    drill.eventually(looked("jobs that wait", lambda: waiting(drill), "jobs").is_(0), within=30)

The rule: a client takes address, account, TLS and time-out from the endpoint, and nothing from the environment of the
process. Each look makes a client of its own, so that it finds the primary of the moment. The errors are those of the
libraries (`RedisError`, `httpx.HTTPError`, `psycopg.Error`): an error within a look means that this look saw nothing.

There are checks for prerequisites here, too, since they ask hosts and endpoints: `present`, `reachable`, `readable`.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.prerequisites import present, reachable, readable

# redis, httpx and psycopg take 0.3 s of CPU together, at the start of every pytest: each is imported when it is used
if TYPE_CHECKING:
    import httpx
    import psycopg
    import redis
    from redis.exceptions import RedisError
    from redis.exceptions import ResponseError as RedisResponseError

__all__ = [
    "Endpoint",
    "RedisError",
    "RedisResponseError",
    "http_get",
    "present",
    "reachable",
    "readable",
    "redis_client",
    "sql_connection",
]
_OF_REDIS = {"RedisError": "RedisError", "RedisResponseError": "ResponseError"}


def redis_client(endpoint: Endpoint, database: int | None = None) -> redis.Redis:
    """A client to the primary of the moment, found through Sentinel where the endpoint names one.

    It uses the database that the endpoint's URL names, unless it is given one. It speaks TLS for `rediss://` and
    follows the endpoint's `nat`. It tries once, and answers are text. Close it after use, best by `with`. Raises
    RedisError or OSError when nobody answers, CouldNotLookError when no Sentinel knows the primary.
    """
    from drillbook.target.probing.redis import client

    return client(endpoint, database)


def http_get(
    endpoint: Endpoint, parameters: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """The answer to one GET, whatever its status is. No proxy is used, and a redirect is followed where the endpoint
    says so; its headers go to its own origin alone.

    `parameters` are set in the query of the endpoint's URL; `headers` are sent instead of the endpoint's ({} for none).
    Raises httpx.HTTPError when nobody answers within the endpoint's time-out, or a header cannot be sent.
    """
    import httpx

    from drillbook.target.probing.http.route import MOST_REDIRECTS, origin

    url = httpx.URL(endpoint.url).copy_merge_params(parameters or {})
    sent = endpoint.headers if headers is None else headers
    trust = ssl.create_default_context(cafile=str(endpoint.ca)) if endpoint.ca is not None else True
    settings: dict[str, Any] = {"timeout": endpoint.timeout_s, "verify": trust, "trust_env": False}
    try:
        answer = httpx.get(url, headers=sent, **settings)
        for _ in range(MOST_REDIRECTS if endpoint.follow else 0):
            if answer.next_request is None:
                break
            to = answer.next_request.url
            answer = httpx.get(to, headers=sent if origin(str(to)) == origin(str(url)) else {}, **settings)
    except httpx.LocalProtocolError:  # it quotes the header, which may be a token
        msg = f"The endpoint {endpoint.name} cannot be asked: a header has a line feed in it, or a space at an end"
        raise httpx.LocalProtocolError(msg) from None
    return answer


def sql_connection(endpoint: Endpoint) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to PostgreSQL; close it after use, best by `with`.

    In a transaction (all but `autocommit`) a statement may take 10 s. Nothing is prepared, since a pooler may stand in
    between. Raises psycopg.Error when nobody answers within the endpoint's time-out.
    """
    from drillbook.target.probing.sql import connect

    return connect(endpoint)


def __getattr__(name: str) -> object:
    if name in _OF_REDIS:
        error: object = getattr(import_module("redis.exceptions"), _OF_REDIS[name])
        return error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
