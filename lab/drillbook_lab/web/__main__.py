"""`python -m drillbook_lab.web SITE ORIGIN-PORT CDN-PORT`: the frontend as a process.

GET  /PATH     a file: on the first port as it is, on the second through the CDN's cache
PURGE /PATH    on the second port: the CDN forgets this path, or all paths with /*. The header X-Purge-Token has to hold
               the value of PURGE_TOKEN in the environment. The answer is {"purged": how many}.
"""

import os
import secrets
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drillbook_lab.base.topology import HOST
from drillbook_lab.web.answers import Answer
from drillbook_lab.web.cdn import Cdn
from drillbook_lab.web.origin import Origin


class Site:
    """Answers the requests on both ports."""

    def __init__(self, origin: Origin, cdn: Cdn, cdn_port: int, token: str) -> None:
        self._origin, self._cdn, self._cdn_port, self._token = origin, cdn, cdn_port, token

    def _at_cdn(self, request: Request) -> bool:
        return bool(request.scope["server"][1] == self._cdn_port)

    async def get(self, request: Request) -> Response:
        path = request.url.path
        if self._at_cdn(request):
            return _response(self._cdn.get(path))
        return _response(self._origin.get(path, request.headers.get("if-none-match")))

    async def purge(self, request: Request) -> Response:
        if not self._at_cdn(request):
            return JSONResponse({"error": "the origin has no cache to purge: ask the CDN"}, 405)
        if not secrets.compare_digest(request.headers.get("x-purge-token", "").encode(), self._token.encode()):
            return JSONResponse({"error": "a purge needs the header X-Purge-Token"}, 401)
        path = request.url.path
        return JSONResponse({"purged": self._cdn.purge(None if path == "/*" else path)})


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def application(site: Path, cdn_port: int, token: str) -> Starlette:
    """Origin and CDN in one application, which tells them apart by the port of the request."""
    origin = Origin(site)
    asked = Site(origin, Cdn(origin.get), cdn_port, token)
    return Starlette(
        routes=[
            Route("/{path:path}", asked.get, methods=["GET"]),
            Route("/{path:path}", asked.purge, methods=["PURGE"]),
        ]
    )


def main(site: Path, origin_port: int, cdn_port: int, token: str) -> None:
    config = uvicorn.Config(
        application(site, cdn_port, token),
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[_bound(origin_port), _bound(cdn_port)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), os.environ["PURGE_TOKEN"])
