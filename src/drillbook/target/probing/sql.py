"""PostgreSQL connections from an inventory's endpoint: its address, account and time-out.

The rule: a connection takes no longer to open than the endpoint's time-out, and a statement in a transaction no longer
than 10 s. A pooler in between (PgBouncer) may give each transaction another session. So no statement is prepared, no
setting outlives its transaction, and the connection asks for none when it opens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus

from drillbook.target.inventory.settings import Endpoint

STATEMENT_TIMEOUT_S = 10
Error = psycopg.Error


class _Timed(psycopg.Cursor[Any]):
    """A cursor whose statements have a time limit. The limit lasts for the transaction that sets it."""

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        self._limit()
        return super().execute(*args, **kwargs)

    def executemany(self, query: Any, params_seq: Iterable[Any], **kwargs: Any) -> None:
        self._limit()
        super().executemany(query, params_seq, **kwargs)

    def _limit(self) -> None:
        status = self.connection.info.transaction_status
        begins = status == TransactionStatus.IDLE and not self.connection.autocommit
        if begins or status == TransactionStatus.INTRANS:
            super().execute(f"set local statement_timeout = {round(STATEMENT_TIMEOUT_S * 1000)}".encode())


def arguments(endpoint: Endpoint) -> dict[str, Any]:
    """The arguments with which psycopg connects to this endpoint. libpq knows whole seconds only, and takes 0 for no
    limit.
    """
    return {
        "conninfo": endpoint.url,
        "user": endpoint.user,
        "password": endpoint.password,
        "connect_timeout": max(1, round(endpoint.timeout_s)),
        "options": "",  # ignore those of PGOPTIONS: a pooler refuses them
        "prepare_threshold": None,
    }


def connect(endpoint: Endpoint) -> psycopg.Connection[tuple[Any, ...]]:
    """A blocking connection; close it after use. Raises psycopg.Error when nobody answers."""
    return psycopg.connect(**arguments(endpoint), cursor_factory=_Timed)


async def async_connect(endpoint: Endpoint) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """A connection for an asyncio loop; it commits each statement by itself. Raises psycopg.Error."""
    return await psycopg.AsyncConnection.connect(**arguments(endpoint), autocommit=True)
