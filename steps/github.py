"""Workflows of GitHub Actions: what the client said of a dispatch, and how the newest run ended."""

from __future__ import annotations

from dataclasses import replace

from steps._parts import Platform
from steps.deployment import bad

from drillbook import Drill, fault, given, parse, then
from drillbook.checks import At, looked
from drillbook.clients import http_get
from drillbook.errors import CouldNotLookError

PLATFORM = Platform("github", "drillbook_github", "gh")
variable, client, said = PLATFORM.variable, PLATFORM.installed, PLATFORM.said


def conclusion(drill: Drill) -> str:
    """How the newest run of the workflow ended. Raises CouldNotLookError when GitHub does not say."""
    repository, workflow = (variable(drill, name) for name in ("repository", "workflow"))
    path = f"repos/{repository}/actions/workflows/{workflow}/runs?per_page=1"
    asked = replace(drill.inventory.endpoints["api"], url=f"{variable(drill, 'api')}/{path}")
    answer = http_get(asked, headers={"Authorization": f"Bearer {variable(drill, 'token')}"})
    if answer.is_error:
        raise CouldNotLookError(f"the runs of the workflow: status {answer.status_code}")
    runs = answer.json()["workflow_runs"]
    return (runs[0]["conclusion"] or runs[0]["status"]) if runs else "no run"


@given("GitHub's client can be used")
def github_can_be_used(drill: Drill) -> None:
    drill.require(looked("GitHub's client", lambda: client(drill)).is_("installed"))


@fault(parse("a release that {what} goes live, and its rollback is dispatched with a mistyped version"))
def rollback_is_mistyped(drill: Drill, what: str) -> None:
    drill.inject("dispatched_unwatched", bad_ref=bad(drill, what), good_ref="")


@then(parse('within {deadline:Duration} the dispatch has ended with status 0, and its run with "{how}"'))
def dispatch_has_ended(drill: Drill, deadline: float, how: str) -> None:
    both = looked("the dispatch and its run", lambda: (said(drill).splitlines()[0], conclusion(drill)))
    drill.eventually(both.is_(("status 0", how)), within=deadline)


@then("what GitHub says of the rollback is written down")
def dispatch_is_diagnosed(drill: Drill) -> None:
    drill.bound(At("api", "the API").answers())
    drill.observe("the platform", str(variable(drill, "platform")))
    drill.observe("what the dispatch said", said(drill))
    drill.observe("how the newest run ended", conclusion(drill))
