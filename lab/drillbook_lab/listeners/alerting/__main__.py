"""`python -m drillbook_lab.listeners.alerting API_URL SINK_URL`: looks once a second and tells Slack what has changed.

It goes on when what it watches fails. A message that could not be sent waits in order, and is tried again each second.
"""

import asyncio
import json
import sys
from collections import deque
from typing import Any

import httpx

from drillbook_lab.base.logs import Log
from drillbook_lab.listeners.alerting import rules

EVERY_S = 1.0
TIMEOUT_S = 1.0
CHANNEL = "#alerts"


async def see(client: httpx.AsyncClient, api: str) -> dict[str, Any]:
    """What the API says, or that it does not answer."""
    try:
        health = await client.get(f"{api}/health/details")
        metrics = await client.get(f"{api}/metrics")
        health.raise_for_status()
        metrics.raise_for_status()
        return {"reachable": True, "health": health.json(), "metrics": rules.parse_metrics(metrics.text)}
    except (httpx.HTTPError, json.JSONDecodeError):
        return {"reachable": False}


async def send(client: httpx.AsyncClient, sink: str, waiting: deque[dict[str, Any]], journal: Log) -> None:
    """Send the waiting messages, in order, until one fails."""
    while waiting:
        try:
            (await client.post(f"{sink}/slack", json=waiting[0])).raise_for_status()
        except httpx.HTTPError as error:
            journal.error("alerting", "Slack does not take the message", error=repr(error))
            return
        waiting.popleft()


async def main(api: str, sink: str) -> None:
    journal = Log()
    waiting: deque[dict[str, Any]] = deque(maxlen=1000)
    watches = rules.load()
    loop = asyncio.get_running_loop()
    # trust_env=False, because a company's HTTP_PROXY must not be used on loopback.
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        due = loop.time()
        while True:
            seen = await see(client, api)
            watches, changes = rules.judge(watches, seen, loop.time())
            for change in changes:
                journal.info("alerting", "alert", alert=change.rule.name, firing=change.firing)
                waiting.append(rules.message(change, CHANNEL))
            await send(client, sink, waiting, journal)
            due = max(due + EVERY_S, loop.time())
            await asyncio.sleep(due - loop.time())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
