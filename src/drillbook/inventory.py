"""What a drill knows about its target: an Ansible inventory, resolved by Ansible itself, once.

The rule: the inventory says what the target is, and Drillbook guesses nothing. A variable that is missing, misspelt or
cannot be templated is one sentence that names it, the file and line where it stands, and what to write there. All
secrets in it are known to the Redactor before anything is recorded.
"""

from __future__ import annotations

import difflib
import fnmatch
import os
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from drillbook.errors import InventoryError
from drillbook.evidence.redaction import Redactor
from drillbook.resolved import ResolvedInventory, origin_of
from drillbook.settings import Node

if TYPE_CHECKING:
    import testinfra.host

    from drillbook.warm.client import Warm

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, str]:
    return _EMPTY


class EnvironmentKind(StrEnum):
    """How careful to be. PRODUCTION needs a leave of its own for every run."""

    LAB = "lab"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the inventory says that it is."""

    name: str
    kind: EnvironmentKind


class EndpointKind(StrEnum):
    """What is spoken at an endpoint."""

    HTTP = "http"
    REDIS = "redis"
    SQL = "sql"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A door of the system that the prober knocks at. `url` holds no password; Redis may be found through Sentinel."""

    name: str
    kind: EndpointKind
    url: str
    headers: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    timeout_s: float = 1.0
    samples_per_s: float = 20.0
    looks_at_once: int = 1
    probe: bool = True
    master_name: str | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    nat: Mapping[str, str] = field(default_factory=_nothing)
    """Addresses that Sentinel announces -> addresses that can be reached from here ("127.0.0.1:6379" ->
    "127.0.0.1:16379").
    """
    sentinel_password: str | None = field(default=None, repr=False)


COMPLETED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Work:
    """How work is given to the system, and how it is counted afterwards."""

    submit_url: str
    completed_endpoint: str
    completed_query: str
    submit_method: str = "POST"
    submit_headers: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    submit_body: Any = None
    """Any JSON; "{id}" in its strings is replaced by the id of the job."""
    submit_ca: Path | None = None
    acknowledged: frozenset[int] = frozenset({202})
    refused: frozenset[int] = frozenset({503})
    completed_within_s: float = COMPLETED_WITHIN_S
    """After the last criterion: what is acknowledged and not done by then is lost."""


@dataclass(frozen=True, slots=True)
class Prerequisites:
    """What the environment demands of every drill: people present, hosts reached, endpoints that answer."""

    people: int = 0
    hosts: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


