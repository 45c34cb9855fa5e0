"""A Redis (Valkey) node for modules: where it is, how long its answers may take, what to say when there is none."""

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
"""What every module on a node takes."""


@contextmanager
def node(module: AnsibleModule, **options: Any) -> Iterator[Any]:
    """A client of the node, as its administrator. The module fails where Redis refuses or does not answer in 5 s.

    `options` of redis.Redis stand beside these, or instead of them.
    """
    asked = module.params
    common = {"password": asked["password"], "socket_timeout": 5, "decode_responses": True}
    try:
        with redis.Redis(asked["host"], asked["port"], **{**common, **options}) as client:
            yield client
    except redis.RedisError as error:
        module.fail_json(msg=f"{asked['host']}:{asked['port']}: {error}")
