"""PostgreSQL as the application uses it: bounded in time, whatever the network does.

psycopg answers a cancelled statement by asking the server to cancel it and then waits for the server's word. On a cut
network that word never comes (measured: the task hangs until the network is back). So a statement that is late gets
its socket shut down instead, which psycopg sees as a lost connection at once.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]

STATEMENT_TIMEOUT_S = 2.0

# The business row comes first and its primary key decides: a job that is delivered again (its worker was killed after
# the work and before it could tell Redis) finds its row and does nothing more. Both rows or none: it is one statement.
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

# A worker without that care, for the drill that shows what the duplicate check finds (DEDUPLICATE=0).
DO_JOB_CARELESSLY = """
WITH done AS (
    INSERT INTO items (id, kind, value) VALUES (%(id)s, %(kind)s, %(value)s)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, value = excluded.value, updated_at = clock_timestamp()
)
INSERT INTO job_runs (job_id, worker, attempt) VALUES (%(id)s, %(worker)s, %(attempt)s)
"""

GET_ITEMS = "SELECT id, kind, value, updated_at FROM items WHERE id = ANY(%(ids)s)"
# What a cache is warmed with: the catalogue, not what webhooks have left.
POPULAR_ITEMS = "SELECT id FROM items WHERE kind = 'seed'"


def pool(url: str, name: str, size: int) -> Pool:
    """A pool that connects when it is first needed and does not back off for long.

    psycopg_pool doubles its delay up to `reconnect_timeout` (300 s by default): after an outage of a minute it would
    let half a minute pass before it looks again. With 1 s it gives up at once, and the next request tries again.
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
    """End the socket under a connection; a duplicate descriptor, for psycopg goes on owning the other."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock:
        sock.shutdown(socket.SHUT_RDWR)


async def execute(
    pool: Pool, statement: str, values: Mapping[str, Any], timeout_s: float = STATEMENT_TIMEOUT_S
) -> list[DictRow]:
    """Run one statement in a transaction of its own; raises psycopg.Error or TimeoutError within about `timeout_s`.

    Connections that died while they lay in the pool are used up here, one after the other. Measured without it: after a
    restart of the database, three workers with four of them each spent all five attempts of a job on dead connections,
    and the job went to the dead-letter queue of a database that had been up for seconds. Statements here may run twice.
    """
    for _ in range(pool.max_size):
        try:
            return await _once(pool, statement, values, timeout_s)
        except _DeadConnection:
            continue
    return await _once(pool, statement, values, timeout_s)


class _DeadConnection(psycopg.OperationalError):
    """The connection was lost already; nothing is known against the server."""


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
    """Ask the database over a new connection: a pool's old one says nothing about logging in now.

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
