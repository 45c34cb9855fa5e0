"""The branch that is deployed on each push: what people push to it, and what they take back."""

from __future__ import annotations

from typing import Any

from steps.deployment import bad

from drillbook import Drill, fault, parse, recovery, then
from drillbook.checks import At, looked
from drillbook.errors import CouldNotLookError

NOTES = "Notes"
"""The message of the colleague's commit."""


def git(drill: Drill, *arguments: str) -> str:
    """What git prints on the host of the repository. Raises CouldNotLookError with git's complaint."""
    host = drill.inventory.names("repository")[0]
    where = str(drill.inventory.variable(host, "drillbook_git_url"))
    said = drill.hosts(host)[0].run(" ".join(["git --git-dir", *["%s"] * (1 + len(arguments))]), where, *arguments)
    if said.rc:
        raise CouldNotLookError(f"git {arguments[0]}: {said.stderr.strip()}")
    return str(said.stdout).strip()


def branch(drill: Drill) -> str:
    return str(drill.inventory.variable(drill.inventory.names("repository")[0], "drillbook_git_branch"))


def messages(drill: Drill) -> list[str]:
    """The first lines of the commit messages on top of the stable release, newest first."""
    stable = drill.inventory.variable(drill.inventory.names("repository")[0], "drillbook_git_stable")
    return git(drill, "log", "--format=%s", f"{stable}..{branch(drill)}").splitlines()


def newest(drill: Drill) -> str:
    """Whether the host of the API has built the newest commit of the branch: "built" or "not built"."""
    name = drill.inventory.names("api")[0]
    host: Any = drill.hosts(name)[0]
    site = drill.inventory.variable(name, "drillbook_release_site")
    built = f"{site}/releases/{git(drill, 'rev-parse', '--verify', branch(drill))}/build.json"
    return "built" if host.file(built).exists else "not built"


@fault(parse("a commit that {what} is pushed"))
def bad_commit_is_pushed(drill: Drill, what: str) -> None:
    drill.inject("bad_commit_pushed", bad_ref=bad(drill, what), then_a_colleague=False)


@fault(parse("a commit that {what} is pushed, and after it one of a colleague"))
def colleague_pushes_too(drill: Drill, what: str) -> None:
    drill.inject("bad_commit_pushed", bad_ref=bad(drill, what), then_a_colleague=True)


@recovery(parse('the recovery playbook "{name}" is run for the commit that {what}'))
def recovery_of_a_commit(drill: Drill, name: str, what: str) -> None:
    drill.recover(name, bad_ref=bad(drill, what))


@then("what was pushed since the stable release is written down")
def pushes_are_diagnosed(drill: Drill) -> None:
    drill.bound(At("database", "the database").answers())
    drill.observe(f"commits of {branch(drill)} since the stable release, newest first", messages(drill) or "none")


@then(parse("within {deadline:Duration} the commit of the colleague is in the branch"))
def commit_is_kept(drill: Drill, deadline: float) -> None:
    drill.bound(looked("the commits of the branch", lambda: messages(drill)).contains(NOTES), within=deadline)


@then(parse("within {deadline:Duration} the commit of the colleague is in no branch any more"))
def commit_is_lost(drill: Drill, deadline: float) -> None:
    found = looked(
        "branches with the colleague's commit",
        lambda: git(drill, "log", "--branches", f"--grep=^{NOTES}$", "--format=%h"),
    )
    drill.eventually(found.is_(""), within=deadline)


@then(parse("within {deadline:Duration} the newest commit is not built"))
def newest_commit_is_not_built(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("the newest commit", lambda: newest(drill)).is_("not built"), within=deadline)
