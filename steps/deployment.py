"""Releases that are deployed and rolled back, and which of them users are served. The answers that users get decide."""

from __future__ import annotations

from typing import Any

from steps.health import latest
from steps.queue import QUEUE
from steps.system import ERRORS, MEMORY

from drillbook import Drill, fault, given, parse, recovery, then
from drillbook.checks import At, Reading, looked, number
from drillbook.clients import http_get, sql_connection
from drillbook.errors import DrillbookError

VERSION = At("version", "the API")
USERS = ("version", "projects", "search")
"""The endpoints at which the release itself answers users."""
SERVED = VERSION.json("version", "the release that is served")
P95 = At("api", "the API").json("requests.p95_ms", "the time within which 95 % of the requests are answered", "ms")


def served(drill: Drill) -> Reading:
    """The releases that answer users on all routes. Each answer names its release."""

    def look() -> list[str]:
        answers = [http_get(drill.inventory.endpoints[name]) for name in USERS]
        return sorted({answer.headers.get("x-release", f"status {answer.status_code}") for answer in answers})

    return looked("the releases that answer users", look)


def bad(drill: Drill, what: str) -> str:
    """The git reference of the release that has this defect."""
    known: Any = drill.inventory.variable(drill.inventory.names("api")[0], "drillbook_release_bad")
    if what not in known:
        raise DrillbookError(f"drillbook_release_bad of the inventory has no release that {what!r}, only {list(known)}")
    return str(known[what])


@given(parse('users are served release "{version}"'))
def users_are_served(drill: Drill, version: str) -> None:
    drill.eventually(SERVED.is_(version), within=10)
    for name in USERS[1:]:
        drill.expect(At(name).answers())
    drill.baseline_begins()


@fault(parse("a release that {what} goes live"))
def bad_release_goes_live(drill: Drill, what: str) -> None:
    drill.inject("release_bad", bad_ref=bad(drill, what), good_ref="")


@fault(parse('release "{good}" goes live, and after it one that {what}'))
def bad_release_follows(drill: Drill, good: str, what: str) -> None:
    drill.inject("release_bad", bad_ref=bad(drill, what), good_ref=good)


@fault("its code alone is rolled back")
def code_alone_is_rolled_back(drill: Drill) -> None:
    drill.inject("code_rolled_back")


@fault(parse('a release that {what} is live as a checkout, and "{script}" is run there as the runbook writes it'))
def script_is_run(drill: Drill, what: str, script: str) -> None:
    run_script(drill, what, script)


@fault(
    parse(
        'a release that {what} is live as a checkout with a change in it, and "{script}" is run there '
        "as the runbook writes it, with the key of the API"
    )
)
def script_is_run_with_a_change(drill: Drill, what: str, script: str) -> None:
    run_script(drill, what, script, edited=True, with_key=True)


@fault(
    parse(
        'a release that {what} is live as a checkout, and "{script}" is run there as the runbook writes it, '
        "with the key of the API"
    )
)
def script_is_run_with_key(drill: Drill, what: str, script: str) -> None:
    run_script(drill, what, script, with_key=True)


def run_script(drill: Drill, what: str, script: str, *, edited: bool = False, with_key: bool = False) -> None:
    """`script` names a file in playbooks/faults/script_run/files, followed by its arguments."""
    name, *arguments = script.split()
    more = {"script": name, "arguments": arguments, "edited": edited, "with_key": with_key}
    drill.inject("script_run", bad_ref=bad(drill, what), **more)


def script_log(drill: Drill) -> str:
    """What the script has written to its log. It is empty when no script was run."""
    name = drill.inventory.names("api")[0]
    host: Any = drill.hosts(name)[0]
    log = host.file(f"{drill.inventory.variable(name, 'drillbook_release_site')}/tools/script.log")
    return str(log.content_string) if log.exists else ""


@then(parse('within {deadline:Duration} the script has said "{text}"'))
def script_has_said(drill: Drill, deadline: float, text: str) -> None:
    drill.eventually(looked("what the script has said", lambda: script_log(drill)).contains(text), within=deadline)


@then(parse("within {deadline:Duration} the queue is paused"))
def queue_is_paused(drill: Drill, deadline: float) -> None:
    drill.eventually(QUEUE.json("paused", "whether the queue is paused").is_(True), within=deadline)


@then("no look at the queue finds it paused")
def queue_is_never_paused(drill: Drill) -> None:
    """A look finds nothing while the API restarts. Such looks do not count."""
    paused = QUEUE.json("paused")
    found = looked("what looks have found the queue to be", lambda: sorted({str(each) for each in drill.seen(paused)}))
    drill.bound(found.is_(["False"]))


@recovery(parse('the feature "{name}" is switched off'))
def feature_is_switched_off(drill: Drill, name: str) -> None:
    drill.recover("deployment/switch_feature_off", feature=name)