class Inventory:
    """A resolved inventory. It owns a private directory (for the control sockets of ssh) that goes when it goes."""

    def __init__(
        self,
        path: Path,
        environment: Environment,
        *,
        endpoints: Mapping[str, Endpoint] = _EMPTY,
        work: Work | None = None,
        dead_man_switch_s: int | None = None,
        prerequisites: Prerequisites = Prerequisites(),
        groups: Mapping[str, tuple[str, ...]] = _EMPTY,
        hostvars: Mapping[str, Mapping[str, object]] = _EMPTY,
        secrets: Mapping[str, str] = _EMPTY,
        connections: Mapping[str, Mapping[str, Any]] = _EMPTY,
        problems: Mapping[tuple[str, str], str] = _EMPTY,
        where: Callable[[str], str] | None = None,
    ) -> None:
        """`connections` holds how Ansible connects to each host, `problems`, for (host, name), why that variable has no
        value. `dead_man_switch_s`: after so many seconds without renewal a fault's switch fires; None: none is armed.
        `where` gives file and line of a variable of the group all, or of a key in it: "a.b".
        """
        self.path = path
        self.environment = environment
        self.endpoints = endpoints
        self.work = work
        self.dead_man_switch_s = dead_man_switch_s
        self.prerequisites = prerequisites
        self.where = where or (lambda _name: str(path))
        self.groups = groups
        self.hostvars = hostvars
        self.secrets = secrets
        self._connections = connections
        self._problems = problems
        self._looking: dict[tuple[str, float], testinfra.host.Host] = {}

    @classmethod
    def resolve(
        cls,
        path: Path,
        root: Path,
        redactor: Redactor | None = None,
        *,
        pass_env: Iterable[str] = (),
        warm: Warm | None = None,
    ) -> Inventory:
        """Read the inventory at `path` (absolute, or relative to `root` or the working directory) through Ansible.

        Its secrets are added to `redactor`. Raises InventoryError, with one sentence that says what to put right.
        """
        found = _existing(path, root)
        resolved = ResolvedInventory.by_ansible(found, root.absolute(), tuple(pass_env), warm)
        return cls.of(resolved, root.absolute(), Redactor() if redactor is None else redactor)

    @classmethod
    def of(cls, resolved: ResolvedInventory, root: Path, redactor: Redactor) -> Inventory:
        """What Drillbook needs of an inventory that Ansible has resolved; `root` (absolute) is where relative paths
        begin.
        """
        secrets = resolved.secrets()
        for secret in secrets:
            redactor.add(secret.label, secret.value, declared=secret.declared)
        reader = _Reader(resolved, root)
        endpoints = reader.endpoints()
        return cls(
            resolved.path,
            reader.environment(),
            endpoints=MappingProxyType(endpoints),
            work=reader.work(endpoints),
            dead_man_switch_s=reader.dead_man_switch(),
            prerequisites=reader.prerequisites(endpoints),
            groups=MappingProxyType(
                {
                    name: tuple(host for host in resolved.entries if host in hosts)
                    for name, hosts in resolved.groups.items()
                }
            ),
            hostvars=MappingProxyType({host: MappingProxyType(values) for host, values in resolved.values.items()}),
            secrets=MappingProxyType({secret.label: secret.value for secret in secrets}),
            connections=MappingProxyType(resolved.connections),
            problems=resolved.problems(),
            where=reader.where,
        )

    @cached_property
    def private_dir(self) -> Path:
        """A directory (0700) for as long as this object lives; the ssh connections whose sockets are in it end with
        it.
        """
        long = len(tempfile.gettempdir()) > 30  # a socket's path has at most 107 bytes, and ssh adds 60 to this one
        directory = tempfile.TemporaryDirectory(prefix="drillbook-", dir="/tmp" if long else None)
        weakref.finalize(self, _leave, directory)
        return Path(directory.name)

    @property
    def connection_env(self) -> dict[str, str]:
        """Settings of Ansible by which its ssh connections outlive a play, and end with this object."""
        return {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.private_dir / "cp")}

    def variable(self, host: str, name: str) -> object:
        """The value of a variable for a host, templated. InventoryError if it has none."""
        if host not in self.hostvars:
            raise InventoryError(self._unknown(host))
        if name in self.hostvars[host]:
            return self.hostvars[host][name]
        reason = self._problems.get(
            (host, name), f"the inventory {self.path} sets it for neither the host nor a group of it"
        )
        msg = f"The host {host} has no variable {name}: {reason}."
        raise InventoryError(msg)

    def setting(self, name: str, default: object = None) -> object:
        """A `drillbook_*` variable of the group all, as the first host sees it."""
        first = next(iter(self.hostvars.values()), _EMPTY)
        return first.get(name, default)

    def names(self, pattern: str) -> tuple[str, ...]:
        """Hosts by the name of a host or group, with `*` and `?`, several separated by commas. InventoryError if
        there is none.
        """
        found: dict[str, None] = {}
        for each in filter(None, (part.strip() for part in pattern.split(","))):
            hosts = [host for host in self.hostvars if fnmatch.fnmatchcase(host, each)]
            hosts += [
                host for group, members in self.groups.items() if fnmatch.fnmatchcase(group, each) for host in members
            ]
            if not hosts:
                raise InventoryError(self._unknown(each))
            found |= dict.fromkeys(hosts)
        if not found:
            raise InventoryError(self._unknown(pattern))
        return tuple(host for host in self.hostvars if host in found)

    def hosts(self, pattern: str, *, deadline_s: float = 10.0) -> list[testinfra.host.Host]:
        """testinfra's hosts for `names(pattern)`, never none. Each command has a deadline, after which
        CouldNotLookError is raised.
        """
        from drillbook.targets import look_at

        found = []
        for name in self.names(pattern):
            if (name, deadline_s) not in self._looking:
                connection = self._connections.get(name, _EMPTY)
                self._looking[name, deadline_s] = look_at(name, connection, self.private_dir, deadline_s=deadline_s)
            found.append(self._looking[name, deadline_s])
        return found

    def _unknown(self, name: str) -> str:
        groups = ", ".join(sorted(group for group in self.groups if group not in {"all", "ungrouped"})) or "none"
        hosts = ", ".join(self.hostvars)
        return f'{self.path} has no host or group "{name}". Its hosts: {hosts}. Its groups: {groups}.'


