"""`python -m drillbook_lab.sink PORT FILE`: stores each message with its arrival before it says "ok".

A message is on disk (NDJSON) before the sender hears of it, so what an alert drill saw survives this process.
Arrival is the sink's own clock, never the sender's: {"id", "received_at" ISO, "monotonic_s", "channel", "payload"}.
"""

import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from drillbook_lab.serve import serve


def application(file: Path) -> Starlette:
    """POST /slack, GET /messages?channel=&since_id=, DELETE /messages over one file."""
    messages: list[dict[str, Any]] = []
    if file.exists():
        messages.extend(json.loads(line) for line in file.read_text().splitlines())
    ids = iter(range(messages[-1]["id"] + 1 if messages else 1, sys.maxsize))

    async def slack(request: Request) -> Response:
        try:
            payload = await request.json()
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(payload, dict) or not (payload.get("text") or payload.get("attachments")):
            return PlainTextResponse("no_text", 400)
        message = {
            "id": next(ids),
            "received_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "monotonic_s": time.monotonic(),
            "channel": payload.get("channel"),
            "payload": payload,
        }
        with file.open("a") as out:
            out.write(json.dumps(message) + "\n")
        messages.append(message)
        return PlainTextResponse("ok")

    async def listed(request: Request) -> Response:
        channel = request.query_params.get("channel")
        try:
            since = int(request.query_params.get("since_id") or 0)
        except ValueError:
            return JSONResponse({"error": "since_id must be a whole number"}, 400)
        found = [m for m in messages if m["id"] > since and channel in (None, "", m["channel"])]
        return JSONResponse({"messages": found, "last_id": messages[-1]["id"] if messages else 0})

    async def wipe(_: Request) -> Response:
        count = len(messages)
        file.write_text("")
        messages.clear()
        return JSONResponse({"changed": count > 0, "deleted": count})

    return Starlette(
        routes=[
            Route("/slack", slack, methods=["POST"]),
            Route("/messages", listed, methods=["GET"]),
            Route("/messages", wipe, methods=["DELETE"]),
        ]
    )


if __name__ == "__main__":
    serve(application(Path(sys.argv[2])), int(sys.argv[1]))
