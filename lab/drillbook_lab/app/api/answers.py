"""Answers that several routes give, and the share of answers that are errors."""

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drillbook_lab.app.health.recent import Recent
from drillbook_lab.app.webhooks.intake import OPEN_S

OK, FAILED = "ok", "failed"
_LOOKING_ON = ("/health", "/metrics", "/version", "/logs", "/cache/metrics")


def unauthorized() -> Response:
    return JSONResponse({"error": "X-API-Key is missing or wrong"}, 401)


def unavailable(reason: str) -> Response:
    return JSONResponse({"error": reason}, 503, {"Retry-After": str(round(OPEN_S))})


class CountAnswers:
    """Middleware: what users were answered. Who looks on (health, metrics) is no user."""

    def __init__(self, app: ASGIApp, recent: Recent) -> None:
        self._app, self._recent = app, recent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_LOOKING_ON):
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._recent.add(FAILED if message["status"] >= 500 else OK)
            await send(message)

        await self._app(scope, receive, counted)
