"""`python -m drillbook_lab.listeners.sink PORT FILE SMTP_PORT MAILS CERTIFICATE`: chat over HTTP, mail over SMTP.

The token of the incoming webhook and the password of the mail account are in the environment (SINK_TOKEN,
SMTP_PASSWORD): everybody can read a command line.
"""

import hmac
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from drillbook_lab.base.serve import serve
from drillbook_lab.listeners.sink.mail import smtp_server
from drillbook_lab.listeners.sink.store import Store


def application(
    chat: Store, mails: Store, *, token: str, smtp_port: int, password: str, certificate: Path
) -> Starlette:
    """POST /slack and /services/TOKEN; GET and DELETE /messages (?channel=&since_id=) and /mails (?to=&since_id=)."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with smtp_server(mails, smtp_port, password, certificate):
            yield

    async def slack(request: Request) -> Response:
        given = request.path_params.get("token")
        if given is not None and not hmac.compare_digest(given.encode(), token.encode()):
            return PlainTextResponse("invalid_token", 403)
        try:
            payload = await request.json()
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(payload, dict) or not (payload.get("text") or payload.get("attachments")):
            return PlainTextResponse("no_text", 400)
        chat.add({"channel": payload.get("channel"), "payload": payload})
        return PlainTextResponse("ok")

    async def messages(request: Request) -> Response:
        channel = request.query_params.get("channel")
        return _listed(request, chat, (row for row in chat.rows if channel in (None, "", row["channel"])))

    async def mail(request: Request) -> Response:
        to = request.query_params.get("to")
        return _listed(request, mails, (row for row in mails.rows if not to or to in row["to"]))

    async def wipe_chat(_: Request) -> Response:
        return _wiped(chat.wipe())

    async def wipe_mails(_: Request) -> Response:
        return _wiped(mails.wipe())

    return Starlette(
        lifespan=lifespan,
        routes=[
            # for the system's own alerting; messages of people need the token
            Route("/slack", slack, methods=["POST"]),
            Route("/services/{token}", slack, methods=["POST"]),
            Route("/messages", messages, methods=["GET"]),
            Route("/messages", wipe_chat, methods=["DELETE"]),
            Route("/mails", mail, methods=["GET"]),
            Route("/mails", wipe_mails, methods=["DELETE"]),
        ],
    )


def _listed(request: Request, store: Store, rows: Iterable[Mapping[str, Any]]) -> Response:
    try:
        since = int(request.query_params.get("since_id") or 0)
    except ValueError:
        return JSONResponse({"error": "since_id must be a whole number"}, 400)
    return JSONResponse({"messages": [row for row in rows if row["id"] > since], "last_id": store.last_id})


def _wiped(count: int) -> Response:
    return JSONResponse({"changed": count > 0, "deleted": count})


if __name__ == "__main__":
    port, file, smtp_port, mails, certificate = sys.argv[1:]
    app = application(
        Store(Path(file)),
        Store(Path(mails)),
        token=os.environ["SINK_TOKEN"],
        smtp_port=int(smtp_port),
        password=os.environ["SMTP_PASSWORD"],
        certificate=Path(certificate),
    )
    serve(app, int(port))
