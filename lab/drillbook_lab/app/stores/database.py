"""PostgreSQL as the application uses it. Every statement ends in time, whatever the network does.

When a statement is cancelled, psycopg asks the server to cancel it and waits for the server's answer. On a cut network
that answer never comes (measured: the task hangs until the network is back). So this module shuts down the socket of a
statement that is late. psycopg sees this at once as a lost connection.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]

STATEMENT_TIMEOUT_S = 2.0
AWAY = (psycopg.Error, PoolTimeout)
"""What a statement raises when the database fails or does not answer."""

# The row in `items` comes first, and its primary key decides. If a worker is killed after the work and before it tells
# Redis, the job is delivered again. It then finds its row and does nothing more. One statement writes both rows or
# none.
DO_JOB = """
WITH done AS (
    INSERT INTO items (id, kind, value) VALUES (%(id)s, %(kind)s, %(value)s)
    ON CONFLICT (id) DO NOTHING RETURNING id
), redelivered AS (
    INSERT INTO job_redeliveries (job_id, worker, attempt)
    SELECT %(id)s, %(worker)s, %(attempt)s WHERE NOT EXISTS (SELECT FROM done)
)
INSERT INTO job_runs (job_id, worker, attempt) SELECT id, %(worker)s, %(attempt)s FROM done
"""

# The statement of a worker without this protection, for the drill that shows what the duplicate check finds
# (DEDUPLICATE=0).
DO_JOB_CARELESSLY = """
WITH done AS (
    INSERT INTO items (id, kind, value) VALUES (%(id)s, %(kind)s, %(value)s)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, value = excluded.value, updated_at = clock_timestamp()
)
INSERT INTO job_runs (job_id, worker, attempt) VALUES (%(id)s, %(worker)s, %(attempt)s)
"""

GET_ITEMS = "SELECT id, kind, value, updated_at FROM items WHERE id = ANY(%(ids)s)"
# A cache is warmed with the catalogue, and not with what webhooks have left.
POPULAR_ITEMS = "SELECT id FROM items WHERE kind = 'seed'"


def pool(url: str, name: str, size: int) -> Pool:
    """A pool that connects when it is first needed and does not back off for long.

    psycopg_pool doubles its delay up to `reconnect_timeout` (300 s by default), so after an outage of a minute it would
    wait half a minute before it tries again. With 1 s it gives up at once, and the next request tries again.
    """
    return AsyncConnectionPool(
        url,
        connection_class=psycopg.AsyncConnection[DictRow],
        kwargs={"autocommit": True, "application_name": name, "row_factory": dict_row, "connect_timeout": 2},
        min_size=1,
        max_size=size,
        timeout=STATEMENT_TIMEOUT_S,
        reconnect_timeout=1.0,
        max_idle=60.0,
        open=False,
        name=name,
    )


def _shut(connection: psycopg.AsyncConnection[Any]) -> None:
    """Shut down the socket under a connection, through a duplicate descriptor: psycopg still owns the original."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock:
        sock.shutdown(socket.SHUT_RDWR)


async def execute(
    pool: Pool, statement: str, values: Mapping[str, Any], timeout_s: float = STATEMENT_TIMEOUT_S
) -> list[DictRow]:
    """Run one statement in a transaction of its own; raises psycopg.Error or TimeoutError within about `timeout_s`.

    A connection may have died while it lay in the pool. The statement is then tried on the next connection. Measured
    without this: after a restart of the database, three workers with four dead connections each spent all five attempts
    of a job on them, and the job went to the dead-letter queue although the database had been up for seconds. So a
    statement may run twice.
    """
    for _ in range(pool.max_size):
        try:
            return await _once(pool, statement, values, timeout_s)
        except _DeadConnection:
            continue
    return await _once(pool, statement, values, timeout_s)


class _DeadConnection(psycopg.OperationalError):
    """The connection was lost already, which says nothing about the server."""


async def _once(pool: Pool, statement: str, values: Mapping[str, Any], timeout_s: float) -> list[DictRow]:
    loop = asyncio.get_running_loop()
    late = False
    async with pool.connection(timeout=timeout_s) as connection:

        def shut() -> None:
            nonlocal late
            late = True
            _shut(connection)

        alarm = loop.call_later(timeout_s, shut)
        try:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            if late:
                raise TimeoutError(f"the database did not answer within {timeout_s:g} s") from error
            if connection.broken:
                raise _DeadConnection(str(error)) from error
            raise
        finally:
            alarm.cancel()


async def look(url: str) -> None:
    """Ask the database over a new connection, because an old one of a pool says nothing about logging in now.

    With an old one, an exhausted server or a changed password would stay unseen for as long as the pool lives.
    """
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, application_name="api-health", connect_timeout=2
    )
    alarm = asyncio.get_running_loop().call_later(STATEMENT_TIMEOUT_S, _shut, connection)
    try:
        await connection.execute("SELECT 1")
    finally:
        alarm.cancel()
        await connection.close()
