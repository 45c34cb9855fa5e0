"""GitHub's API, as far as its client asks it to dispatch a workflow and to follow its run. The runs are real.

A dispatch is answered when the run is asked for, not when it has ended.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drillbook_lab.platforms.workflow import Run, Workflow

OWNER, NAME, BRANCH, FILE, WORKFLOW = "acme", "shop", "main", "rollback.yml", 7
_WEB = f"https://github.com/{OWNER}/{NAME}"
_SHA = "0" * 40
_NEVER = "2026-01-01T00:00:00Z"


def _at(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


@dataclass(frozen=True, slots=True)
class Runner:
    """Where the runs are done: in which folder, with which programs, and where their words go."""

    folder: Path
    tools: Path
    log: Path


@dataclass(frozen=True, slots=True)
class _Asked:
    id: int
    run: Run
    at_s: float = field(default_factory=time.time)


class GitHub:
    """The API's answers."""

    def __init__(self, token: str, workflow: Workflow, runner: Runner) -> None:
        self._token, self._workflow, self._runner = token, workflow, runner
        self._runs: list[_Asked] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        actions = f"/repos/{OWNER}/{NAME}/actions"
        workflow = f"{actions}/workflows/{{workflow}}"
        run = f"{actions}/runs/{{run:int}}"
        named: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
            ("POST", "/graphql", self._graphql),
            ("GET", f"/repos/{OWNER}/{NAME}", self._repository),
            ("GET", workflow, self._one_workflow),
            ("POST", f"{workflow}/dispatches", self._dispatch),
            ("GET", f"{workflow}/runs", self._list),
            ("GET", f"{actions}/runs", self._list),
            ("GET", run, self._one),
            ("GET", f"{run}/jobs", self._jobs),
            ("GET", f"/repos/{OWNER}/{NAME}/check-runs/{{job:int}}/annotations", self._annotations),
        )
        return [Route(path, self._known(answer), methods=[method]) for method, path, answer in named]

    def _known(self, answer: Callable[[Request], Awaitable[Response]]) -> Any:
        async def asked(request: Request) -> Response:
            given = request.headers.get("authorization", "").partition(" ")[2]
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return JSONResponse({"message": "Bad credentials", "status": "401"}, 401)
            return await answer(request)

        return asked

    async def _graphql(self, _: Request) -> Response:
        """The client asks for the repository and who it is itself."""
        repository = {
            "id": "R_1",
            "name": NAME,
            "owner": {"login": OWNER},
            "viewerPermission": "WRITE",
            "defaultBranchRef": {"name": BRANCH},
            "hasIssuesEnabled": True,
            "description": "",
            "parent": None,
            "mergeCommitAllowed": True,
            "rebaseMergeAllowed": True,
            "squashMergeAllowed": True,
        }
        return JSONResponse({"data": {"repository": repository, "viewer": {"login": "oncall"}}})

    async def _repository(self, _: Request) -> Response:
        return JSONResponse({"id": 1, "name": NAME, "full_name": f"{OWNER}/{NAME}", "default_branch": BRANCH})

    async def _one_workflow(self, request: Request) -> Response:
        if request.path_params["workflow"] not in (FILE, str(WORKFLOW)):
            return _missing()
        return JSONResponse(
            {
                "id": WORKFLOW,
                "node_id": "W_7",
                "name": self._workflow.name,
                "path": f".github/workflows/{FILE}",
                "state": "active",
                "created_at": _NEVER,
                "updated_at": _NEVER,
                "url": "",
                "html_url": "",
                "badge_url": "",
            }
        )

    async def _dispatch(self, request: Request) -> Response:
        asked = await request.json()
        if asked.get("ref", "").removeprefix("refs/heads/") != BRANCH:
            return JSONResponse({"message": f"No ref found for: {asked.get('ref')}", "status": "422"}, 422)
        inputs = asked.get("inputs") or {}
        if why := self._workflow.refused(inputs):
            return JSONResponse({"message": why, "status": "422"}, 422)
        new = _Asked(101 + len(self._runs), Run(self._workflow, inputs))
        self._runs.append(new)
        runner = self._runner
        task = asyncio.create_task(new.run.go(runner.folder, runner.tools, runner.log))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if not asked.get("return_run_details"):
            return Response(status_code=204)
        url = f"/repos/{OWNER}/{NAME}/actions/runs/{new.id}"
        return JSONResponse({"workflow_run_id": new.id, "run_url": url, "html_url": f"{_WEB}/actions/runs/{new.id}"})

    async def _list(self, _: Request) -> Response:
        """Newest first."""
        return JSONResponse(
            {"total_count": len(self._runs), "workflow_runs": [_told(each) for each in reversed(self._runs)]}
        )

    async def _one(self, request: Request) -> Response:
        found = self._found(request)
        return JSONResponse(_told(found)) if found else _missing()

    async def _jobs(self, request: Request) -> Response:
        found = self._found(request)
        if found is None:
            return _missing()
        steps = [
            {"name": name, "number": number, "status": "completed", "conclusion": "success" if well else "failure"}
            for number, (name, well) in enumerate(found.run.done, 1)
        ]
        job = {
            "id": found.id,
            "run_id": found.id,
            "name": self._workflow.job,
            "started_at": _at(found.at_s),
            "completed_at": _at(time.time()) if found.run.conclusion else None,
            "html_url": f"{_WEB}/actions/runs/{found.id}/job/{found.id}",
            "url": "",
            "check_run_url": f"/repos/{OWNER}/{NAME}/check-runs/{found.id}",
            "steps": steps,
            **_state(found.run),
        }
        return JSONResponse({"total_count": 1, "jobs": [job]})

    async def _annotations(self, _: Request) -> Response:
        return JSONResponse([])

    def _found(self, request: Request) -> _Asked | None:
        return next((each for each in self._runs if each.id == request.path_params["run"]), None)


def _missing() -> Response:
    return JSONResponse({"message": "Not Found", "status": "404"}, 404)


def _state(run: Run) -> dict[str, str | None]:
    return {"status": "completed" if run.conclusion else "in_progress", "conclusion": run.conclusion}


def _told(asked: _Asked) -> dict[str, Any]:
    repository = {"owner": {"login": OWNER}, "name": NAME}
    return {
        "id": asked.id,
        "name": asked.run.workflow.name,
        "display_title": asked.run.workflow.name,
        "head_branch": BRANCH,
        "head_sha": _SHA,
        "head_commit": {"id": _SHA, "message": ""},
        "head_repository": repository,
        "repository": repository,
        "run_number": asked.id - 100,
        "run_attempt": 1,
        "event": "workflow_dispatch",
        "workflow_id": WORKFLOW,
        "workflow_url": "",
        "created_at": _at(asked.at_s),
        "updated_at": _at(time.time()),
        "run_started_at": _at(asked.at_s),
        "html_url": f"{_WEB}/actions/runs/{asked.id}",
        "url": "",
        "jobs_url": f"https://api.github.com/repos/{OWNER}/{NAME}/actions/runs/{asked.id}/jobs",
        "logs_url": "",
        "check_suite_url": "",
        "pull_requests": [],
        **_state(asked.run),
    }
