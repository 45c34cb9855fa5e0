"""The database: whether it is there, whom it lets in, and who uses up its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg
from steps.redis import settings

from drillbook import Drill, fault, parse, then
from drillbook.checks import At, looked
from drillbook.clients import http_get, sql_connection

READY = At("api ready", "the API's readiness")
IDLE_BY_THE_RUNBOOK = "state = 'idle' AND query_start < now() - make_interval(secs => %(after)s)"
LEAKED = "application_name = 'leaked'"
SILENT = "state = 'idle' AND state_change < now() - make_interval(secs => %(after)s)"


@fault("the database is killed")
def database_is_killed(drill: Drill) -> None:
    drill.inject("service_killed", target="database")


@then(parse("within {deadline:Duration} the API is not ready because of the database"))
def api_is_not_ready(drill: Drill, deadline: float) -> None:
    drill.eventually(READY.status().is_(503), within=deadline)
    drill.eventually(READY.json("reasons", "why the API is not ready").contains("database down"), within=deadline)


@then(parse("within {deadline:Duration} the API is ready"))
def api_is_ready(drill: Drill, deadline: float) -> None:
    drill.eventually(READY.answers(), within=deadline)


@then(parse("within {deadline:Duration} whoever looks up what is not cached is told {status:Integer}"))
def look_up_is_told(drill: Drill, deadline: float, status: int) -> None:
    """No item has this name. So no cache has it, and the API asks the database each time."""

    def told() -> int:
        return http_get(drill.inventory.endpoints["catalogue"], {"ids": "drillbook-no-such-item"}).status_code

    drill.eventually(looked("the status of a look-up that no cache can answer", told).is_(status), within=deadline)


@then(parse("within {deadline:Duration} the database takes no writes"))
def database_takes_no_writes(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("the answer to a write", lambda: write(drill)).is_not("written"), within=deadline)


@then(parse("within {deadline:Duration} the database takes writes"))
def database_takes_writes(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("the answer to a write", lambda: write(drill)).is_("written"), within=deadline)


def write(drill: Drill) -> str:
    """What the database says to a write that changes nothing. When no database answers, the error is the answer."""
    statement = str(drill.inventory.variable(drill.inventory.names("database")[0], "drillbook_database_write"))
    try:
        with sql_connection(drill.inventory.endpoints["database"]) as connection:
            connection.execute(statement.encode())
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return "written"


# ---------------------------------------------------------------- credentials


@fault(parse('a deployment starts the API with "{password}" as the password in its "DATABASE_URL"'))
def wrong_password_is_deployed(drill: Drill, password: str) -> None:
    """The address stays right, so the API reaches the database, and the database refuses it."""
    known: Any = drill.inventory.variable(drill.inventory.names("api")[0], "drillbook_settings")
    right = urlsplit(known["DATABASE_URL"])
    server = f"{right.username}:{password}@{right.hostname}:{right.port}"
    drill.inject("wrong_setting", target="api", setting="DATABASE_URL", value=right._replace(netloc=server).geturl())


# ---------------------------------------------------------------- sessions


@fault("a leak takes up every session of the database, and the API is started anew")
def sessions_leak(drill: Drill) -> None:
    drill.inject("database_sessions_leaked", asks=True)


@fault("a leak takes up every session of the database without asking anything, and the API is started anew")
def silent_sessions_leak(drill: Drill) -> None:
    drill.inject("database_sessions_leaked", asks=False)


@then(parse('within {deadline:Duration} a new session of the application is refused with "{reason}"'))
def new_session_is_refused(drill: Drill, deadline: float, reason: str) -> None:
    answer = looked("the answer to a new session of the application", lambda: log_in(drill))
    drill.eventually(answer.contains(reason), within=deadline)


@then(parse("within {deadline:Duration} a new session of the application is accepted"))
def new_session_is_accepted(drill: Drill, deadline: float) -> None:
    drill.eventually(
        looked("the answer to a new session of the application", lambda: log_in(drill)).is_("accepted"), within=deadline
    )


@then("the sessions of the database are written down, by their programs and states")
def sessions_are_diagnosed(drill: Drill) -> None:
    drill.bound(At("database", "the database").answers())
    by = "SELECT application_name || ', ' || state, count(*)::int FROM pg_stat_activity WHERE state <> '' GROUP BY 1"
    drill.observe("sessions of the database", dict(rows(drill, by)))


@then(parse("within {deadline:Duration} at least {count:Integer} sessions have leaked, and all are idle for too long"))
def sessions_are_idle(drill: Drill, deadline: float, count: int) -> None:
    """A rule that ends what is idle for too long spares what the leak took last. It would stay for good."""

    def seen() -> tuple[int, int]:
        return idle(drill, LEAKED), idle(drill, f"{LEAKED} AND {SILENT}")

    leaked = looked("sessions that have leaked, and those of them that are idle for too long", seen)
    drill.eventually(
        leaked.satisfies(f"are at least {count}, and as many", lambda it: count <= it[0] == it[1]), within=deadline
    )


@then(parse("within {deadline:Duration} no session has been idle for too long"))
def no_session_is_idle(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("sessions that are idle", lambda: idle(drill, SILENT)).is_(0), within=deadline)


@then("the runbook's rule finds none of them")
def rule_finds_none(drill: Drill) -> None:
    """`query_start` is null in a session that never asked anything, and SQL finds nothing smaller than null."""
    found = looked("leaked sessions that the rule finds", lambda: idle(drill, f"{LEAKED} AND {IDLE_BY_THE_RUNBOOK}"))
    drill.bound(found.is_(0))


@then("the sessions in which the application works are known", target_fixture="working_sessions")
def working_sessions_are_known(drill: Drill) -> frozenset[tuple[int, str]]:
    """Returns each session as its process id and its start."""
    drill.bound(looked("sessions in which the application works", lambda: len(working(drill))).at_least(1), within=20)
    known = working(drill)
    drill.observe("sessions in which the application works", len(known))
    return known


@then("the sessions in which the application works were left alone")
def working_sessions_go_on(drill: Drill, working_sessions: frozenset[tuple[int, str]]) -> None:
    """At least half of them have to go on. A pool that needs fewer closes some itself."""
    go_on = looked("those that go on", lambda: len(working_sessions & working(drill, "true")), "sessions")
    drill.bound(go_on.at_least((len(working_sessions) + 1) // 2))


def rows(drill: Drill, query: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
    """What the database answers to its administrator."""
    with sql_connection(drill.inventory.endpoints["database"]) as connection:
        return connection.execute(query.encode(), values).fetchall()


def idle(drill: Drill, rule: str) -> int:
    """How many client sessions this rule finds. The inventory says after how long a session is idle."""
    host = drill.inventory.names("database")[0]
    after: Any = drill.inventory.variable(host, "drillbook_database_idle_after")
    query = f"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND {rule}"
    return int(rows(drill, query, {"after": after})[0][0])


def working(drill: Drill, used: str = f"NOT ({SILENT})") -> frozenset[tuple[int, str]]:
    """The sessions that the application has and uses. They belong to its account, and were not silent for too long."""
    host = drill.inventory.names("database")[0]
    values: Mapping[str, Any] = {
        "user": drill.inventory.variable(host, "drillbook_database_app_user"),
        "after": drill.inventory.variable(host, "drillbook_database_idle_after"),
    }
    query = (
        "SELECT pid, backend_start::text FROM pg_stat_activity WHERE usename = %(user)s "
        f"AND application_name <> 'leaked' AND {used}"
    )
    return frozenset((int(pid), str(start)) for pid, start in rows(drill, query, values))


def log_in(drill: Drill) -> str:
    """What the database says when somebody logs in with the address and the account from the API's settings."""
    url = settings(drill, drill.inventory.names("api")[0])["DATABASE_URL"]
    try:
        with psycopg.connect(url, connect_timeout=3, application_name="drill"):
            return "accepted"
    except psycopg.Error as error:
        return " ".join(str(error).split())
