"""The addresses of endpoints: the parts that a URL may have, by the kind of the endpoint, and the effect of each.

The rule: every part of a URL has an effect, or is refused with what to write instead. A `redis://cache/2` that lost its
number made a drill count the jobs of another database. No sentence shows the URL: it may hold a password. One part is
for people alone: with a Sentinel the host is a name of the cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

from drillbook.target.inventory.settings import EndpointKind
from drillbook.target.inventory.strict_mapping import Node

_KIND = {
    EndpointKind.HTTP: ({"http", "https"}, "https://api.example.org/health"),
    EndpointKind.REDIS: ({"redis", "rediss", "unix"}, "redis://cache.example.org:6379"),
    EndpointKind.SQL: ({"postgresql", "postgres"}, "postgresql://drill@db.example.org:5432/app"),
    EndpointKind.TCP: ({"tcp"}, "tcp://mail.example.org:25"),
    EndpointKind.CONTAINER: ({"unix", "tcp"}, "unix:///run/docker.sock"),
}
LOG_IN = {
    EndpointKind.HTTP: "send them in headers, as Authorization",
    EndpointKind.TCP: "remove them, only a connection is opened",
    EndpointKind.CONTAINER: "remove them, an engine asks for none",
}
_OF_KEYS = {"user": "user", "password": "password", "connect_timeout": "timeout"}
"""Parameters that libpq reads from a URL's query, and that an endpoint has as keys of its own."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL: `url` is without its password; `database` is the number of the Redis database."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0


def address(node: Node, kind: EndpointKind, *, by_sentinel: bool) -> Address:
    """The address of an endpoint. Raises InventoryError for a part that has no effect."""
    schemes, example = _KIND[kind]
    text = node.text("url", "redis://sentinel") if by_sentinel else node.text("url")
    parts, port = _split(node, text, example)
    if parts.scheme not in schemes or not (parts.hostname or parts.scheme == "unix"):
        node.fail("url", f"an endpoint of kind {kind} has a URL like {example}")
    if kind is EndpointKind.TCP and port is None:
        node.fail("url", f"it names no port; write one like {example}")
    logs_in = kind in (EndpointKind.REDIS, EndpointKind.SQL)
    if "@" in parts.netloc and not logs_in:
        node.fail("url", f"an endpoint of kind {kind} uses no user and password of its URL: {LOG_IN[kind]}")
    if parts.fragment:
        _without_effect(node, "the part after # has no effect", "remove it, or percent-encode the #")
    if kind is EndpointKind.CONTAINER:
        _engine(node, parts)
        return Address(text)
    database = 0
    match kind:
        case EndpointKind.REDIS:
            database = _redis(node, parts, by_sentinel=by_sentinel)
        case EndpointKind.SQL:
            _sql(node, parts)
        case EndpointKind.TCP if parts.path.strip("/") or parts.query:
            _without_effect(node, "path and query have no effect", "only a connection is opened: remove them")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    for key, value in (("user", user), ("password", password)):
        if value is not None and node.has(key):
            _without_effect(node, f"it names a {key}, and so does the key {key}", "leave one of them out")
    place = parts.netloc.rpartition("@")[2]
    shown = f"{quote(user, safe='')}@{place}" if user else place
    return Address(urlunsplit(parts._replace(netloc=shown)), user, password, database)


def submit_url(node: Node) -> str:
    """Where work is submitted. Raises InventoryError for a part that has no effect."""
    example = "https://api.example.org/jobs"
    text: str = node.text("url")
    parts, _ = _split(node, text, example)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        node.fail("url", f"work is submitted to a URL like {example}")
    if "@" in parts.netloc:
        node.fail("url", f"work is submitted without user and password of the URL: {LOG_IN[EndpointKind.HTTP]}")
    if parts.fragment:
        _without_effect(node, "the part after # has no effect", "remove it, or percent-encode the #")
    return text


def _redis(node: Node, parts: SplitResult, *, by_sentinel: bool) -> int:
    """The number of the database."""
    if by_sentinel and (parts.scheme == "unix" or parts.port is not None):
        instead = "write the cluster's name and no port, like redis://cache or rediss://cache"
        _without_effect(node, "it names a place, and Sentinel names the primary", instead)
    named = parts.path.removeprefix("/")
    if parts.scheme == "unix":
        named = re.sub(r"^db=", "", parts.query) if parts.query.startswith("db=") else ""
        if not parts.path or parts.hostname or (parts.query and not named):
            node.fail("url", "the URL of a socket is like unix:///run/redis.sock or unix:///run/redis.sock?db=2")
    elif parts.query:
        _without_effect(node, "its query has no effect", "use keys, and write the database as a path: /2")
    if named and not re.fullmatch(r"\d{1,5}", named):
        node.fail("url", "the database in it is not a number; write one like redis://cache.example.org:6379/2")
    return int(named or 0)


def _sql(node: Node, parts: SplitResult) -> None:
    said = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    for name, key in _OF_KEYS.items():
        if name in said:
            _without_effect(node, f"{name} does not belong in its query", f'use the key "{key}" of the endpoint')
    if "options" in said:
        _without_effect(node, "options does not belong in its query", "a pooler refuses it: set it for the account")
    for name, there in (("host", parts.hostname), ("port", parts.port), ("dbname", parts.path.strip("/"))):
        if name in said and there:
            _without_effect(node, f"its query names a {name} once more", "leave one of them out")


def _engine(node: Node, parts: SplitResult) -> None:
    """The socket of an engine, or its port."""
    if parts.scheme == "unix" and (parts.hostname or not parts.path.strip("/")):
        node.fail("url", "the URL of an engine's socket is like unix:///run/docker.sock")
    if parts.scheme == "tcp" and parts.port is None:
        node.fail("url", "it names no port; write one like tcp://127.0.0.1:2375")
    if parts.query or (parts.scheme == "tcp" and parts.path.strip("/")):
        _without_effect(node, "what stands behind the engine's address has no effect", "remove it")


def _without_effect(node: Node, what: str, instead: str) -> NoReturn:
    node.fail("url", f"{what}: {instead}")


def _split(node: Node, text: str, example: str) -> tuple[SplitResult, int | None]:
    """A URL and its port. The error quotes nothing of the text: urlsplit's own error shows a piece of a password."""
    if re.search(r"[^\x21-\x7e]", text):
        node.fail("url", "it has a space, a line feed or another character that no URL has: percent-encode it")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        node.fail("url", f"it is not a URL with a valid host and port; percent-encode a password, and write {example}")
    if port == 0:
        node.fail("url", f"nobody listens at port 0; write one like {example}")
    return parts, port
