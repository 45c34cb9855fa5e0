"""The port of a worker, where it tells in JSON which release it runs."""

import asyncio
import json
from collections.abc import Mapping

from drillbook_lab.base.topology import HOST

ASKED_WITHIN_S = 5.0


async def tell(port: int, said: Mapping[str, str]) -> asyncio.Server:
    """Answer every request with `said`, and close the connection."""
    body = json.dumps(dict(said)).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ASKED_WITHIN_S)
            writer.write(head.encode() + body)
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client sent no complete request, or has gone
        finally:
            writer.close()

    return await asyncio.start_server(answer, HOST, port)
