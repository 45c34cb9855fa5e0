"""Answers that several routes give, and a middleware that names the release in each answer and measures it."""

import time

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drillbook_lab.app.health.recent import Durations, Recent
from drillbook_lab.app.webhooks.intake import OPEN_S

OK, FAILED = "ok", "failed"
_LOOKING_ON = ("/health", "/metrics", "/version", "/logs", "/cache/metrics")


def unauthorized() -> Response:
    return JSONResponse({"error": "X-API-Key is missing or wrong"}, 401)


def unavailable(reason: str) -> Response:
    return JSONResponse({"error": reason}, 503, {"Retry-After": str(round(OPEN_S))})


class CountAnswers:
    """Middleware: it names the release in each answer, and records the result and the duration of users' requests.

    Requests of observers (health, metrics and the like) are not recorded.
    """

    def __init__(self, app: ASGIApp, recent: Recent, durations: Durations, release: str) -> None:
        self._app, self._recent, self._durations = app, recent, durations
        self._header = (b"x-release", release.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        of_users = not scope["path"].startswith(_LOOKING_ON)
        began = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._header]
                if of_users:
                    self._recent.add(FAILED if message["status"] >= 500 else OK)
                    self._durations.add((time.monotonic() - began) * 1000)
            await send(message)

        await self._app(scope, receive, counted)
