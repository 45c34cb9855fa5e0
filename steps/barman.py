"""Backups by Barman: whether it can be used, and what it has."""

from __future__ import annotations

from steps._parts import usable, variable

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, looked


@given("Barman can be used")
def barman_can_be_used(drill: Drill) -> None:
    drill.require(looked("Barman", lambda: usable(drill, "database", "drillbook_barman_missing")).is_("usable"))


@fault("a bad update empties projects between writes of users, after Barman's backup of the night")
def projects_are_emptied_beside_barman(drill: Drill) -> None:
    drill.inject("database_damaged_beside_barman", damage=["content", "users_write_later"])


@fault(
    parse(
        "a bad migration spoils projects and scenes after Barman's backup of the night, "
        "and {count:Integer} jobs come in"
    )
)
def data_is_spoiled_beside_barman(drill: Drill, count: int) -> None:
    drill.inject("database_damaged_beside_barman", damage=["content", "relations"])
    drill.submit_work(20, count=count)


@then("what Barman has is written down")
def backups_are_diagnosed(drill: Drill) -> None:
    drill.bound(At("database", "the database").answers())
    server = variable(drill, "database", "drillbook_barman_server")
    words = [*variable(drill, "database", "drillbook_barman"), "list-backups", server]
    said = drill.hosts("database")[0].run(" ".join(words)).stdout.splitlines()
    drill.observe("backups that Barman lists", [each for each in said if each.startswith(server)] or "none")
