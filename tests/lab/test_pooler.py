"""A database behind PgBouncer, in transaction mode: each transaction may have another session."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from drillbook.clients import sql_connection
from drillbook.target.inventory.settings import Endpoint, EndpointKind, Work
from drillbook.target.probing.load import Load
from drillbook.target.probing.prober import Prober
from drillbook_lab.lifecycle.parts import postgres
from tests.support.unit import free_port, until

from .support import PGBOUNCER

pytestmark = [
    pytest.mark.pooler,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt-get install pgbouncer)"),
]

ADMIN, APP = "battery-staple-1", "correct-horse-1"
INI = """\
[databases]
app = host=127.0.0.1 port={database} dbname=app
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
"""


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[-1]).name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def up(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def pooled() -> Iterator[Endpoint]:
    """The endpoint of a database that is reached by PgBouncer alone, on a server of its own."""
    assert PGBOUNCER is not None
    with tempfile.TemporaryDirectory(prefix="pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        database, port = free_port(), free_port()
        cluster = postgres.prepare(folder / "postgres")
        postgres.create(cluster, database, ADMIN)
        users, ini = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"app" "{APP}"\n')
        ini.write_text(INI.format(database=database, port=port, users=users))
        identity = ["-u", str(postgres.os_user())] if os.geteuid() == 0 else []
        with running(cluster.command, cluster.folder):
            until(lambda: up(postgres.url(database, postgres.ADMIN, ADMIN, "postgres")), "the database")
            postgres.fill(database, ADMIN, APP)
            with running([PGBOUNCER, *identity, str(ini)], folder):
                url = f"postgresql://127.0.0.1:{port}/app"
                until(lambda: up(f"postgresql://app:{APP}@127.0.0.1:{port}/app"), "the pooler")
                yield Endpoint("database", EndpointKind.SQL, url, user="app", password=APP, samples_per_s=100.0)


def test_looks_are_answered_whichever_session_they_get(pooled: Endpoint) -> None:
    with Prober(dict.fromkeys(("a", "b", "c", "d", "e"), pooled)) as prober:
        until(lambda: all(len(series) >= 40 for series in prober.series.values()), "looks")
    assert {each.error for series in prober.series.values() for each in series.all()} == {None}


def test_the_balance_of_the_work_is_asked(pooled: Endpoint) -> None:
    with sql_connection(pooled) as connection:
        connection.execute("insert into job_runs (job_id, worker, attempt) values (%s, 'w', 1)", ("run-000001",))
    query = "select job_id, count(*) from job_runs where job_id like %(prefix)s group by job_id"
    load = Load(Prober({}), Work("http://127.0.0.1:1", "database", query), pooled, "run-")
    for _ in range(10):
        assert load.completed() == {"run-000001": 1}


def test_a_statement_ends_in_time_and_leaves_no_setting_to_others(
    pooled: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drillbook.target.probing.sql.STATEMENT_TIMEOUT_S", 0.1)
    with sql_connection(pooled) as connection, pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("select pg_sleep(20)")
    with (
        sql_connection(pooled) as connection,
        pytest.raises(psycopg.errors.QueryCanceled),
        connection.transaction(),
    ):
        connection.execute("select pg_sleep(20)")
    with psycopg.connect(pooled.url, user="app", password=APP, autocommit=True, prepare_threshold=None) as other:
        assert [other.execute("show statement_timeout").fetchone() for _ in range(5)] == [("0",)] * 5


def test_what_the_shell_asks_of_libpq_is_not_asked(pooled: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c jit=off")
    with sql_connection(pooled) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
