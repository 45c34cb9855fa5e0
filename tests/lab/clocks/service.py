"""A small HTTP service that answers as it is told on standard input, one order a line, acknowledged with "done".

    python service.py PORT

Orders: `answer STATUS BODY`, `hang` (no answer to any question that comes, or has come), `delay MILLISECONDS`,
`deaf` (the listening socket and all connections are closed), `well` (none of all that).
"""

from __future__ import annotations

import asyncio
import sys

WELL = '{"status": "ok"}'


class Service:
    def __init__(self, port: int) -> None:
        self.port = port
        self.status, self.body, self.delay_s = 200, WELL, 0.0
        self.hangs = False
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        if self.server is None:
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)  # the fault itself: a service that is slow
                if self.hangs:
                    await asyncio.Event().wait()
                body = self.body.encode()
                head = (
                    f"HTTP/1.1 {self.status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.writers.discard(writer)
            writer.close()

    async def obey(self, order: str) -> None:
        word, _, rest = order.partition(" ")
        match word:
            case "answer":
                status, _, self.body = rest.partition(" ")
                self.status = int(status)
            case "hang":
                self.hangs = True
            case "delay":
                self.delay_s = int(rest) / 1000
            case "deaf":
                assert self.server is not None
                self.server.close()
                self.server = None
                for writer in tuple(self.writers):
                    writer.transport.abort()
            case "well":
                self.status, self.body, self.delay_s, self.hangs = 200, WELL, 0.0, False
                await self.listen()


async def main(port: int) -> None:
    service = Service(port)
    await service.listen()
    print("done", flush=True)
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        await service.obey(line.decode().strip())
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
