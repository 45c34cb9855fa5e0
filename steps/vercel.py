"""A site on Vercel, as users get it, and what Vercel's own client says of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from steps._parts import Platform
from steps.frontend import version_of

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, looked
from drillbook.clients import http_get
from drillbook.errors import CouldNotLookError

if TYPE_CHECKING:
    import httpx

PLATFORM = Platform("vercel", "drillbook_vercel", "vercel")
variable, client, said = PLATFORM.variable, PLATFORM.installed, PLATFORM.said
_SCRIPT = re.compile(r'<script src="([^":]+)"')


def ask(drill: Drill, path: str = "") -> httpx.Response:
    """The answer to a user who asks for the page or a file. Raises httpx.HTTPError when nobody answers."""
    url = urljoin(str(variable(drill, "url")), path)
    return http_get(replace(drill.inventory.endpoints["api"], url=url), headers={})


def served(drill: Drill) -> tuple[str, list[str]]:
    """The release of the page that users get, and the scripts that it names and that are not there.

    Raises CouldNotLookError for a page that names no script: it is none of the site's.
    """
    page = ask(drill)
    if page.is_error:
        return f"status {page.status_code}", []
    names = _SCRIPT.findall(page.text)
    if not names:
        raise CouldNotLookError("the page names no script")
    return version_of(page.text) or "no version", [name for name in names if ask(drill, name).is_error]


@given("Vercel's client can be used")
def vercel_can_be_used(drill: Drill) -> None:
    drill.require(looked("Vercel's client", lambda: client(drill)).is_("installed"))


@given(parse('users get release "{version}" from Vercel'))
def release_is_served(drill: Drill, version: str) -> None:
    drill.expect(looked("what Vercel serves, and what is missing", lambda: served(drill)).is_((version, [])))


@fault("a release whose script is missing is deployed to Vercel")
def bad_release_is_deployed(drill: Drill) -> None:
    drill.inject("vercel_bad", without_id=False)


@fault("a release whose script is missing is promoted on Vercel, and rolled back without naming a deployment")
def bad_release_is_not_rolled_back(drill: Drill) -> None:
    drill.inject("vercel_bad", without_id=True)


@then(parse('within {deadline:Duration} users get release "{version}" from Vercel, without its script'))
def bad_release_is_served(drill: Drill, deadline: float, version: str) -> None:
    found = looked("what Vercel serves, and what is missing", lambda: served(drill))
    bad = found.satisfies(f"is {version} without a script", lambda it: it[0] == version and len(it[1]) == 1)
    drill.eventually(bad, within=deadline)


@then(parse('the rollback has ended with status 0, and has said "{text}"'))
def rollback_has_said(drill: Drill, text: str) -> None:
    heard = looked("what the rollback said", lambda: said(drill))
    drill.bound(heard.contains("status 0"))
    drill.bound(heard.contains(text))


@then("what Vercel serves is written down")
def vercel_is_diagnosed(drill: Drill) -> None:
    drill.bound(At("api", "the API").answers())
    release, missing = served(drill)
    drill.observe("the platform", str(variable(drill, "platform")))
    drill.observe("the release that users get", release)
    drill.observe("scripts that are not there", missing or "none")
    drill.observe("what a rollback said that named no deployment", said(drill))


@then(parse('within {deadline:Duration} users get release "{version}" from Vercel, for {length:Duration}'))
def good_release_is_served(drill: Drill, deadline: float, version: str, length: float) -> None:
    found = looked("what Vercel serves, and what is missing", lambda: served(drill))
    drill.throughout(found.is_((version, [])), for_=length, within=deadline)
