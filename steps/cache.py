"""What users look up, and the cache between them and the database. The database is the judge of what is right."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from drillbook import fault, given, parse, then
from drillbook.checks import MISSING, At, Reading
from drillbook.drill import Drill
from drillbook.series import Sample

CATALOGUE = At("catalogue", "the catalogue")
HIT_RATE = At("cache", "the cache").json("hit_rate", "the cache's hit rate", "%", factor=100)


@given("users look items up")
def users_look_up(drill: Drill) -> None:
    drill.expect(CATALOGUE.answers())
    drill.eventually(HIT_RATE.at_least(90), within=30)


@fault("the cache holds wrong values")
def cache_is_wrong(drill: Drill) -> None:
    drill.inject("cache_wrong", most=0, further=0)


@fault(parse("the cache holds wrong values of {count:Integer} items"))
def some_entries_are_wrong(drill: Drill, count: int) -> None:
    drill.inject("cache_wrong", most=count, further=0)


@fault(parse("the cache holds wrong values, and {count:Integer} further entries"))
def large_cache_is_wrong(drill: Drill, count: int) -> None:
    drill.inject("cache_wrong", most=0, further=count)


@then(parse("within {deadline:Duration} users are served wrong values"))
def wrong_values_are_served(drill: Drill, deadline: float) -> None:
    drill.eventually(wrong(right_values(drill)).at_least(1), within=deadline)


@then(parse("within {deadline:Duration} users are served right values"))
def right_values_are_served(drill: Drill, deadline: float) -> None:
    drill.eventually(wrong(right_values(drill)).is_(0), within=deadline)


@then(parse("within {deadline:Duration} look-ups are answered by the database"))
def database_answers(drill: Drill, deadline: float) -> None:
    drill.eventually(CATALOGUE.json("sources.bypass", "items that came from the database").at_least(1), within=deadline)


@then("no look-up fails")
def no_look_up_fails(drill: Drill) -> None:
    drill.always(CATALOGUE.answers())


@then(parse("within {deadline:Duration} more than {share:Percent} of the look-ups are answered by the cache"))
def hit_rate_is_good(drill: Drill, deadline: float, share: float) -> None:
    drill.eventually(HIT_RATE.at_least(100 * share), within=deadline)


@then(parse("within {deadline:Duration} the cache answers as many look-ups as before, within {tolerance:Percent}"))
def hit_rate_is_as_before(drill: Drill, deadline: float, tolerance: float) -> None:
    drill.eventually(HIT_RATE.at_least(drill.before(HIT_RATE) * (1 - tolerance)), within=deadline)


def right_values(drill: Drill) -> Mapping[str, object]:
    """What the database has, by the ids of the items."""
    database = drill.inventory.endpoints["database"]
    with psycopg.connect(database.url, user=database.user, password=database.password, connect_timeout=2) as connection:
        return dict(connection.execute("select id, value from items where kind = 'seed'").fetchall())


def wrong(right: Mapping[str, object]) -> Reading:
    """How many of the items that were served are not what the database has."""

    def read(sample: Sample) -> object:
        if not sample.ok or not isinstance(sample.value, Mapping):
            return MISSING
        served = sample.value["items"]
        return sum(item is None or item["value"] != right[name] for name, item in served.items())

    return Reading("items that are served wrong", "catalogue", read)