def _leave(directory: tempfile.TemporaryDirectory[str]) -> None:
    """End ssh's masters (they would stay for a minute after their last session) and remove their sockets."""
    for socket in (Path(directory.name) / "cp").glob("*"):
        with suppress(OSError, subprocess.SubprocessError):
            leave = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "-"]
            subprocess.run(leave, capture_output=True, timeout=5, check=False)
    with suppress(OSError):
        directory.cleanup()


def _existing(path: Path, root: Path) -> Path:
    """An absolute path: Ansible takes a relative one that does not exist for the name of a host, and succeeds."""
    candidates = [path] if path.is_absolute() else [root.absolute() / path, Path.cwd() / path]
    for candidate in candidates:
        if candidate.exists():
            return Path(os.path.normpath(candidate))
    msg = f"There is no inventory {path}: looked for {' and '.join(dict.fromkeys(map(str, candidates)))}."
    raise InventoryError(msg)


_KIND = {
    EndpointKind.HTTP: ({"http", "https"}, "https://api.example.org/health"),
    EndpointKind.REDIS: ({"redis", "rediss", "unix"}, "redis://cache.example.org:6379"),
    EndpointKind.SQL: ({"postgresql", "postgres"}, "postgresql://drill@db.example.org:5432/app"),
    EndpointKind.TCP: ({"tcp"}, "tcp://mail.example.org:25"),
}
_LOG_IN = {
    EndpointKind.HTTP: "send them in headers, as Authorization",
    EndpointKind.TCP: "remove them, only a connection is opened",
}
_SQL_CA = {EndpointKind.SQL: "write ?sslmode=verify-full&sslrootcert=PATH into the URL"}
_OF_KINDS: Mapping[str, tuple[frozenset[EndpointKind], Mapping[EndpointKind, str]]] = {
    "headers": (frozenset({EndpointKind.HTTP}), {}),
    "user": (frozenset({EndpointKind.REDIS, EndpointKind.SQL}), _LOG_IN),
    "password": (frozenset({EndpointKind.REDIS, EndpointKind.SQL}), _LOG_IN),
    "ca": (frozenset({EndpointKind.HTTP, EndpointKind.REDIS}), _SQL_CA),
    "looks_at_once": (frozenset({EndpointKind.HTTP, EndpointKind.TCP}), {}),
}
"""Keys that not every kind uses: of which kinds they are, and what to do instead."""
_FOR_ALL = (
    "drillbook_environment",
    "drillbook_endpoints",
    "drillbook_work",
    "drillbook_dead_man_switch",
    "drillbook_prerequisites",
)
LEAST_SWITCH_S = 10
"""Seconds. A renewal is a play of 1 to 2.5 s, made three times in this time; it may be missed once."""
_ENVIRONMENT_EXAMPLE = "drillbook_environment: {name: staging-eu, kind: staging}"


