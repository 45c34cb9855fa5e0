"""A BullMQ queue for modules. They reach it directly or through Sentinel, and every answer has a time limit."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import redis.asyncio as redis
    from bullmq.queue import Queue
    from redis.exceptions import RedisError
except ImportError:
    MISSING: str | None = traceback.format_exc()
else:
    MISSING = None

ANSWER_S = 5.0

ARGUMENTS: Mapping[str, Any] = {
    "queue": {"type": "str", "required": True},
    "redis": {
        "type": "dict",
        "required": True,
        "options": {
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 6379},
            "sentinels": {"type": "list", "elements": "str"},
            "master": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "sentinel_password": {"type": "str", "no_log": True},
            "ca": {"type": "path"},
        },
        "required_together": [("sentinels", "master")],
    },
}
"""The arguments that every module on a queue takes."""


class RefusedError(Exception):
    """The queue's state does not allow what was asked. The text says why."""


def connect(options: Mapping[str, Any]) -> Any:
    """A client of the present primary."""
    account = {"username": options["username"], "password": options["password"]}
    common: dict[str, Any] = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S, "decode_responses": True}
    if options["ca"]:
        # without this, redis-py also reads the system's authorities for each connection, which takes 25 ms
        os.environ["SSL_CERT_FILE"] = options["ca"]
        common |= {"ssl": True, "ssl_ca_certs": options["ca"]}
    if not options["sentinels"]:
        return redis.Redis(host=options["host"], port=options["port"], **account, **common)
    nodes = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in options["sentinels"])]
    sentinels = redis.Sentinel(nodes, sentinel_kwargs={"password": options["sentinel_password"], **common})
    return sentinels.master_for(options["master"], **account, **common)


def run(module: AnsibleModule, work: Callable[[Any, Any], Awaitable[Mapping[str, Any]]]) -> None:
    """Give the queue and its client to `work`, and end the module with what it returns."""
    if MISSING is not None:
        module.fail_json(msg=missing_required_lib("bullmq"), exception=MISSING)

    async def worked() -> Mapping[str, Any]:
        client = connect(module.params["redis"])
        try:
            return await work(Queue(module.params["queue"], {"connection": client}), client)
        finally:
            await client.aclose()

    try:
        result = asyncio.run(worked())
    except (RedisError, OSError, TypeError, RefusedError) as error:
        # BullMQ raises TypeError for what its scripts refuse ("Lock mismatch for job ...")
        module.fail_json(msg=f"queue {module.params['queue']}: {error}")
    module.exit_json(**result)
