"""Commands of runbooks on a database, as they are written, and the harm that they do."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from steps.database import rows

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import looked
from drillbook.errors import CouldNotLookError

LISTED = (
    "for file in %s/backup_*.sql.gz; do test -e $file || continue; test -r $file || exit 9; "
    "zcat $file | grep -q '^COPY ' && echo good || echo empty; done"
)

READ = "for file in %s/*.dump; do %s --file=/dev/null $file && echo whole || echo broken; done"


@fault(parse("the runbook's script takes a backup on {nights:Integer} nights, and the database refuses it"))
def script_is_run(drill: Drill, nights: int) -> None:
    drill.inject("backups_as_written", nights=nights)


@then(parse("the script calls each of the {nights:Integer} nights a success"))
def script_is_content(drill: Drill, nights: int) -> None:
    called = looked("nights that ended with status 0 and a success", lambda: successes(drill), "nights")
    drill.expect(called.is_(nights))


@then(parse("of the {count:Integer} files that the script has kept none can be restored"))
def nothing_can_be_restored(drill: Drill, count: int) -> None:
    drill.observe("files that the script has kept, and those that hold a table", list(kept_by_script(drill)))
    kept = looked("the files that it has kept, and those that hold a table", lambda: kept_by_script(drill))
    drill.expect(kept.is_((count, 0)))


@fault(parse("the backup is taken on {nights:Integer} nights, and the database refuses it"))
def backup_is_refused(drill: Drill, nights: int) -> None:
    drill.inject("backups_refused", nights=nights)


@then(parse("the backup calls each of the {nights:Integer} nights a failure"))
def backup_fails_loudly(drill: Drill, nights: int) -> None:
    called = looked("nights that did not end with status 0", lambda: failures(drill), "nights")
    drill.expect(called.is_(nights))


@then(parse("each of the {count:Integer} backups from before can be restored"))
def good_backups_stay(drill: Drill, count: int) -> None:
    kept = looked("the files that it has kept, and those that can be read to their end", lambda: kept_whole(drill))
    drill.observe("files that the backup has kept, and those that can be read to their end", list(kept_whole(drill)))
    drill.expect(kept.is_((count, count)))


@then(parse("within {deadline:Duration} a backup taken since can be restored"))
def backup_is_whole(drill: Drill, deadline: float) -> None:
    at = datetime.fromtimestamp(time.time() - time.monotonic() + drill.fault_at_s(), UTC)
    whole = looked("tables in backups that were taken since the fault", lambda: tables_since(drill, at), "tables")
    drill.eventually(whole.at_least(1), within=deadline)


@given(parse("{count:Integer} jobs have been done"))
def jobs_have_been_done(drill: Drill, count: int) -> None:
    drill.submit_work(20, count=count)
    drill.eventually(looked("jobs that are done", lambda: drill.load.balance().completed).is_(count), within=30)


@fault("the backup is restored over the database that serves, as the runbook writes it")
def restored_over_live(drill: Drill) -> None:
    drill.inject("restored_over_live")


@then(parse("the runbook's restore ended with status 0, after at least {count:Integer} errors"))
def restore_is_content(drill: Drill, count: int) -> None:
    said = log(drill, "log")
    drill.observe("what dropdb said", next((line for line in said if line.startswith("dropdb:")), "nothing"))
    drill.observe("errors of the restore, which ended with status 0", errors(log(drill, "log")))
    ended = looked("errors of a restore that ended with status 0", lambda: errors(log(drill, "log")), "errors")
    drill.expect(ended.at_least(count))


@then(parse("within {deadline:Duration} {count:Integer} jobs have been done twice, as the database has it"))
def jobs_are_there_twice(drill: Drill, deadline: float, count: int) -> None:
    twice = looked("jobs that were done twice", lambda: len(drill.load.balance().duplicated), "jobs")
    drill.eventually(twice.is_(count), within=deadline)


@fault("the files of the WAL are deleted by hand, and the server is started anew")
def wal_is_deleted(drill: Drill) -> None:
    drill.inject("wal_deleted_by_hand")


@then("the server lacks the WAL that it needs to start")
def wal_is_missing(drill: Drill) -> None:
    drill.expect(looked("the piece of WAL from which the server begins", lambda: first_wal(drill)).is_("is not there"))


@then("what users wrote since the WAL was last archived is lost")
def newest_writes_are_lost(drill: Drill) -> None:
    query = "SELECT count(*)::int FROM projects WHERE content = 'written after the backup'"
    left = looked("projects that users wrote since", lambda: rows(drill, query)[0][0], "projects")
    drill.expect(left.is_(0))


def first_wal(drill: Drill) -> str:
    """Whether the WAL file that the server's own control file names is there."""
    name = drill.inventory.names("database")[0]
    data, bin_ = (str(drill.inventory.variable(name, f"drillbook_database_{each}")) for each in ("data", "bin"))
    host = drill.hosts(name)[0]
    control = host.run("%s %s", f"{bin_}/pg_controldata", data).stdout.splitlines()
    needed = [line.split()[-1] for line in control if line.startswith("Latest checkpoint's REDO WAL file")]
    if not needed:
        raise CouldNotLookError(f"pg_controldata says nothing of {data}")
    return "is there" if host.run("test -e %s", f"{data}/pg_wal/{needed[0]}").rc == 0 else "is not there"


