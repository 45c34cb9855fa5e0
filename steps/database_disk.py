"""The disk of the database: how much is free, and what a full one does to writes."""

from __future__ import annotations

import psycopg

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import looked
from drillbook.clients import sql_connection
from drillbook.errors import CouldNotLookError

LAST_WORDS = "LOG:  (starting PostgreSQL|database system is shut down)|PANIC:  |FATAL:  could not write"


@given(parse("at most {most:Number} MB are free on the disk of the database"))
def disk_is_small(drill: Drill, most: float) -> None:
    """The drill fills this disk, so the disk must be small, and it must be there."""
    free = looked("free space on the disk of the database", lambda: blocks(drill)[0] / 1e6, "MB")
    drill.require(free.satisfies(f"is at most {most:g} MB, and some", lambda found: 0 < found <= most))


@fault("a file that somebody left fills the disk of the database")
def disk_is_filled(drill: Drill) -> None:
    drill.inject("database_disk_full")


@fault("a file that somebody left fills the disk of the database, and the WAL finds no room")
def wal_finds_no_room(drill: Drill) -> None:
    drill.inject("wal_disk_full")


@then(parse('within {deadline:Duration} the server has ended by itself, with "{reason}"'))
def server_has_ended(drill: Drill, deadline: float, reason: str) -> None:
    """The server's own last words say it, and the record keeps them. Words from before its last start do not count."""

    def said() -> str:
        lines = panic(drill)
        if lines:
            drill.observe("what the server said when it ended", lines)
        return lines[-1] if lines else "nothing"

    drill.eventually(looked("the last words of the server, which has ended", said).contains(reason), within=deadline)


@then(parse('within {deadline:Duration} a write that needs room is refused with "{reason}"'))
def growth_is_refused(drill: Drill, deadline: float, reason: str) -> None:
    answer = looked("the answer to a write that needs room", lambda: grow(drill))
    drill.eventually(answer.contains(reason), within=deadline)


@then(parse("within {deadline:Duration} a write that needs room is taken"))
def growth_is_taken(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("the answer to a write that needs room", lambda: grow(drill)).is_("taken"), within=deadline)


@then(parse("{share:Percent} of the disk of the database are taken"))
def disk_is_full(drill: Drill, share: float) -> None:
    def taken() -> float:
        free, whole = blocks(drill)
        return round(100 * (1 - free / whole), 1)

    drill.expect(looked("the part of the disk of the database that is taken", taken, "%").at_least(100 * share))


def blocks(drill: Drill) -> tuple[int, int]:
    """The bytes that are free on the disk of the database, and its size in bytes."""
    name = drill.inventory.names("database")[0]
    path = str(drill.inventory.variable(name, "drillbook_database_disk"))
    said = drill.hosts(name)[0].run("stat --file-system --format='%%a %%b %%S' %s", f"{path}/")
    if said.rc:
        raise CouldNotLookError(f"the disk of the database: {said.stderr.strip()}")
    free, whole, size = map(int, said.stdout.split())
    return free * size, whole * size


def panic(drill: Drill) -> list[str]:
    """The lines of the server's log that say why it ended by itself. There are none when it runs, or when it was
    stopped.
    """
    name = drill.inventory.names("database")[0]
    path = str(drill.inventory.variable(name, "drillbook_database_log"))
    said = drill.hosts(name)[0].run("grep -E %s %s", LAST_WORDS, path)
    if said.rc > 1:
        raise CouldNotLookError(f"the log of the database: {said.stderr.strip()}")
    return ended_by_panic(said.stdout.splitlines())


def ended_by_panic(lines: list[str]) -> list[str]:
    """The PANICs and FATAL errors of writing in a log since the last start, if the server has ended after them."""
    begun = max((at for at, line in enumerate(lines) if "LOG:  starting PostgreSQL" in line), default=0)
    since = lines[begun:]
    if not any("LOG:  database system is shut down" in line for line in since):
        return []
    return [line for line in since if "PANIC:  " in line or "FATAL:  could not write" in line]


def grow(drill: Drill) -> str:
    """What the database says to a write that needs room. The write is rolled back."""
    statement = str(drill.inventory.variable(drill.inventory.names("database")[0], "drillbook_database_growth"))
    try:
        with sql_connection(drill.inventory.endpoints["database"]) as connection:
            connection.execute(statement.encode())
            connection.rollback()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return "taken"
