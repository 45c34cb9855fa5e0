#!/usr/bin/python
"""Make cached entries wrong, as a bad release does, and take the wrong ones away again."""

from __future__ import annotations

DOCUMENTATION = """
module: redis_wrong_cache
short_description: Put wrong values into cached JSON entries of a Redis node, or remove those that are wrong
description:
  - C(wrong) replaces a member of entries that are there and leaves their time to live. With O(further) it adds so many
    entries of the same prefix, which expire after an hour.
  - C(right) deletes every entry that was made wrong or was added, and no other.
options:
  host: {description: Address of the node, type: str, default: 127.0.0.1}
  port: {description: Port of the node, type: int, required: true}
  password: {description: Password of the default account, type: str, required: true}
  pattern: {description: Pattern of the entries, ending in C(*), type: str, required: true}
  state: {description: What is true afterwards, type: str, choices: [wrong, right], required: true}
  member: {description: Member of the entries that is made wrong, type: str, default: value}
  most: {description: "How many entries are made wrong, the first by name; 0 is all", type: int, default: 0}
  further: {description: How many entries are added, type: int, default: 0}
  blanks: {description: Whether the names of the added entries have blanks in them, type: bool, default: false}
"""
RETURN = """
entries: {description: Number of entries that were made wrong, type: int, returned: success}
left: {description: Number of wrong or added entries that are there now, type: int, returned: success}
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_node import ARGUMENTS, node

WRONG = {"wrong": True}
ADDED = "old-"
FILL = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('SET', KEYS[1] .. n .. ARGV[3], '{"value":null}', 'EX', 3600)
end
"""
PORTION = 5000


def portions(redis, pattern: str):
    cursor = None
    while cursor != 0:
        cursor, keys = redis.scan(cursor or 0, match=pattern, count=PORTION)
        if keys:
            yield keys


def wrong_of(redis, pattern: str):
    """Yields the keys that are wrong or were added, in portions."""
    added = pattern[:-1] + ADDED
    for keys in portions(redis, pattern):
        ours = [key for key in keys if key.startswith(added)]
        others = [key for key in keys if not key.startswith(added)]
        texts = redis.mget(others) if others else []
        found = [
            key
            for key, text in zip(others, texts, strict=True)
            if text is not None and WRONG in json.loads(text).values()
        ]
        if ours or found:
            yield ours + found


def make_wrong(redis, asked: dict) -> int:
    added = asked["pattern"][:-1] + ADDED
    own = (key for keys in portions(redis, asked["pattern"]) for key in keys if not key.startswith(added))
    # the first by name are always the same entries. Perhaps no user asks for any other three of a warm cache
    chosen = sorted(set(own), key=lambda key: (len(key), key))[: asked["most"] or None]
    entries = 0
    for key in chosen:
        text = redis.get(key)
        if text is not None:
            entries += 1
            redis.set(key, json.dumps({**json.loads(text), asked["member"]: WRONG}), keepttl=True)
    for first in range(1, asked["further"] + 1, PORTION):
        last = min(first + PORTION - 1, asked["further"])
        redis.eval(FILL, 1, asked["pattern"][:-1] + ADDED, first, last, " of them" if asked["blanks"] else "")
    return entries


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "pattern": {"type": "str", "required": True},
            "state": {"choices": ["wrong", "right"], "required": True},
            "member": {"type": "str", "default": "value"},
            "most": {"type": "int", "default": 0},
            "further": {"type": "int", "default": 0},
            "blanks": {"type": "bool", "default": False},
        }
    )
    asked = module.params
    entries = removed = 0
    with node(module, socket_timeout=60) as redis:
        if asked["state"] == "wrong":
            entries = make_wrong(redis, asked)
            left = entries + asked["further"]
        else:
            for keys in wrong_of(redis, asked["pattern"]):
                removed += redis.unlink(*keys)
            left = sum(len(keys) for keys in wrong_of(redis, asked["pattern"]))
    module.exit_json(changed=bool(entries or removed), entries=entries, left=left)


if __name__ == "__main__":
    main()