class _Reader:
    """The `drillbook_*` variables of the group all, checked key by key."""

    def __init__(self, resolved: ResolvedInventory, root: Path) -> None:
        self._resolved = resolved
        self._root = root
        first, self._entries = next(iter(resolved.entries.items()))
        for host, entries in resolved.entries.items():
            self._refuse_errors(entries)
            self._refuse_misspelt(entries)
            for name in _FOR_ALL:
                here, there = self._entries.get(name, {}), entries.get(name, {})
                if here.get("value") != there.get("value"):
                    where = origin_of(here or there, name) or resolved.path
                    msg = f"{name} ({where}) differs between {first} and {host}: set it once, for the group all."
                    raise InventoryError(msg)

    def _refuse_errors(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """What Drillbook or a connection needs has to have a value now, not in the middle of a drill."""
        for name, entry in entries.items():
            if "error" in entry and name.startswith(("drillbook_", "ansible_")):
                path, message = entry["error"]["where"], entry["error"]["message"]
                msg = f"{path} ({origin_of(entry, path) or self._resolved.path}): {message}"
                raise InventoryError(msg)

    def _refuse_misspelt(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """A prerequisite under a wrong name would be demanded of no drill, and nobody would notice."""
        for name in entries:
            if name.startswith("drillbook_") and name not in _FOR_ALL:
                near = difflib.get_close_matches(name, _FOR_ALL, 1, 0.9)
                if near:
                    place = origin_of(entries[name], name) or self._resolved.path
                    msg = f'{name} ({place}): there is no such variable; did you mean "{near[0]}"?'
                    raise InventoryError(msg)

    def environment(self) -> Environment:
        node = self._top("drillbook_environment", {"name", "kind"})
        if node is None:
            msg = (
                f"The inventory {self._resolved.path} does not say what it is, so no drill may run against it: "
                f"add `{_ENVIRONMENT_EXAMPLE}` to the variables of its group all."
            )
            raise InventoryError(msg)
        return Environment(node.text("name"), EnvironmentKind(node.choice("kind", list(EnvironmentKind))))

    def endpoints(self) -> dict[str, Endpoint]:
        node = self._top("drillbook_endpoints", None)
        if node is None:
            return {}
        return {name: self._endpoint(name, node.child(name, _ENDPOINT_KEYS)) for name in node.keys()}  # noqa: SIM118

    def _endpoint(self, name: str, node: Node) -> Endpoint:
        kind = EndpointKind(node.choice("kind", list(EndpointKind)))
        sentinel = node.child("sentinel", {"master", "nodes", "password", "nat"}) if node.has("sentinel") else None
        if sentinel is not None and kind is not EndpointKind.REDIS:
            node.fail("sentinel", "only an endpoint of kind redis has Sentinels")
        for key, (kinds, instead) in _OF_KINDS.items():
            if node.has(key) and kind not in kinds:
                node.fail(key, f"an endpoint of kind {kind} does not use it: {instead.get(kind, 'remove it')}")
        default = "redis://sentinel" if sentinel is not None else None
        url, user, password = self._url(node, kind, default)
        return Endpoint(
            name=name,
            kind=kind,
            url=url,
            headers=node.texts("headers"),
            user=node.text("user", user),
            password=node.text("password", password),
            ca=self._path(node, "ca"),
            timeout_s=node.number("timeout", 1.0),
            samples_per_s=node.number("samples_per_second", 20.0),
            looks_at_once=node.count("looks_at_once") or 1,
            probe=node.flag("probe", default=True),
            master_name=sentinel.text("master") if sentinel else None,
            sentinels=sentinel.addresses("nodes") if sentinel else (),
            nat=sentinel.translated("nat") if sentinel else _EMPTY,
            sentinel_password=sentinel.text("password", None) if sentinel else None,
        )

    def _path(self, node: Node, key: str) -> Path | None:
        text = node.text(key, None)
        return None if text is None else self._root / Path(text).expanduser()

    def _url(self, node: Node, kind: EndpointKind, default: str | None) -> tuple[str, str | None, str | None]:
        """The URL without its password, and the user and password that stood in it."""
        schemes, example = _KIND[kind]
        text = node.text("url", default) if default else node.text("url")
        assert text is not None
        parts, port = _split(node, text, example)
        if parts.scheme not in schemes or not (parts.hostname or parts.scheme == "unix"):
            node.fail("url", f"an endpoint of kind {kind} has a URL like {example}")
        if kind is EndpointKind.TCP and port is None:
            node.fail("url", f"it names no port; write one like {example}")
        if (parts.username or parts.password) and kind not in _OF_KINDS["password"][0]:
            node.fail("url", f"an endpoint of kind {kind} uses no user and password of its URL: {_LOG_IN[kind]}")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        place = parts.netloc.rpartition("@")[2]
        shown = f"{quote(user, safe='')}@{place}" if user else place
        return urlunsplit(parts._replace(netloc=shown)), user, password

    def work(self, endpoints: Mapping[str, Endpoint]) -> Work | None:
        node = self._top("drillbook_work", {"submit", "completed"})
        if node is None:
            return None
        submit = node.child("submit", {"url", "method", "headers", "body", "ca", "acknowledged", "refused"})
        completed = node.child("completed", {"endpoint", "query", "within"})
        endpoint = completed.text("endpoint")
        databases = [name for name, each in endpoints.items() if each.kind is EndpointKind.SQL]
        if endpoint not in databases:
            completed.fail("endpoint", f'"{endpoint}" is no endpoint of kind sql (there {_are(databases)})')
        return Work(
            submit_url=_submit_url(submit),
            submit_method=submit.text("method", "POST").upper(),
            submit_headers=submit.texts("headers"),
            submit_body=submit.value("body", None),
            submit_ca=self._path(submit, "ca"),
            acknowledged=submit.statuses("acknowledged", frozenset({202})),
            refused=submit.statuses("refused", frozenset({503})),
            completed_endpoint=endpoint,
            completed_query=completed.text("query"),
            completed_within_s=completed.number("within", COMPLETED_WITHIN_S),
        )

    def dead_man_switch(self) -> int | None:
        node = self._top("drillbook_dead_man_switch", {"after"})
        if node is None:
            return None
        after_s = node.number("after", node.value("after"))
        if after_s < LEAST_SWITCH_S or after_s != int(after_s):
            node.fail("after", f"it is {after_s:g}, and has to be a whole number of seconds, {LEAST_SWITCH_S} or more")
        return int(after_s)

    def prerequisites(self, endpoints: Mapping[str, Endpoint]) -> Prerequisites:
        node = self._top("drillbook_prerequisites", {"people", "hosts", "endpoints"})
        if node is None:
            return Prerequisites()
        hosts = [*self._resolved.entries, *self._resolved.groups]
        return Prerequisites(
            people=node.count("people"),
            hosts=node.names("hosts", lambda name: bool(fnmatch.filter(hosts, name)), "host or group"),
            endpoints=node.names("endpoints", endpoints.__contains__, "endpoint of drillbook_endpoints"),
        )

    def _top(self, name: str, keys: set[str] | None) -> Node | None:
        entry = self._entries.get(name)
        if entry is None or entry["value"] is None:
            return None
        return Node(name, entry["value"], keys, self.where)

    def where(self, path: str) -> str:
        entry = self._entries.get(path.split(".", 1)[0], {})
        return origin_of(entry, path) or str(self._resolved.path)


_ENDPOINT_KEYS = {
    "kind",
    "url",
    "headers",
    "user",
    "password",
    "ca",
    "timeout",
    "samples_per_second",
    "looks_at_once",
    "probe",
    "sentinel",
}


def _split(node: Node, text: str, example: str) -> tuple[SplitResult, int | None]:
    """A URL and its port. The sentence says nothing of the text: urlsplit's own shows a piece of a password."""
    try:
        parts = urlsplit(text)
        return parts, parts.port
    except ValueError:
        node.fail("url", f"it is no URL with a valid host and port; percent-encode a password, and write {example}")


def _submit_url(node: Node) -> str:
    example = "https://api.example.org/jobs"
    text: str = node.text("url")
    parts, _ = _split(node, text, example)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        node.fail("url", f"work is submitted to a URL like {example}")
    if parts.username or parts.password:
        node.fail("url", f"work is submitted without user and password of the URL: {_LOG_IN[EndpointKind.HTTP]}")
    return text


def _are(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "is none"
