"""The contents of the database: its rows, their relations, and what a backup has of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from steps.database import rows
from steps.health import API
from steps.queue import QUEUE

from drillbook import Drill, fault, given, parse, recovery, then
from drillbook.checks import At, looked
from drillbook.clients import sql_connection
from drillbook.errors import CouldNotLookError

SHOWN = At("projects", "the list of projects")
TABLES = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
)
USERS = ("public.projects", "public.scenes")
"""The tables that users write. The drill's own ledger accounts for what jobs write."""
Held = Mapping[str, tuple[int, str]]
"""For each table, the number of its rows and a checksum of them. The order of the rows does not change the checksum."""


@given("what each table holds is known", target_fixture="held_before")
def tables_are_known(drill: Drill) -> Held:
    before = held(drill)
    drill.expect(At("database", "the database").answers())
    drill.observe("rows of each table before the fault", {name: count for name, (count, _) in before.items()})
    return before


@then("each table holds what it held before")
def tables_are_as_before(drill: Drill, held_before: Held) -> None:
    differing = looked("tables whose rows or checksum differ", lambda: differences(held(drill), held_before))
    drill.expect(differing.is_([]))


# ---------------------------------------------------------------- damage


@fault("a bad update empties projects, after the backup of the night and further writes of users")
def projects_are_emptied(drill: Drill) -> None:
    drill.inject("database_damaged", damage=["content"], base_backup=False)


@fault(
    parse("a bad migration spoils projects and scenes after the backup of the night, and {count:Integer} jobs come in")
)
def data_is_spoiled(drill: Drill, count: int) -> None:
    drill.inject("database_damaged", damage=["content", "relations"], base_backup=False)
    drill.submit_work(20, count=count)


@fault("a bad update empties projects between writes of users, after the base backup of the night")
def projects_are_emptied_between_writes(drill: Drill) -> None:
    drill.inject("database_damaged", damage=["content", "users_write_later"], base_backup=True)


@recovery(parse('the recovery playbook "{name}" is run for the moment before the damage'))
def moment_is_recovered(drill: Drill, name: str, damaged_at: datetime) -> None:
    drill.recover(name, target=damaged_at.isoformat(sep=" "))


@recovery(parse('the recovery playbook "{name}" is run for the latest moment'))
def latest_is_recovered(drill: Drill, name: str) -> None:
    drill.recover(name, target="latest")


@then("projects and scenes hold what they held before")
def users_tables_are_as_before(drill: Drill, held_before: Held) -> None:
    def differing() -> list[str]:
        now = held(drill)
        return differences(*({name: each.get(name, (0, "")) for name in USERS} for each in (now, held_before)))

    drill.expect(looked("tables whose rows or checksum differ", differing).is_([]))


@fault("a bad migration is applied")
def migration_is_applied(drill: Drill) -> None:
    drill.inject("migration_bad")


@then(parse("within {deadline:Duration} users are shown no projects"))
def projects_are_not_shown(drill: Drill, deadline: float) -> None:
    drill.eventually(SHOWN.silent(), within=deadline)


@then(parse("within {deadline:Duration} users are shown projects"))
def projects_are_shown(drill: Drill, deadline: float) -> None:
    drill.eventually(SHOWN.answers(), within=deadline)


@then(parse("within {deadline:Duration} maintenance is over, and the queue is not paused"))
def maintenance_is_over(drill: Drill, deadline: float) -> None:
    drill.eventually(API.json("maintenance", "maintenance").is_(False), within=deadline)
    drill.eventually(QUEUE.json("paused", "whether the queue is paused").is_(False), within=deadline)


@then(parse("the {count:Integer} jobs that came in are done"))
def jobs_are_done(drill: Drill, count: int) -> None:
    """The jobs are done in the database that is spoiled, so a restore loses them."""
    drill.bound(looked("jobs that are done", lambda: drill.load.balance().completed, "jobs").is_(count), within=20)


@then(parse("within {deadline:Duration} {count:Integer} projects are empty"))
def projects_are_empty(drill: Drill, deadline: float, count: int) -> None:
    emptied = looked("projects without content", lambda: empty(drill)[0], "projects")
    drill.eventually(emptied.is_(count), within=deadline)


@then("the moment of the damage is written down", target_fixture="damaged_at")
def damage_is_dated(drill: Drill) -> datetime | None:
    """Returns when the first empty project was written."""
    drill.bound(At("database", "the database").answers())
    since = empty(drill)[1]
    drill.observe("the first empty project was written at", "no project is empty" if since is None else str(since))
    return since


@then(parse("within {deadline:Duration} {count:Integer} scenes belong to no project"))
def scenes_are_lost(drill: Drill, deadline: float, count: int) -> None:
    lost = looked("scenes without a project", lambda: orphans(drill), "scenes")
    drill.eventually(lost.is_(count), within=deadline)


@then("the database refuses a scene without a project")
def relation_is_kept(drill: Drill) -> None:
    """This looks for the constraint. To try it with a scene would mean to write."""
    query = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'scenes'::regclass AND contype = 'f' AND convalidated"
    drill.expect(looked("constraints on the projects of scenes", lambda: rows(drill, query)[0][0]).is_(1))


