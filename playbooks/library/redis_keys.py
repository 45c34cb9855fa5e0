#!/usr/bin/python
"""Delete the keys of a Redis (Valkey) node that a pattern matches, without holding up who else asks it something."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_keys
short_description: Delete keys by a pattern
description:
  - Lists with SCAN and deletes with UNLINK, in portions. Redis serves others between two of them.
  - KEYS and DEL do the same and hold everybody up meanwhile. They are here to be measured.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  pattern: {description: "Pattern of the keys, as Redis knows it: C(cache:item:*)", type: str, required: true}
  list_with: {description: Command that lists them, type: str, choices: [scan, keys], default: scan}
  delete_with: {description: Command that deletes them, type: str, choices: [unlink, del], default: unlink}
  portion: {description: Keys to list or to delete with one command, type: int, default: 1000}
"""
RETURN = """
deleted: {description: Number of keys that were deleted, type: int, returned: success}
listed_ms: {description: Milliseconds that the longest listing command took, type: float, returned: success}
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "pattern": {"type": "str", "required": True},
            "list_with": {"choices": ["scan", "keys"], "default": "scan"},
            "delete_with": {"choices": ["unlink", "del"], "default": "unlink"},
            "portion": {"type": "int", "default": 1000},
        },
        supports_check_mode=True,
    )
    asked = module.params
    longest, deleted = 0.0, 0
    # KEYS on a large database takes long, which is what it is here for
    with node(module, socket_timeout=60, decode_responses=False) as redis:
        keys: list[Any] = []
        cursor: Any = None
        while cursor != 0:
            began = time.monotonic()
            if asked["list_with"] == "keys":
                cursor, found = 0, redis.keys(asked["pattern"])
            else:
                cursor, found = redis.scan(cursor or 0, match=asked["pattern"], count=asked["portion"])
            longest = max(longest, time.monotonic() - began)
            keys += found
        keys = list(dict.fromkeys(keys))  # SCAN may name a key twice
        delete = redis.delete if asked["delete_with"] == "del" else redis.unlink
        for start in range(0, len(keys), asked["portion"]):
            some = keys[start : start + asked["portion"]]
            deleted += len(some) if module.check_mode else delete(*some)
    module.exit_json(changed=deleted > 0, deleted=deleted, listed_ms=round(longest * 1000, 1))


if __name__ == "__main__":
    main()
