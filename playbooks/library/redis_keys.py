#!/usr/bin/python
"""Delete the keys of a Redis (Valkey) node that a pattern matches. Other clients are not held up meanwhile."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_keys
short_description: Delete keys by a pattern
description:
  - Lists with SCAN and deletes with UNLINK, in portions. Redis serves other clients between two portions.
  - KEYS and DEL do the same, and hold all other clients up meanwhile. Drills measure that.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  pattern: {description: "Pattern of the keys, as Redis knows it: C(cache:item:*)", type: str, required: true}
  list_with: {description: Command that lists them, type: str, choices: [scan, keys], default: scan}
  delete_with: {description: Command that deletes them, type: str, choices: [unlink, del], default: unlink}
  portion: {description: Keys to list or to delete with one command, type: int, default: 1000}
  split_with:
    description: How the list is split into keys. C(xargs) also splits at blanks. Drills measure that.
    type: str
    choices: [lines, xargs]
    default: lines
"""
RETURN = """
deleted: {description: Number of keys that were deleted, type: int, returned: success}
listed_ms: {description: Milliseconds that the longest listing command took, type: float, returned: success}
"""

import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node


def split_by_xargs(keys: list[bytes]) -> list[bytes]:
    """The arguments that xargs itself makes from a list with one key on each line."""
    done = subprocess.run(["xargs", "printf", "%s\\n"], input=b"\n".join(keys), capture_output=True, check=True)
    return [each for each in done.stdout.split(b"\n") if each]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "pattern": {"type": "str", "required": True},
            "list_with": {"choices": ["scan", "keys"], "default": "scan"},
            "delete_with": {"choices": ["unlink", "del"], "default": "unlink"},
            "portion": {"type": "int", "default": 1000},
            "split_with": {"choices": ["lines", "xargs"], "default": "lines"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    longest, deleted = 0.0, 0
    # KEYS takes long on a large database. The drill measures just that
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
        if asked["split_with"] == "xargs":
            keys = split_by_xargs(keys)
        delete = redis.delete if asked["delete_with"] == "del" else redis.unlink
        for start in range(0, len(keys), asked["portion"]):
            some = keys[start : start + asked["portion"]]
            deleted += len(some) if module.check_mode else delete(*some)
    module.exit_json(changed=deleted > 0, deleted=deleted, listed_ms=round(longest * 1000, 1))


if __name__ == "__main__":
    main()