@then("projects and scenes are what the newest backup has, row for row")
def tables_are_as_in_backup(drill: Drill) -> None:
    def differing() -> list[str]:
        kept = backup(drill)
        now = held(drill)
        return differences({name: now.get(name, (0, "")) for name in USERS}, {name: kept[name] for name in USERS})

    drill.expect(looked("tables whose rows or checksum differ from the backup", differing).is_([]))


@then(parse("the newest write that survived is at most {most:Duration} older than the damage"))
def rpo_is_met(drill: Drill, most: float, damaged_at: datetime) -> None:
    """The measured RPO. What users wrote after this write and before the damage is lost."""
    newest = (
        "SELECT max(updated_at) FROM (SELECT updated_at FROM projects UNION ALL SELECT updated_at FROM scenes) AS w"
    )

    def age_s() -> float:
        survived: datetime = rows(drill, f"{newest} WHERE updated_at < %(damaged_at)s", {"damaged_at": damaged_at})[0][
            0
        ]
        return round((damaged_at - survived).total_seconds(), 3)

    drill.observe("RPO: the age of the newest surviving write at the damage", age_s(), "s")
    drill.expect(looked("the age of the newest surviving write at the damage", age_s, "s").at_most(most))


def empty(drill: Drill) -> tuple[int, datetime | None]:
    """How many projects have no content, and the earliest time at which one of them was last written."""
    found = rows(drill, "SELECT count(*), min(updated_at) FROM projects WHERE content = ''")[0]
    return int(found[0]), found[1]


def orphans(drill: Drill) -> int:
    query = "SELECT count(*) FROM scenes s WHERE NOT EXISTS (SELECT FROM projects p WHERE p.id = s.project_id)"
    return int(rows(drill, query)[0][0])


def backup(drill: Drill) -> Held:
    """What each table held when the newest backup was taken. The backup's own list says it."""
    name = drill.inventory.names("database")[0]
    folder = str(drill.inventory.variable(name, "drillbook_database_backups"))
    host = drill.hosts(name)[0]
    listed = [each for each in host.run("ls -1 %s", folder).stdout.split() if each.endswith(".rows")]
    if not listed:
        raise CouldNotLookError(f"{folder} of {name} has no backup in it")
    file: Any = host.file  # testinfra's types say that this is a module
    lines = file(f"{folder}/{max(listed)}").content_string.splitlines()
    return {table: (int(count), digest) for table, count, digest in (line.split("|") for line in lines)}


@recovery(parse('the recovery playbook "{name}" is run for the rows of "{table}" where "{condition}"'))
def rows_are_recovered(drill: Drill, name: str, table: str, condition: str) -> None:
    drill.recover(name, table=table, condition=condition)


@given("each project is known", target_fixture="projects_before")
def projects_are_known(drill: Drill) -> Mapping[str, str]:
    """Returns a checksum for each project."""
    drill.expect(At("database", "the database").answers())
    return projects(drill)


@then(parse("{count:Integer} projects differ from before, those that users have written since"))
def only_users_wrote(drill: Drill, count: int, projects_before: Mapping[str, str]) -> None:
    def differing() -> tuple[int, int]:
        now = projects(drill)
        others = {name for name in {*now, *projects_before} if now.get(name) != projects_before.get(name)}
        return len(others), len(others - written(drill))

    differ = looked("projects that differ, and those of them that no user wrote", differing)
    drill.expect(differ.is_((count, 0)))


@then(parse("the {count:Integer} projects that users wrote after the backup are as they left them"))
def newer_writes_survive(drill: Drill, count: int) -> None:
    query = "SELECT count(*)::int FROM projects WHERE content = 'written after the backup'"
    drill.expect(looked("projects as users left them", lambda: rows(drill, query)[0][0], "projects").is_(count))


@then("what users wrote after the damage is not there")
def later_writes_are_lost(drill: Drill) -> None:
    query = "SELECT count(*)::int FROM projects WHERE content = 'written after the damage'"
    drill.expect(looked("projects written after the damage", lambda: rows(drill, query)[0][0], "projects").is_(0))


def projects(drill: Drill) -> Mapping[str, str]:
    """A checksum of each project."""
    return dict(rows(drill, "SELECT id, md5(p::text) FROM projects p"))


def written(drill: Drill) -> set[str]:
    """The projects that users wrote in this drill."""
    return {name for (name,) in rows(drill, "SELECT id FROM projects WHERE content LIKE 'written % the backup'")}


# ---------------------------------------------------------------- rows


def differences(now: Held, before: Held) -> list[str]:
    """The tables that differ, with their numbers of rows now and before."""
    return [
        f"{name}: {now.get(name, ('no table',))[0]} rows instead of {before.get(name, ('no table',))[0]}"
        for name in sorted({*now, *before})
        if now.get(name) != before.get(name)
    ]


def held(drill: Drill) -> Held:
    """What each table of the database holds now. One transaction reads them all, so they are from the same moment."""
    with sql_connection(drill.inventory.endpoints["database"]) as connection:
        connection.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(b"SET LOCAL timezone = 'UTC'")
        found: dict[str, Any] = {}
        for (name,) in connection.execute(TABLES.encode()).fetchall():
            digest = (
                f"SELECT count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {name} t"
            )
            found[name] = connection.execute(digest.encode()).fetchone()
    return found
