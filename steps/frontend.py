"""The frontend as a browser loads it through the CDN. This is the page, and each file that the page names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from steps.deployment import bad

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import MISSING, At, Reading, Sample, looked
from drillbook.clients import http_get
from drillbook.errors import CouldNotLookError

if TYPE_CHECKING:
    import httpx

FRONTEND = "frontend"
_VERSION = re.compile(r'<meta name="version" content="([^"]+)">')
_ID = re.compile(r'\bid="([^"]+)"')
_ELEMENT = re.compile(r"""querySelector\(["']#([\w-]+)["']\)""")
_FILE = re.compile(r'(?:href|src)="([^":]+\.(?:css|js))"')


def version_of(page: object) -> str | None:
    """The release that the page says it is."""
    found = _VERSION.search(page) if isinstance(page, str) else None
    return found[1] if found else None


def _sampled(sample: Sample) -> object:
    return version_of(sample.value) or MISSING


LOADED = Reading("the release that browsers load", FRONTEND, _sampled)


def ask(drill: Drill, path: str = "", origin: bool = False) -> httpx.Response:
    """The answer to a request for the page or a file, through the CDN or from the origin itself."""
    endpoint = drill.inventory.endpoints[FRONTEND]
    base = endpoint.url
    if origin:
        base = str(drill.inventory.variable(drill.inventory.names(FRONTEND)[0], "drillbook_frontend_origin_url"))
    return http_get(replace(endpoint, url=urljoin(base, path)))


def files_of(drill: Drill) -> list[str]:
    """The files that the page names. Raises CouldNotLookError when there is no page, or when the page names no file."""
    page = ask(drill)
    found = _FILE.findall(page.text)
    if page.is_error or not found:
        raise CouldNotLookError(f"no page that names files: status {page.status_code}")
    return sorted(set(found))


def as_loaded(drill: Drill) -> tuple[str, list[str]]:
    """The release of the page, and what is wrong with the files that it names."""
    page = ask(drill)
    if page.is_error:
        return f"status {page.status_code}", []
    names = _FILE.findall(page.text)
    wrong = [] if names else ["the page names no file"]
    for name in names:
        file = ask(drill, name)
        if file.is_error:
            wrong.append(f"{name}: status {file.status_code}")
        elif hashlib.sha256(file.content).hexdigest()[:8] not in name:
            wrong.append(f"{name}: another content than its name says")
    return version_of(page.text) or "no version", wrong


def missing_elements(drill: Drill) -> list[str]:
    """The ids that the page's scripts look for, and the page lacks. Raises CouldNotLookError for no page."""
    scripts = [ask(drill, name).text for name in files_of(drill) if name.endswith(".js")]
    named = {name for script in scripts for name in _ELEMENT.findall(script)}
    there = set(_ID.findall(ask(drill).text))
    return sorted(named - there)


def still_there(drill: Drill, names: Iterable[str], origin: bool = False) -> list[str]:
    """Which of these files are served. Raises CouldNotLookError when an answer does not say."""
    status = {name: ask(drill, name, origin).status_code for name in names}
    if unclear := {name: each for name, each in status.items() if each not in (200, 404, 410)}:
        raise CouldNotLookError(f"whether they are served is unknown: {unclear}")
    return [name for name, each in status.items() if each == 200]


@given(parse('browsers load release "{version}" of the frontend'), target_fixture="good_files")
def browsers_load(drill: Drill, version: str) -> list[str]:
    """Returns the files that its page names."""
    drill.eventually(LOADED.is_(version), within=10)
    return files_of(drill)


@fault(parse("a release that {what} goes live in the frontend"))
def bad_frontend_goes_live(drill: Drill, what: str) -> None:
    drill.inject("frontend_bad", bad_ref=bad(drill, what))


@fault(parse("a release that {what} goes live in the frontend, and the stable one is copied over it"))
def bad_frontend_is_copied_over(drill: Drill, what: str) -> None:
    drill.inject("frontend_copied_over", bad_ref=bad(drill, what))


@then(parse('within {deadline:Duration} browsers load release "{version}" of the frontend'))
def release_is_loaded(drill: Drill, deadline: float, version: str) -> None:
    drill.eventually(LOADED.is_(version), within=deadline)


@then("the files of that release, and how long the CDN keeps its page, are written down", target_fixture="bad_files")
def frontend_is_diagnosed(drill: Drill, good_files: list[str]) -> list[str]:
    """Returns the files that only the bad release has."""
    page = ask(drill)
    drill.bound(At(FRONTEND, "the frontend").answers())
    only_bad = sorted(set(files_of(drill)) - set(good_files))
    drill.observe("the release that browsers load", version_of(page.text) or "nothing")
    drill.observe("files that only this release has", only_bad or "none")
    for name in ("Cache-Control", "Age", "X-Cache"):
        drill.observe(f"{name} of the page", page.headers.get(name, "nothing"))
    return only_bad


@then(
    parse(
        'within {deadline:Duration} browsers load release "{version}" of the frontend alone, with all its files, '
        "for {length:Duration}"
    )
)
def release_is_loaded_alone(drill: Drill, deadline: float, version: str, length: float) -> None:
    loaded = looked("the release that browsers load, and what is wrong with its files", lambda: as_loaded(drill))
    drill.throughout(loaded.is_((version, [])), for_=length, within=deadline)


@then(parse("within {deadline:Duration} no file of the bad release is served any more"))
def bad_files_are_gone(drill: Drill, deadline: float, bad_files: list[str]) -> None:
    served = looked("files of the bad release that are served", lambda: still_there(drill, bad_files))
    drill.eventually(served.satisfies("are none", lambda found: bool(bad_files) and not found), within=deadline)


@then(parse('the origin serves release "{version}" of the frontend'))
def origin_serves(drill: Drill, version: str) -> None:
    served = looked("the release that the origin serves", lambda: version_of(ask(drill, origin=True).text))
    drill.bound(served.is_(version))


@then(parse('for {length:Duration} browsers load release "{version}" of the frontend all the same'))
def release_is_still_loaded(drill: Drill, length: float, version: str) -> None:
    drill.throughout(LOADED.is_(version), for_=length, within=60)


@then(parse("within {deadline:Duration} the origin serves every file of the bad release all the same"))
def origin_keeps_bad_files(drill: Drill, deadline: float, bad_files: list[str]) -> None:
    served = looked("files of the bad release at the origin", lambda: still_there(drill, bad_files, origin=True))
    drill.eventually(served.satisfies("are all", lambda found: bool(bad_files) and found == bad_files), within=deadline)
