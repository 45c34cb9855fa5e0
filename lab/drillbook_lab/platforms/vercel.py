"""Vercel's API, as far as its client asks it, and the project's production address, which serves the live deployment.

A deployment is files. What is deployed to production goes live, unless the project was rolled back: from then on a
deployment goes live only when somebody promotes one. The rest is as the client's own requests show it.
"""

import hashlib
import hmac
import mimetypes
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TEAM, PROJECT, NAME = "team_of_the_lab", "prj_of_the_lab", "shop"
USER = {"id": "user_of_the_lab", "username": "oncall", "email": "oncall@example.org", "name": "On call"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment: the content of its files, by their path."""

    id: str
    target: str | None
    at_ms: int
    meta: Mapping[str, str]
    files: Mapping[str, bytes]

    @property
    def url(self) -> str:
        return f"{NAME}-{self.id.removeprefix('dpl_')}.vercel.app"


def _now_ms() -> int:
    return int(time.time() * 1000)


@dataclass(slots=True)
class Project:
    """The project, its deployments (oldest first), and which of them users get."""

    site_url: str
    deployments: list[Deployment] = field(default_factory=list)
    live: Deployment | None = None
    rolled_back: bool = False
    last_request: Mapping[str, Any] | None = None

    def deploy(
        self, files: Mapping[str, bytes], target: str | None, meta: Mapping[str, str], *, staged: bool = False
    ) -> Deployment:
        """A staged deployment waits until somebody promotes it."""
        made = Deployment(f"dpl_{secrets.token_hex(10)}", target, _now_ms(), meta, files)
        self.deployments.append(made)
        if target == "production" and not staged and not self.rolled_back:
            self.live = made
        return made

    def find(self, name: str) -> Deployment | None:
        """By its id, or by its address."""
        return next((each for each in self.deployments if name in (each.id, each.url)), None)

    def point(self, to: Deployment, kind: str) -> None:
        """Make a deployment live, by a `rollback` or a `promote`."""
        before, self.live, self.rolled_back = self.live, to, kind == "rollback"
        self.last_request = {
            "type": kind,
            "jobStatus": "succeeded",
            "requestedAt": _now_ms(),
            "fromDeploymentId": before.id if before else None,
            "toDeploymentId": to.id,
        }

    # ------------------------------------------------------------------ as the API tells of it

    def told(self) -> dict[str, Any]:
        live = self.deployed(self.live) if self.live else None
        return {
            "id": PROJECT,
            "name": NAME,
            "accountId": TEAM,
            "createdAt": 1,
            "updatedAt": _now_ms(),
            "framework": None,
            "rootDirectory": None,
            "link": None,
            "autoAssignCustomDomains": not self.rolled_back,
            "targets": {"production": live} if live else {},
            "alias": [{"domain": self.site_url, "target": "PRODUCTION"}],
            "lastAliasRequest": self.last_request,
        }

    def deployed(self, each: Deployment) -> dict[str, Any]:
        ready = {"readyState": "READY", "state": "READY", "status": "READY", "ready": each.at_ms}
        return {
            "id": each.id,
            "uid": each.id,
            "name": NAME,
            "url": each.url,
            "target": each.target,
            "meta": dict(each.meta),
            "created": each.at_ms,
            "createdAt": each.at_ms,
            "buildingAt": each.at_ms,
            "creator": {"uid": USER["id"], "username": USER["username"]},
            "projectId": PROJECT,
            "ownerId": TEAM,
            "team": {"id": TEAM, "slug": NAME},
            "inspectorUrl": f"https://vercel.com/{NAME}/{NAME}/{each.id}",
            "alias": [self.site_url] if each is self.live else [],
            # the addresses of its own; the client waits for them
            "aliasAssigned": True,
            "aliasError": None,
            "regions": ["iad1"],
            "routes": [],
            "source": "cli",
            "version": 2,
            **ready,
        }


def _error(status: int, code: str, message: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, **more}}, status)


class Vercel:
    """The API's answers."""

    def __init__(self, token: str, project: Project) -> None:
        self._token, self._project = token, project
        self._uploads: dict[str, bytes] = {}

    def routes(self) -> list[Route]:
        named = (
            ("GET", "/v2/user", self._user),
            ("GET", f"/teams/{TEAM}", self._team),
            ("GET", f"/v2/teams/{TEAM}", self._team),
            ("GET", "/v9/projects/{project}", self._one_project),
            ("GET", "/v6/deployments", self._list),
            ("GET", "/v13/deployments/{name}", self._one),
            ("POST", "/v2/files", self._upload),
            ("POST", "/v13/deployments", self._deploy),
            ("GET", "/v3/now/deployments/{name}/events", self._events),
            ("POST", "/v9/projects/{project}/rollback/{name}", self._rollback),
            ("POST", "/v10/projects/{project}/promote/{name}", self._promote),
        )
        return [Route(path, self._known(answer), methods=[method]) for method, path, answer in named]

    def _known(self, answer: Any) -> Any:
        async def asked(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                return _error(403, "forbidden", "Not authorized")
            found: Response = await answer(request)
            return found

        return asked

    async def _user(self, _: Request) -> Response:
        return JSONResponse({"user": {**USER, "version": "northstar", "defaultTeamId": TEAM}})

    async def _team(self, _: Request) -> Response:
        return JSONResponse({"id": TEAM, "slug": NAME, "name": NAME, "membership": {"role": "OWNER"}})

    async def _one_project(self, request: Request) -> Response:
        if request.path_params["project"] not in (PROJECT, NAME):
            return _error(404, "not_found", "Project not found")
        return JSONResponse(self._project.told())

    async def _list(self, request: Request) -> Response:
        """Newest first, as the API has it; by target, state and `meta-NAME`, as the client asks."""
        asked = request.query_params
        meta = {name.removeprefix("meta-"): value for name, value in asked.items() if name.startswith("meta-")}
        found = [
            self._project.deployed(each)
            for each in reversed(self._project.deployments)
            if asked.get("target") in (None, each.target)
            and all(each.meta.get(name) == value for name, value in meta.items())
        ]
        found = found[: int(asked.get("limit", 20))]
        return JSONResponse({"deployments": found, "pagination": {"count": len(found), "next": None, "prev": None}})

    async def _one(self, request: Request) -> Response:
        found = self._project.find(request.path_params["name"])
        return JSONResponse(self._project.deployed(found)) if found else self._missing()

    async def _upload(self, request: Request) -> Response:
        content = await request.body()
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        if request.headers.get("x-now-digest") != digest:
            return _error(400, "bad_request", "The digest is not that of the content")
        self._uploads[digest] = content
        return JSONResponse({})

    async def _deploy(self, request: Request) -> Response:
        asked = await request.json()
        files = {each["file"]: each["sha"] for each in asked.get("files", [])}
        if missing := sorted({sha for sha in files.values() if sha not in self._uploads}):
            return _error(400, "missing_files", "Missing files", missing=missing)
        content = {path: self._uploads[sha] for path, sha in files.items()}
        staged = asked.get("autoAssignCustomDomains") is False
        made = self._project.deploy(content, asked.get("target"), asked.get("meta", {}), staged=staged)
        return JSONResponse(self._project.deployed(made))

    async def _events(self, _: Request) -> Response:
        return Response(b"", media_type="application/stream+json")

    async def _rollback(self, request: Request) -> Response:
        return self._pointed(request, "rollback")

    async def _promote(self, request: Request) -> Response:
        return self._pointed(request, "promote")

    def _pointed(self, request: Request, kind: str) -> Response:
        found = self._project.find(request.path_params["name"])
        if found is None:
            return self._missing()
        self._project.point(found, kind)
        return JSONResponse({}, 201)

    def _missing(self) -> Response:
        return _error(404, "not_found", "The deployment was not found")


class Site:
    """The production address: the files of the deployment that is live."""

    def __init__(self, project: Project) -> None:
        self._project = project

    async def get(self, request: Request) -> Response:
        live = self._project.live
        path = request.path_params["path"] or "index.html"
        if live is None or path not in live.files:
            return Response("The page could not be found\n", 404, {"x-vercel-error": "NOT_FOUND"})
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        headers = {"x-vercel-id": live.id, "cache-control": "public, max-age=0, must-revalidate"}
        return Response(live.files[path], 200, headers, kind)

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self.get, methods=["GET"])]
