"""PostgreSQL connections from an inventory's endpoint: its address, account and time-out.

The rule: a connection takes no longer to open than the endpoint's time-out, and a statement no longer than 10 s.
"""

from __future__ import annotations

from typing import Any

import psycopg

from drillbook.target.inventory.settings import Endpoint

STATEMENT_TIMEOUT_S = 10
Error = psycopg.Error


def arguments(endpoint: Endpoint) -> dict[str, Any]:
    """What psycopg takes to connect to this endpoint. libpq knows whole seconds only, and takes 0 for no limit."""
    return {
        "conninfo": endpoint.url,
        "user": endpoint.user,
        "password": endpoint.password,
        "connect_timeout": max(1, round(endpoint.timeout_s)),
    }


def connect(endpoint: Endpoint) -> psycopg.Connection[tuple[Any, ...]]:
    """A blocking connection; close it after use. Raises psycopg.Error when nobody answers."""
    return psycopg.connect(**arguments(endpoint), options=f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000}")


async def async_connect(endpoint: Endpoint) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """A connection for a loop of asyncio, each statement committed by itself. Raises psycopg.Error."""
    return await psycopg.AsyncConnection.connect(**arguments(endpoint), autocommit=True)
