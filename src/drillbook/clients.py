"""Clients for steps: with them a step asks an endpoint itself. The prober samples the endpoint all the same.

from drillbook.clients import redis_client

def waiting(drill):
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            return redis.llen("bull:jobs:wait")

drill.eventually(looked("jobs that wait", lambda: waiting(drill), "jobs").is_(0), within=30)

The rule: a client takes address, account, TLS and time-out from the endpoint, and nothing from the environment of the
process. Each look makes its own client, so it finds the node that is the primary at that moment. Clients raise the
errors of their libraries (`RedisError`, `httpx.HTTPError`, `psycopg.Error`, `DockerException`). A look that raises one
saw nothing.

This module also has the checks for prerequisites, because they ask hosts and endpoints: `present`, `reachable`,
`readable`.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.target.inventory.settings import Endpoint
from drillbook.target.probing.prerequisites import present, reachable, readable

# redis, httpx and psycopg together take 0.3 s of CPU to import: each is imported when a client is made, not when pytest
# starts
if TYPE_CHECKING:
    import httpx
    import psycopg
    import redis
    from docker.client import DockerClient
    from redis.exceptions import RedisError
    from redis.exceptions import ResponseError as RedisResponseError

__all__ = [
    "Endpoint",
    "RedisError",
    "RedisResponseError",
    "container_client",
    "container_events",
    "container_log",
    "http_get",
    "present",
    "reachable",
    "readable",
    "redis_client",
    "sql_connection",
]
_OF_REDIS = {"RedisError": "RedisError", "RedisResponseError": "ResponseError"}


def redis_client(endpoint: Endpoint, database: int | None = None) -> redis.Redis:
    """A client to the current primary, found through Sentinel where the endpoint names one.

    It uses the database of the endpoint's URL unless the caller names another. It speaks TLS for `rediss://` and
    follows the endpoint's `nat`. It tries once, and answers are text. Close it after use, best by `with`. Raises
    RedisError or OSError when nobody answers, CouldNotLookError when no Sentinel knows the primary.
    """
    from drillbook.target.probing.redis import client

    return client(endpoint, database)


def http_get(
    endpoint: Endpoint, parameters: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """The answer to one GET, whatever its status is.

    It uses no proxy. It follows a redirect where the endpoint says so, and sends the endpoint's headers to the
    endpoint's own origin alone. `parameters` are set in the query of the endpoint's URL; `headers` replace the
    endpoint's ({} for none). Raises httpx.HTTPError when nobody answers within the endpoint's time-out, or a header
    cannot be sent.
    """
    import httpx

    from drillbook.target.probing.http.route import MOST_REDIRECTS, origin

    url = httpx.URL(endpoint.url).copy_merge_params(parameters or {})
    sent = endpoint.headers if headers is None else headers

    def get(of: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        trust = _trust(endpoint.ca) if of.scheme == "https" else False  # without TLS there is no certificate to trust
        return httpx.get(of, headers=headers, timeout=endpoint.timeout_s, verify=trust, trust_env=False)

    try:
        answer = get(url, sent)
        for _ in range(MOST_REDIRECTS if endpoint.follow else 0):
            if answer.next_request is None:
                break
            to = answer.next_request.url
            answer = get(to, sent if origin(str(to)) == origin(str(url)) else {})
    except httpx.LocalProtocolError:  # the error quotes the header, which may be a token
        msg = f"The endpoint {endpoint.name} cannot be asked: a header has a line feed in it, or a space at an end"
        raise httpx.LocalProtocolError(msg) from None
    return answer


def _trust(ca: Path | None) -> ssl.SSLContext:
    """The certificates to trust: the endpoint's own authority, or all that certifi has."""
    return _public_trust() if ca is None else ssl.create_default_context(cafile=str(ca))


@cache
def _public_trust() -> ssl.SSLContext:
    """Read once. A step that looked ten times a second spent a fifth of a core on reading them."""
    trust: ssl.SSLContext = import_module("httpx").create_ssl_context(trust_env=False)
    return trust


def sql_connection(endpoint: Endpoint) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to PostgreSQL; close it after use, best by `with`.

    In a transaction (always but with `autocommit`) a statement may take 10 s. No statement is prepared, because a
    pooler may stand in between. Raises psycopg.Error when nobody answers within the endpoint's time-out.
    """
    from drillbook.target.probing.sql import connect

    return connect(endpoint)


def container_client(endpoint: Endpoint) -> DockerClient:
    """A client of the engine of an endpoint of kind container, Docker's or Podman's; close it, best by `with`.

    `client.containers.get(endpoint.container)` is the container. It needs the package docker
    (`pip install 'drillbook[containers]'`). Raises docker.errors.DockerException when the engine does not answer.
    """
    made: DockerClient = _containers().client(endpoint)
    return made


def container_events(endpoint: Endpoint, action: str, since_s: float) -> list[float]:
    """When something happened to the container since an instant (monotonic): `die`, `oom`, `kill`, `start`, ...

    Fits `happened`. Raises CouldNotLookError when the engine does not answer.
    """
    found: list[float] = _containers().events(endpoint, action, since_s)
    return found


def container_log(endpoint: Endpoint, since_s: float) -> str:
    """What the container wrote to its outputs since an instant (monotonic), as its engine has kept it.

    Raises CouldNotLookError when the engine does not answer, or knows no such container.
    """
    found: str = _containers().log(endpoint, since_s)
    return found


def _containers() -> Any:
    return import_module("drillbook.target.probing.container")


def __getattr__(name: str) -> object:
    if name in _OF_REDIS:
        error: object = getattr(import_module("redis.exceptions"), _OF_REDIS[name])
        return error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
