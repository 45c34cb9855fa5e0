"""Cloudflare's API, as far as its client wrangler asks it to deploy Workers, to roll them back and to set secrets.

A secret belongs to a version: setting one makes a new version and deploys it. The list of deployments is newest first.
"""

import asyncio
import email
import hmac
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drillbook_lab.platforms.workers import Address, Version

ACCOUNT, SCRIPT, MAIL = "0a" * 16, "shop", "oncall@example.org"
TAG, MESSAGE = "workers/tag", "workers/message"


def _at(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which version users get since when."""

    id: str
    version: Version
    at_s: float
    annotations: Mapping[str, str]


@dataclass(slots=True)
class Worker:
    """The Worker, its versions and its deployments (both oldest first)."""

    address: Address
    versions: list[Version] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def live(self) -> Version:
        return self.deployments[-1].version

    def add(self, script: bytes, main: str, date: str, annotations: Mapping[str, str], **secrets: str) -> Version:
        """A new version: the secrets of the one that is live stay, unless they are given."""
        kept = self.live.secrets if self.deployments else {}
        new = Version(
            str(uuid.uuid4()),
            len(self.versions) + 1,
            time.time(),
            script,
            main,
            date,
            annotations,
            {**kept, **secrets},
        )
        self.versions.append(new)
        return new

    async def deploy(self, version: Version, annotations: Mapping[str, str]) -> Deployment:
        """Raises RuntimeError when the version does not run."""
        async with self._one_at_a_time:
            await self.address.serve(version)
            made = Deployment(str(uuid.uuid4()), version, time.time(), annotations)
            self.deployments.append(made)
        return made


def _fine(result: Any, **more: Any) -> Response:
    return JSONResponse({"success": True, "errors": [], "messages": [], "result": result, **more})


def _wrong(status: int, code: int, message: str) -> Response:
    told = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    return JSONResponse(told, status)


class Cloudflare:
    """The API's answers."""

    def __init__(self, token: str, worker: Worker) -> None:
        self._token, self._worker = token, worker

    def routes(self) -> list[Route]:
        account = f"/client/v4/accounts/{ACCOUNT}/workers"
        script = f"{account}/scripts/{SCRIPT}"
        named: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
            ("GET", f"{account}/services/{SCRIPT}", self._service),
            ("GET", f"{account}/subdomain", self._domain),
            ("GET", f"{script}/subdomain", self._subdomain),
            ("POST", f"{script}/subdomain", self._subdomain),
            ("GET", f"{script}/deployments", self._list),
            ("POST", f"{script}/deployments", self._deploy),
            ("GET", f"{script}/settings", self._settings),
            ("PATCH", f"{script}/script-settings", self._script_settings),
            ("GET", f"{script}/versions", self._versions),
            ("POST", f"{script}/versions", self._upload),
            ("GET", f"{script}/versions/{{version}}", self._version),
            ("GET", f"{script}/secrets", self._secrets),
            ("PUT", f"{script}/secrets", self._put_secret),
        )
        return [Route(path, self._known(answer), methods=[method]) for method, path, answer in named]

    def _known(self, answer: Callable[[Request], Awaitable[Response]]) -> Any:
        async def asked(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                return _wrong(401, 10000, "Authentication error")
            return await answer(request)

        return asked

    async def _service(self, _: Request) -> Response:
        script = {"id": SCRIPT, "tag": SCRIPT, "last_deployed_from": "wrangler", "handlers": ["fetch"]}
        environment = {"environment": "production", "script": script}
        return _fine({"id": SCRIPT, "default_environment": environment, "environments": [environment]})

    async def _domain(self, _: Request) -> Response:
        return _fine({"subdomain": "acme"})

    async def _subdomain(self, _: Request) -> Response:
        return _fine({"enabled": True, "previews_enabled": False})

    async def _list(self, _: Request) -> Response:
        return _fine({"deployments": [_deployed(each) for each in reversed(self._worker.deployments)]})

    async def _deploy(self, request: Request) -> Response:
        asked = await request.json()
        wanted = [each["version_id"] for each in asked["versions"]]
        if len(wanted) != 1 or (found := self._found(wanted[0])) is None:
            return _wrong(404, 10100, "version not found")
        try:
            return _fine(_deployed(await self._worker.deploy(found, asked.get("annotations") or {})))
        except RuntimeError as error:
            return _wrong(400, 10021, str(error))

    async def _settings(self, _: Request) -> Response:
        live = self._worker.live
        return _fine(
            {"bindings": _bindings(live), "compatibility_date": live.compatibility_date, "compatibility_flags": []}
        )

    async def _script_settings(self, _: Request) -> Response:
        return _fine({"logpush": False, "tail_consumers": [], "observability": None})

    async def _versions(self, _: Request) -> Response:
        return _fine({"items": [_told(each) for each in reversed(self._worker.versions)]})

    async def _version(self, request: Request) -> Response:
        found = self._found(request.path_params["version"])
        return _fine(_told(found)) if found else _wrong(404, 10100, "version not found")

    async def _upload(self, request: Request) -> Response:
        parts = parts_of(request.headers["content-type"], await request.body())
        metadata = json.loads(parts["metadata"])
        main, date = metadata["main_module"], metadata["compatibility_date"]
        return _fine(_told(self._worker.add(parts[main], main, date, metadata.get("annotations") or {})))

    async def _secrets(self, _: Request) -> Response:
        return _fine([{"name": name, "type": "secret_text"} for name in self._worker.live.secrets])

    async def _put_secret(self, request: Request) -> Response:
        asked, live = await request.json(), self._worker.live
        why = {"workers/triggered_by": "secret"}
        new = self._worker.add(live.script, live.main, live.compatibility_date, why, **{asked["name"]: asked["text"]})
        await self._worker.deploy(new, why)
        return _fine({"name": asked["name"], "type": "secret_text"})

    def _found(self, version: str) -> Version | None:
        return next((each for each in self._worker.versions if each.id == version), None)


def parts_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a form (multipart/form-data), by their names."""
    form = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found: dict[str, bytes] = {}
    for part in form.walk():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content
    return found


def _bindings(version: Version) -> list[dict[str, str]]:
    return [{"name": name, "type": "secret_text"} for name in version.secrets]


def _told(version: Version) -> dict[str, Any]:
    at = _at(version.at_s)
    return {
        "id": version.id,
        "number": version.number,
        "startup_time_ms": 1,
        "metadata": {"author_email": MAIL, "author_id": "1", "created_on": at, "modified_on": at, "source": "wrangler"},
        "annotations": dict(version.annotations),
        "resources": {
            "script": {"etag": version.id, "handlers": ["fetch"], "last_deployed_from": "wrangler"},
            "script_runtime": {"compatibility_date": version.compatibility_date, "usage_model": "standard"},
            "bindings": _bindings(version),
        },
    }


def _deployed(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "source": "wrangler",
        "strategy": "percentage",
        "author_email": MAIL,
        "created_on": _at(deployment.at_s),
        "annotations": dict(deployment.annotations),
        "versions": [{"version_id": deployment.version.id, "percentage": 100}],
    }
