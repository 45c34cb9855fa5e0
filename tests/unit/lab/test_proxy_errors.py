"""The proxy answers a share of the requests of each route with an error, evenly, and passes the others on."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drillbook_lab.proxy.faults import Refused, Toxic
from drillbook_lab.proxy.link import Link
from tests.unit.lab.test_proxy_link import Staging, staged

pytestmark = pytest.mark.unit


def errors(share: float, **more: Any) -> dict[str, Any]:
    return {"name": "e", "type": "http_error", "attributes": {"share": share, **more}}


def test_every_tenth_request_of_each_route_fails() -> None:
    link = Link("link", 0, 0, None, {})
    link.put(Toxic.from_json(errors(0.1)))
    failed = Counter(route for number in range(100) for route in ("POST /webhooks", "GET /items") if link.fails(route))
    assert failed == {"POST /webhooks": 10, "GET /items": 10}
    link.put(Toxic.from_json(errors(1)))
    assert all(link.fails("GET /items") for _ in range(5))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (errors(1.5), "'share' is at most 1, not 1.5"),
        (errors(-1), "must be a number that is not negative"),
        (errors(0.1, status=200), "'status' is one of a server's errors, 500 to 599, not 200"),
        (errors(0.1) | {"stream": "both"}, "its stream is upstream"),
        (errors(0.1, rate=1), "unknown attribute 'rate'"),
    ],
)
def test_what_is_no_such_fault_is_refused(body: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as error:
        Toxic.from_json(body)
    assert said in str(error.value)


def test_a_request_is_answered_and_not_passed_on(tmp_path: Path) -> None:
    async def asked(staging: Staging) -> tuple[bytes, bytes, bytes]:
        staging.fault(errors(1, status=503))
        reader, writer = await staging.client()
        writer.write(b"POST /webhooks?x=1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        refused = await reader.read()
        writer.close()
        no_http, plain = await staging.client()
        plain.write(b"hello\n")
        passed = await no_http.readline()
        plain.close()
        await staging.link.heal()
        again, writer = await staging.client()
        writer.write(b"GET /items HTTP/1.1\r\n")
        healed = await again.readline()
        writer.close()
        return refused, passed, healed

    async def run() -> tuple[bytes, bytes, bytes]:
        async with staged(tmp_path, False) as staging:
            return await asked(staging)

    refused, passed, healed = asyncio.run(run())
    assert refused == b"HTTP/1.1 503 Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert passed == b"hello\n", "what is no request goes through"
    assert healed == b"GET /items HTTP/1.1\r\n", "the server got it, and echoes it"
