"""The object storage, as users get files from it. Each file is compared with its checksum."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, looked
from drillbook.clients import http_get
from drillbook.errors import CouldNotLookError

if TYPE_CHECKING:
    import httpx

SUMS = "SHA256SUMS"


def variable(drill: Drill, name: str) -> object:
    return drill.inventory.variable(drill.inventory.names("storage")[0], name)


def ask(drill: Drill, key: str) -> httpx.Response:
    """The answer to a user who gets a file. Raises httpx.HTTPError when nobody answers."""
    url = f"{variable(drill, 'drillbook_storage_files_url')}/{key}"
    return http_get(replace(drill.inventory.endpoints["api"], url=url), headers={})


def sums(drill: Drill) -> dict[str, str]:
    """The right checksum of each file, by its key. Raises CouldNotLookError when there is no list of them."""
    answer = ask(drill, SUMS)
    if answer.is_error or not answer.text.strip():
        raise CouldNotLookError(f"{SUMS} of the storage: status {answer.status_code}")
    return {key: right for right, key in (line.split(maxsplit=1) for line in answer.text.splitlines())}


def differing(drill: Drill) -> list[str]:
    """What is wrong with each file that is not right."""
    wrong = []
    for key, right in sorted(sums(drill).items()):
        answer = ask(drill, key)
        if answer.is_error:
            wrong.append(f"{key}: status {answer.status_code}")
        elif hashlib.sha256(answer.content).hexdigest() != right:
            wrong.append(f"{key}: another content")
    return wrong


def usable(drill: Drill) -> str:
    found = variable(drill, "drillbook_storage_found")
    return (
        "usable"
        if found
        else "no server of S3 for the lab: pip install 'drillbook[storage]', then 'drillbook lab reset'"
    )


@given("the object storage can be used")
def storage_can_be_used(drill: Drill) -> None:
    drill.require(looked("the object storage", lambda: usable(drill)).is_("usable"))


@fault(parse('"{first}" is overwritten in the object storage, and "{second}" is deleted'))
def files_are_damaged(drill: Drill, first: str, second: str) -> None:
    drill.inject("objects_damaged", overwritten=[first], deleted=[second])


@then(parse("within {deadline:Duration} users get {count:Integer} files of the object storage damaged, or not at all"))
def files_are_wrong(drill: Drill, deadline: float, count: int) -> None:
    wrong = looked("what is wrong with the files", lambda: differing(drill))
    drill.eventually(wrong.satisfies(f"is that of {count} files", lambda found: len(found) == count), within=deadline)


@then("what is wrong with the files of the object storage is written down")
def files_are_diagnosed(drill: Drill) -> None:
    drill.bound(At("api", "the API").answers())
    try:
        wrong: object = differing(drill) or "nothing"
    except (CouldNotLookError, OSError) as error:
        wrong = str(error)
    drill.observe("what is wrong with the files", wrong)


@then(
    parse(
        "within {deadline:Duration} users get every file of the object storage as its checksum says, "
        "for {length:Duration}"
    )
)
def files_are_right(drill: Drill, deadline: float, length: float) -> None:
    wrong = looked("what is wrong with the files", lambda: differing(drill))
    drill.throughout(wrong.is_([]), for_=length, within=deadline)
