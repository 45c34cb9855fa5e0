"""The forms that a secret can have in a text."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import shlex
from urllib.parse import quote, quote_plus

MIN_LENGTH = 6
"""Characters.

A shorter value ("true", "redis") occurs in too many harmless places: replacing it would destroy the record.
"""


def variants_of(value: str) -> frozenset[str]:
    """Every form of `value` that is looked for."""
    raw = value.encode("utf-8", "surrogateescape")
    once = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(each, ensure_ascii=ascii)[1:-1] for each in once for ascii in (True, False)}
    urls = {quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe="!$&'()*+,;=:@/?")}
    quoted = {
        shlex.quote(value),
        shlex.quote(value).strip("'"),
        re.sub(r'([$`"\\!])', r"\\\1", value),  # between double quotes of a shell
        value.replace("'", "''"),  # YAML, SQL
        html.escape(value),
        html.escape(value, quote=False),
        html.escape(value).replace("&#x27;", "&#39;"),
        html.escape(value).replace("&#x27;", "&apos;"),
        repr(value)[1:-1],
        repr(raw)[2:-1],
        repr(repr(value)[1:-1])[1:-1],
    }
    hexed = {raw.hex(), raw.hex().upper()}
    variants = {value} | once | twice | urls | {_lower_percent(url) for url in urls} | quoted | hexed | _base64(raw)
    return frozenset(each for each in variants if len(each) >= MIN_LENGTH)


def _lower_percent(url: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), url)


def _base64(raw: bytes) -> set[str]:
    """The base64 characters that depend only on `raw`, when it starts 0, 1 or 2 bytes after a multiple of three."""
    found = set()
    for offset in range(3):
        encoded = binascii.b2a_base64(bytes(offset) + raw, newline=False).decode().rstrip("=")
        shared_with_what_follows = 1 if (offset + len(raw)) % 3 else 0
        core = encoded[(0, 2, 3)[offset] : len(encoded) - shared_with_what_follows]
        found |= {core, core.translate(str.maketrans("+/", "-_"))}
    return found | {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
