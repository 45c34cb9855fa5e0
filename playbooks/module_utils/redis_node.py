"""A Redis (Valkey) node for modules: its address, how long it may take to answer, and what to say when it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: Mapping[str, Any] = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
}
"""The arguments that every module on a node takes."""


@contextmanager
def node(module: AnsibleModule, **options: Any) -> Iterator[Any]:
    """Yields a client that is logged in to the node as its administrator.

    The module fails when Redis refuses, or does not answer in 5 s. `options` are for redis.Redis, and override the
    usual ones.
    """
    asked = module.params
    common = {"password": asked["password"], "socket_timeout": 5, "decode_responses": True}
    try:
        with redis.Redis(asked["host"], asked["port"], **{**common, **options}) as client:
            yield client
    except redis.RedisError as error:
        module.fail_json(msg=f"{asked['host']}:{asked['port']}: {error}")
