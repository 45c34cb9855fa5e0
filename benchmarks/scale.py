"""How costs grow: the prober's with 10, 100 and 1000 endpoints, and the ledger's with 1e4, 1e5 and 1e6 jobs."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from common import Table

SECONDS = 5.0
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"status": "ok"}'


def prober(runs: int) -> Table:
    """The CPU of the prober's thread, and how many of the due looks it made."""
    table = Table(
        "The prober",
        "make bench PARTS=prober",
        ("endpoints, looks a second each", "looks/s due", "looks/s made", "% of a core", "ms CPU a look"),
    )
    ready, told = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(told,), daemon=True)
    server.start()
    port = ready.recv()
    try:
        for endpoints, per_s in ((10, 20), (100, 20), (1000, 20), (1000, 1)):
            samples, ratio = _median([_apart(_sample, port, endpoints, per_s) for _ in range(runs)])
            due = endpoints * per_s
            cost = f"{ratio / samples * 1000:.2f}"
            row = (f"{endpoints}, {per_s}", str(due), f"{samples:.0f}", f"{ratio * 100:.1f}", cost)
            table.rows.append(row)
    finally:
        server.kill()
        server.join()
    table.notes.append(f"HTTP on loopback, kept connections, {SECONDS:g} s each; the server is a process of its own.")
    return table


def _median(found: list[Any]) -> Any:
    return sorted(found)[len(found) // 2]


def _serve(told: Connection) -> None:
    class Answer(asyncio.Protocol):
        transport: asyncio.Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(HTTP)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0, backlog=2048)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _sample(port: int, endpoints: int, per_s: float) -> tuple[float, float]:
    """Looks a second, and CPU seconds a second."""
    from drillbook.target.inventory.settings import Endpoint, EndpointKind
    from drillbook.target.probing.prober import Prober

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else soft, hard))
    url = f"http://127.0.0.1:{port}/"
    known = {
        name: Endpoint(name, EndpointKind.HTTP, url, samples_per_s=per_s)
        for name in (f"it {number}" for number in range(endpoints))
    }
    looker = Prober(known)
    began_s = time.monotonic()
    with looker:
        time.sleep(SECONDS)  # the prober samples meanwhile, and that is measured
    took_s = time.monotonic() - began_s
    count = sum(row.samples for row in looker.stats())
    assert looker.cpu_ratio is not None
    return count / took_s, looker.cpu_ratio


def ledger(runs: int) -> Table:
    """The time and memory to balance the ledger."""
    table = Table(
        "The ledger", "make bench PARTS=ledger", ("jobs", "s to balance", "MB of it and its jobs", "µs a job")
    )
    for jobs in (10_000, 100_000, 1_000_000):
        took_s, mb = _median([_apart(_balance, jobs) for _ in range(runs)])
        table.rows.append((f"{jobs:,}", f"{took_s:.2f}", f"{mb:.0f}", f"{took_s / jobs * 1e6:.2f}"))
    table.notes.append(
        "In a process of its own each; the memory is its peak less that of an interpreter that did nothing."
    )
    return table


def _balance(jobs: int) -> tuple[float, float]:
    from drillbook.model.work_balance import Answered, Attempt, account

    empty_mb = _peak_mb()
    answers = tuple(Answered)
    attempts = [
        Attempt(f"drill-0123abcd-{number}", float(number), number + 0.01, answers[number % 50 // 48])
        for number in range(jobs)
    ]
    done = {attempt.id: 1 + (number % 1000 == 7) for number, attempt in enumerate(attempts) if number % 100}
    began_s = time.monotonic()
    balance = account(attempts, done)
    took_s = time.monotonic() - began_s
    if not balance.lost or not balance.duplicated:
        raise SystemExit("the books of the benchmark hold nothing to find")
    return took_s, _peak_mb() - empty_mb


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(work: Callable[..., Any], *args: Any) -> Any:
    """The result of a function in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_send, args=(theirs, work, args))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        sys.exit(f"{work.__name__}{args} failed")
    finally:
        process.join()


def _send(to: Connection, work: Callable[..., Any], args: Any) -> None:
    to.send(work(*args))