def errors(said: list[str]) -> int:
    """How many errors a restore has printed. It is 0 when the restore says that it failed, or says nothing."""
    found = sum("ERROR:" in line for line in said)
    return found if "status 0" in said else 0


def successes(drill: Drill) -> int:
    """The number of bad nights on which the script ended with status 0 and said that there is a backup."""
    bad = log(drill, "/nights.log")
    drill.observe("what the script said on a night on which the database refused it", bad[0] if bad else "nothing")
    return sum(line.startswith("0|") and line.endswith("successfully") for line in bad)


def failures(drill: Drill) -> int:
    """The bad nights on which the backup ended with another status than 0."""
    bad = log(drill, "/nights.log")
    drill.observe("what the backup said on a night on which the database refused it", bad[0] if bad else "nothing")
    return sum(not line.startswith("0|") for line in bad)


def kept_whole(drill: Drill) -> tuple[int, int]:
    """How many backups there are, and how many of them `pg_restore` can read to the end."""
    name = drill.inventory.names("database")[0]
    bin_ = str(drill.inventory.variable(name, "drillbook_database_bin"))
    said = drill.hosts(name)[0].run(READ, folder(drill), f"{bin_}/pg_restore").stdout.split()
    return len(said), said.count("whole")


def kept_by_script(drill: Drill) -> tuple[int, int]:
    """How many files the script has kept, and how many of them hold a table."""
    listed = drill.hosts("database")[0].run(LISTED, folder(drill))
    if listed.rc == 9:
        raise CouldNotLookError(f"{folder(drill)}: a file of the script cannot be read")
    said = listed.stdout.split()
    return sum(each in ("good", "empty") for each in said), said.count("good")


def tables_since(drill: Drill, at: datetime) -> int:
    """The number of tables that the newest backup lists in its own table of contents; 0 when the backup is older."""
    name = drill.inventory.names("database")[0]
    where, bin_ = (drill.inventory.variable(name, f"drillbook_database_{each}") for each in ("backups", "bin"))
    host = drill.hosts(name)[0]
    listed = [each for each in host.run("ls -1 %s", str(where)).stdout.split() if each.endswith(".dump")]
    taken = max(listed, default="")
    if taken < f"backup_{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z.dump":
        return 0
    contents = host.run("%s --list %s", f"{bin_}/pg_restore", f"{where}/{taken}").stdout
    return sum("TABLE DATA" in line for line in contents.splitlines())


def folder(drill: Drill) -> str:
    name = drill.inventory.names("database")[0]
    return str(drill.inventory.variable(name, "drillbook_database_script_backups"))


def log(drill: Drill, which: str) -> list[str]:
    """The lines of a log in the script's folder or beside it. A log that does not exist has none."""
    path = folder(drill) + (which if which.startswith("/") else f".{which}")
    lines: list[str] = drill.hosts("database")[0].run("cat %s", path).stdout.splitlines()
    return lines
