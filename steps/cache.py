"""What users look up, and the cache between them and the database. What the database has is right."""

from __future__ import annotations

from collections.abc import Mapping

from steps.health import latest

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import MISSING, At, Reading, Sample, dig, looked, number
from drillbook.clients import http_get, redis_client, sql_connection
from drillbook.errors import CouldNotLookError

CATALOGUE = At("catalogue", "the catalogue")
HIT_RATE = At("cache", "the cache").json("hit_rate", "the cache's hit rate", "%", factor=100)


@given("users look items up")
def users_look_up(drill: Drill) -> None:
    drill.expect(CATALOGUE.answers())
    drill.eventually(HIT_RATE.at_least(90), within=30)


FIRST_FURTHER = 51
"""The prober keeps asking for the first items, and so puts them back into the cache at once. Further items begin after
those.
"""


@given(parse("users have looked up {count:Integer} further items"), target_fixture="looked_up")
def users_have_looked_up(drill: Drill, count: int) -> list[str]:
    """Returns the ids of the items. They are in the cache now."""
    names = [f"item-{number}" for number in range(FIRST_FURTHER, FIRST_FURTHER + count)]
    answer = http_get(drill.inventory.endpoints["catalogue"], {"ids": ",".join(names)})
    if answer.is_error:
        raise CouldNotLookError(f"the items cannot be looked up: status {answer.status_code}")
    drill.require(cached(drill, names).is_(count))  # this is no baseline, because nobody puts these items back
    return names


@then(parse("within {deadline:Duration} none of the items that users have looked up is cached"))
def nothing_is_cached(drill: Drill, deadline: float, looked_up: list[str]) -> None:
    drill.eventually(cached(drill, looked_up).is_(0), within=deadline)


@then("all items that users have looked up are still cached")
def all_are_cached(drill: Drill, looked_up: list[str]) -> None:
    drill.bound(cached(drill, looked_up).is_(len(looked_up)))


def cached(drill: Drill, names: list[str]) -> Reading:
    def look() -> object:
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            return redis.exists(*(f"cache:item:{name}" for name in names))

    return looked("the items that users have looked up and that are cached", look)


@fault("the cache holds wrong values")
def cache_is_wrong(drill: Drill) -> None:
    drill.inject("cache_wrong", most=0, further=0, blanks=False)


@fault(parse("the cache holds wrong values of {count:Integer} items"))
def some_entries_are_wrong(drill: Drill, count: int) -> None:
    drill.inject("cache_wrong", most=count, further=0, blanks=False)


@fault(parse("the cache holds wrong values, and {count:Integer} further entries"))
def large_cache_is_wrong(drill: Drill, count: int) -> None:
    drill.inject("cache_wrong", most=0, further=count, blanks=False)


@fault(parse("the cache holds wrong values, and {count:Integer} further entries with blanks in their names"))
def entries_have_blanks(drill: Drill, count: int) -> None:
    drill.inject("cache_wrong", most=0, further=count, blanks=True)


@then(parse("the {count:Integer} entries with blanks in their names are still there"))
def entries_with_blanks_stay(drill: Drill, count: int) -> None:
    """This looks for each of the first hundred, and for the last."""
    names = [f"cache:item:old-{number} of them" for number in (*range(1, min(count, 100) + 1), count)]

    def there() -> int:
        with redis_client(drill.inventory.endpoints["redis"]) as redis:
            return int(redis.exists(*names))

    drill.bound(looked("entries with blanks in their names, of those that are looked for", there).is_(len(names)))


@then(parse("within {deadline:Duration} users are served wrong values"))
def wrong_values_are_served(drill: Drill, deadline: float) -> None:
    drill.eventually(wrong(right_values(drill)).at_least(1), within=deadline)


@then("the items that users are served wrong are written down")
def wrong_values_are_diagnosed(drill: Drill) -> None:
    drill.bound(CATALOGUE.answers())
    right = right_values(drill)
    served = drill.last(Reading("items", "catalogue", lambda sample: served_wrong(sample, right)))
    drill.observe("the items that users are served wrong", "no item was served" if served is None else served or "none")
    drill.observe("the cache's hit rate", latest(drill, HIT_RATE), "%")


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
    above = HIT_RATE.satisfies(f"is above {100 * share:g} %", lambda rate: number(rate) > 100 * share)
    drill.eventually(above, within=deadline)


@then(parse("within {deadline:Duration} the cache answers as many look-ups as before, within {tolerance:Percent}"))
def hit_rate_is_as_before(drill: Drill, deadline: float, tolerance: float) -> None:
    drill.eventually(HIT_RATE.at_least(drill.before(HIT_RATE) * (1 - tolerance)), within=deadline)


def right_values(drill: Drill) -> Mapping[str, object]:
    """What the database has, by the ids of the items."""
    with sql_connection(drill.inventory.endpoints["database"]) as connection:
        return dict(connection.execute("select id, value from items where kind = 'seed'").fetchall())


def served_wrong(sample: Sample, right: Mapping[str, object]) -> object:
    """The items that were served with another value than the database has.

    An answer without items serves nobody, so it gives MISSING.
    """
    items = dig(sample.value, "items") if sample.ok else MISSING
    if not isinstance(items, Mapping) or not items:
        return MISSING
    return [name for name, item in items.items() if item is None or item["value"] != right[name]]


def wrong(right: Mapping[str, object]) -> Reading:
    """How many items were served wrong."""

    def read(sample: Sample) -> object:
        names = served_wrong(sample, right)
        return len(names) if isinstance(names, list) else MISSING

    return Reading("items that are served wrong", "catalogue", read)
