"""The proxy's HTTP API, with toxiproxy's names, so that toxiproxy's clients work and its users know it already.

GET  /proxies                         all links, by name
GET  /proxies/{name}                  one link: everything that is in force on it
POST /proxies/{name}                  {"enabled": bool, "certificate": "valid|expired|untrusted"}
GET|POST /proxies/{name}/toxics       list; add {"name", "type", "stream", "attributes"}
GET|POST|DELETE /proxies/{name}/toxics/{toxic}
POST /reset                           every link without any fault

Differences from toxiproxy:
- The answer to each request that may change something has "changed", so that a playbook can tell.
- Adding a toxic that is already there, or deleting one that is not, changes nothing and is no error.
- Links cannot be created or deleted.
- The default stream of `timeout` and `reset_peer` is "both".
- `POST /proxies?client=api&server=redis-1,redis-2` patches many links at once, so that a network is cut at one moment.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drillbook_lab.proxy.faults import Certificate, Refused, Toxic
from drillbook_lab.proxy.link import Link


class Unknown(Exception):
    """There is no such link."""


async def _body(request: Request) -> Mapping[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise Refused(f"the body is not JSON: {error}") from None
    if not isinstance(body, Mapping):
        raise Refused("the body must be a JSON object")
    return body


async def _patch(link: Link, body: Mapping[str, Any]) -> bool:
    unknown = set(body) - {"enabled", "certificate", "name", "listen", "upstream", "toxics", "heal"}
    if unknown:
        raise Refused(f"unknown field {sorted(unknown)[0]!r} of a proxy")
    for fixed in ("listen", "upstream"):
        if fixed in body and body[fixed] != link.as_json()[fixed]:
            raise Refused(f"{fixed!r} of a link cannot be changed")
    enabled = body.get("enabled", link.enabled)
    if not isinstance(enabled, bool):
        raise Refused(f"enabled must be true or false, not {enabled!r}")
    changed = False
    if body.get("heal"):
        changed = await link.heal()
    if "certificate" in body:
        try:
            certificate = Certificate(body["certificate"])
        except ValueError:
            raise Refused(f"unknown certificate {body['certificate']!r}; known: {', '.join(Certificate)}") from None
        changed = link.use_certificate(certificate) or changed
    if "enabled" in body:
        changed = await link.enable(enabled) or changed
    for toxic in [Toxic.from_json(each) for each in body.get("toxics", ())]:
        changed = link.put(toxic) or changed
    return changed


def application(links: Mapping[str, Link]) -> Starlette:
    """The application that serves the API for these links."""
    api = _Api(links)
    toxics = "/proxies/{name}/toxics"
    return Starlette(
        routes=[
            Route("/proxies", api.index, methods=["GET"]),
            Route("/proxies", api.patch_many, methods=["POST"]),
            Route("/proxies/{name}", api.show, methods=["GET"]),
            Route("/proxies/{name}", api.patch, methods=["POST", "PATCH"]),
            Route(toxics, api.list_toxics, methods=["GET"]),
            Route(toxics, api.put_toxic, methods=["POST"]),
            Route(f"{toxics}/{{toxic}}", api.show_toxic, methods=["GET"]),
            Route(f"{toxics}/{{toxic}}", api.put_toxic, methods=["POST", "PATCH"]),
            Route(f"{toxics}/{{toxic}}", api.delete_toxic, methods=["DELETE"]),
            Route("/reset", api.reset, methods=["POST"]),
        ],
        exception_handlers={Unknown: _unknown, Refused: _refused},
    )


async def _unknown(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"proxy not found: {error}", "status": 404}, 404)


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error), "status": 400}, 400)


def _all_of(these: Iterable[Link]) -> dict[str, Any]:
    return {link.name: link.as_json() for link in these}


class _Api:
    """The routes of the API, for these links."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        self._links = links

    def _one(self, request: Request) -> Link:
        name = request.path_params["name"]
        if name not in self._links:
            raise Unknown(name)
        return self._links[name]

    def _chosen(self, request: Request) -> list[Link]:
        def wanted(key: str, link: Link) -> bool:
            asked = request.query_params.get(key)
            return asked is None or link.labels.get(key) in asked.split(",")

        found = [link for link in self._links.values() if wanted("client", link) and wanted("server", link)]
        if not found:
            raise Unknown(str(request.query_params))
        return found

    async def index(self, request: Request) -> Response:
        return JSONResponse(_all_of(self._chosen(request)))

    async def patch_many(self, request: Request) -> Response:
        body = await _body(request)
        these = self._chosen(request)
        changed = [link.name for link in these if await _patch(link, body)]
        return JSONResponse({"changed": bool(changed), "links": changed, "proxies": _all_of(these)})

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._one(request).as_json())

    async def patch(self, request: Request) -> Response:
        link = self._one(request)
        changed = await _patch(link, await _body(request))
        return JSONResponse({**link.as_json(), "changed": changed})

    async def list_toxics(self, request: Request) -> Response:
        return JSONResponse([toxic.as_json() for toxic in self._one(request).toxics.values()])

    async def put_toxic(self, request: Request) -> Response:
        link = self._one(request)
        body = dict(await _body(request))
        if "toxic" in request.path_params:
            name = request.path_params["toxic"]
            present = link.toxics.get(name)
            if present is not None:
                attributes = {**present.attributes, **(body.get("attributes") or {})}
                body = {**present.as_json(), **body, "attributes": attributes}
            body["name"] = name
        toxic = Toxic.from_json(body)
        changed = link.put(toxic)
        return JSONResponse({**toxic.as_json(), "changed": changed})

    async def show_toxic(self, request: Request) -> Response:
        link = self._one(request)
        toxic = link.toxics.get(request.path_params["toxic"])
        if toxic is None:
            return JSONResponse({"error": "toxic not found", "status": 404}, 404)
        return JSONResponse(toxic.as_json())

    async def delete_toxic(self, request: Request) -> Response:
        return JSONResponse({"changed": self._one(request).remove(request.path_params["toxic"])})

    async def reset(self, _: Request) -> Response:
        changed = [link.name for link in self._links.values() if await link.heal()]
        return JSONResponse({"changed": bool(changed), "links": changed})
