"""Barman, which backs the lab's PostgreSQL up as many do: base backups, and WAL that it receives as it is written.

It is optional (`pip install 'drillbook[barman]'`). If it is not installed, the lab says so, and a drill that needs it
is not run. It runs as the user of the server, and its folder lies beside the data.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

from drillbook_lab.base import files
from drillbook_lab.base.topology import HOST
from drillbook_lab.lifecycle.parts import postgres

SERVER = "lab"
_SLOT = "barman"


def missing() -> list[str]:
    """What is missing, each with what to do about it."""
    found = []
    if importlib.util.find_spec("barman") is None:
        found.append(
            "barman (pip install 'drillbook[barman]'; it compiles psycopg2,"
            " with Debian's gcc, libc6-dev, libpq-dev and python3-dev)"
        )
    if shutil.which("rsync") is None:
        found.append("rsync (apt-get install rsync)")
    return found


def command(folder: Path) -> list[str]:
    """The command of this lab's Barman, without what runs it as the user of the server."""
    return [str(Path(sys.executable).with_name("barman")), "-c", str(folder / "barman.conf")]


def lay_out(cluster: postgres.Cluster, port: int) -> None:
    """Make its folder and its configuration, where it is installed.

    The password is in the file that the server's own commands read.
    """
    if missing():
        return
    folder = cluster.barman
    folder.mkdir(mode=0o700)
    account = f"host={HOST} port={port} user={postgres.ADMIN} passfile={cluster.passfile}"
    files.write(
        folder / "barman.conf",
        f"""\
[barman]
barman_user = {postgres.os_user() or postgres.own_user()}
barman_home = {folder}
barman_lock_directory = {folder}
log_file = {folder}/barman.log
path_prefix = {postgres.binaries()}

[{SERVER}]
description = the database of the lab
conninfo = {account} dbname=postgres
streaming_conninfo = {account} dbname=postgres
backup_method = postgres
immediate_checkpoint = true
streaming_archiver = on
slot_name = {_SLOT}
create_slot = auto
""",
    )
    postgres.own(folder)
    postgres.own(folder / "barman.conf")
