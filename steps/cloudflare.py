"""A Worker on Cloudflare, as users get it: its release, its health, its products, and the session of a user."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from steps._parts import Platform

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, looked
from drillbook.clients import http_get

if TYPE_CHECKING:
    import httpx

PLATFORM = Platform("worker_platform", "drillbook_worker", "wrangler")
variable, client = PLATFORM.variable, PLATFORM.installed
PATHS = ("health", "products")


def ask(drill: Drill, path: str) -> httpx.Response:
    """The answer to a user who has a session. Raises httpx.HTTPError when nobody answers."""
    asked = replace(drill.inventory.endpoints["api"], url=f"{variable(drill, 'url')}/{path}")
    return http_get(asked, headers={"Authorization": f"Bearer {variable(drill, 'session_token')}"})


def served(drill: Drill) -> tuple[str, list[int]]:
    """The release that answers users, and the status of its health and of its products."""
    answers = [ask(drill, path) for path in PATHS]
    return answers[0].headers.get("x-release", "no release"), [each.status_code for each in answers]


def session(drill: Drill) -> int:
    """The status of the answer to a user's session."""
    return ask(drill, "session").status_code


@given("Cloudflare's client can be used")
def cloudflare_can_be_used(drill: Drill) -> None:
    drill.require(looked("Cloudflare's client", lambda: client(drill)).is_("installed"))


@given(parse('users get release "{version}" of the Worker, and their sessions are known'))
def worker_is_well(drill: Drill, version: str) -> None:
    well = looked("what the Worker serves, and the session", lambda: (served(drill), session(drill)))
    drill.expect(well.is_(((version, [200, 200]), 200)))


@fault("a release of the Worker that lacks a binding goes live")
def bad_worker_goes_live(drill: Drill) -> None:
    drill.inject("worker_bad", first_of_list=False)


@fault("a release of the Worker that lacks a binding goes live, and the first deployment of the list is rolled back to")
def first_of_list_goes_live(drill: Drill) -> None:
    drill.inject("worker_bad", first_of_list=True)


@fault("a wrong secret is set for the Worker")
def wrong_secret_is_set(drill: Drill) -> None:
    drill.inject("worker_secret_wrong")


@then(
    parse(
        'within {deadline:Duration} release "{version}" of the Worker answers its health with {first:Integer} '
        "and its products with {second:Integer}"
    )
)
def worker_answers(drill: Drill, deadline: float, version: str, first: int, second: int) -> None:
    found = looked("what the Worker serves", lambda: served(drill))
    drill.eventually(found.is_((version, [first, second])), within=deadline)


@then(parse("within {deadline:Duration} a session of a user is answered with {status:Integer}"))
def session_is_answered(drill: Drill, deadline: float, status: int) -> None:
    drill.eventually(looked("the answer to a session", lambda: session(drill)).is_(status), within=deadline)


@then("what the Worker serves is written down")
def worker_is_diagnosed(drill: Drill) -> None:
    drill.bound(At("api", "the API").answers())
    release, states = served(drill)
    drill.observe("the platform", str(variable(drill, "platform")))
    drill.observe("the release that answers users", release)
    drill.observe("the status of its health and its products", states)
    drill.observe("the answer to a user's session", session(drill))


@then(
    parse(
        'within {deadline:Duration} users get release "{version}" of the Worker, and their sessions are known, '
        "for {length:Duration}"
    )
)
def worker_stays_well(drill: Drill, deadline: float, version: str, length: float) -> None:
    well = looked("what the Worker serves, and the session", lambda: (served(drill), session(drill)))
    drill.throughout(well.is_(((version, [200, 200]), 200)), for_=length, within=deadline)