@recovery(parse('the hotfix "{ref}" is deployed'))
def hotfix_is_deployed(drill: Drill, ref: str) -> None:
    drill.recover("deployment/roll_forward", hotfix=ref)


@recovery(parse('the recovery playbook "{name}" is run, back to release "{release}"'))
def rolled_back_to(drill: Drill, name: str, release: str) -> None:
    drill.recover(name, release_to=release)


@then(parse('within {deadline:Duration} users are served release "{version}"'))
def release_is_served(drill: Drill, deadline: float, version: str) -> None:
    drill.eventually(SERVED.is_(version), within=deadline)


@then(parse('within {deadline:Duration} users are served release "{version}" alone, for {length:Duration}'))
def release_is_served_alone(drill: Drill, deadline: float, version: str, length: float) -> None:
    drill.throughout(served(drill).is_([version]), for_=length, within=deadline)


@then(parse('users are served release "{version}" all the time'))
def release_is_served_all_the_time(drill: Drill, version: str) -> None:
    drill.always(SERVED.is_(version))


@then(parse("within {deadline:Duration} users are not answered"))
def users_are_not_answered(drill: Drill, deadline: float) -> None:
    for name in USERS:
        drill.eventually(At(name, f"/{name}").silent(), within=deadline)


@then(parse('within {deadline:Duration} "{route}" is not answered'))
def route_is_not_answered(drill: Drill, deadline: float, route: str) -> None:
    drill.eventually(At(route, f"/{route}").silent(), within=deadline)


@then(parse('within {deadline:Duration} "{route}" is not answered, although users are served release "{version}"'))
def good_release_fails(drill: Drill, deadline: float, route: str, version: str) -> None:
    def seen() -> tuple[str, bool]:
        answer = http_get(drill.inventory.endpoints[route])
        return answer.headers.get("x-release", ""), answer.is_error

    failing = looked(f"the release that answers /{route}, and whether that is an error", seen)
    drill.eventually(failing.is_((version, True)), within=deadline)


@then(parse('within {deadline:Duration} "{route}" is answered'))
def route_is_answered(drill: Drill, deadline: float, route: str) -> None:
    drill.eventually(At(route, f"/{route}").answers(), within=deadline)


@then(parse("within {deadline:Duration} {count:Integer} migration is applied"))
@then(parse("within {deadline:Duration} {count:Integer} migrations are applied"))
def migrations_are_applied(drill: Drill, deadline: float, count: int) -> None:
    def seen() -> object:
        with sql_connection(drill.inventory.endpoints["database"]) as connection:
            return connection.execute("select count(*) from schema_migrations").fetchall()[0][0]

    drill.eventually(looked("the migrations in the database", seen).is_(count), within=deadline)


@then(parse("within {deadline:Duration} more than {share:Percent} of the requests end in an error"))
def error_rate_is_high(drill: Drill, deadline: float, share: float) -> None:
    above = ERRORS.satisfies(f"is above {100 * share:g} %", lambda rate: number(rate) > 100 * share)
    drill.eventually(above, within=deadline)


@then(parse("within {deadline:Duration} 95 % of the requests are answered within {limit:Duration}"))
def requests_are_fast(drill: Drill, deadline: float, limit: float) -> None:
    drill.eventually(P95.at_most(1000 * limit), within=deadline)


@then(
    parse(
        "within {deadline:Duration} 95 % of the requests are answered as fast as before, within {tolerance:Percent} "
        "or {more:Duration}"
    )
)
def requests_are_as_fast(drill: Drill, deadline: float, tolerance: float, more: float) -> None:
    before = drill.before(P95)
    drill.eventually(P95.at_most(before + max(tolerance * before, 1000 * more)), within=deadline)


@then(parse("within {deadline:Duration} more than 5 % of the requests take longer than {limit:Duration}"))
def requests_are_slow(drill: Drill, deadline: float, limit: float) -> None:
    slower = P95.satisfies(f"is above {1000 * limit:g} ms", lambda took: number(took) > 1000 * limit)
    drill.eventually(slower, within=deadline)


@then(parse("within {deadline:Duration} the API uses at least {size:Integer} MB more memory than before"))
def memory_grows(drill: Drill, deadline: float, size: int) -> None:
    drill.eventually(MEMORY.at_least(drill.before(MEMORY) + size), within=deadline)


@then("the release that is served, its errors and its answers' time are written down")
def release_is_diagnosed(drill: Drill) -> None:
    drill.bound(At("database", "the database").answers())
    drill.observe("the release that is served", latest(drill, SERVED))
    drill.observe("its commit", latest(drill, VERSION.json("commit")))
    drill.observe("requests that end in an error", latest(drill, ERRORS), "%")
    drill.observe("the time within which 95 % of the requests are answered", latest(drill, P95), "ms")
