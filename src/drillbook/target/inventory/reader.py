"""Reads the variables of an inventory whose names begin with drillbook_, and checks them strictly."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from drillbook.errors import InventoryError, NoEnvironmentError, Place
from drillbook.model.times.profiles import FULL, Timings
from drillbook.target.ansible.environment import SU_ASKS, is_su
from drillbook.target.ansible.truth import boolean
from drillbook.target.inventory.origins import origin_of
from drillbook.target.inventory.resolver import ResolvedInventory
from drillbook.target.inventory.settings import (
    COMPLETED_WITHIN_S,
    EMPTY,
    Endpoint,
    EndpointKind,
    Environment,
    EnvironmentKind,
    Prerequisites,
    Work,
)
from drillbook.target.inventory.strict_mapping import Node
from drillbook.target.inventory.urls import LOG_IN, address, submit_url

_SQL_CA = {EndpointKind.SQL: "write ?sslmode=verify-full&sslrootcert=PATH into the URL"}
_OF_KINDS: Mapping[str, tuple[frozenset[EndpointKind], Mapping[EndpointKind, str]]] = {
    "headers": (frozenset({EndpointKind.HTTP}), {}),
    "user": (frozenset({EndpointKind.REDIS, EndpointKind.SQL}), LOG_IN),
    "password": (frozenset({EndpointKind.REDIS, EndpointKind.SQL}), LOG_IN),
    "ca": (frozenset({EndpointKind.HTTP, EndpointKind.REDIS}), _SQL_CA),
    "looks_at_once": (frozenset({EndpointKind.HTTP, EndpointKind.TCP}), {}),
    "follow": (frozenset({EndpointKind.HTTP}), {}),
    "healthy": (frozenset({EndpointKind.HTTP}), {}),
    "container": (frozenset({EndpointKind.CONTAINER}), {}),
}
"""Keys that only some kinds use: those kinds, and what to do instead."""
_HEALTHY = {"2xx": 300, "3xx": 400}
"""The lowest status that is no longer healthy, by the inventory's word for the highest healthy ones."""
_FOR_ALL = (
    "drillbook_environment",
    "drillbook_endpoints",
    "drillbook_work",
    "drillbook_dead_man_switch",
    "drillbook_prerequisites",
    "drillbook_timings",
)
_CONNECTS = re.compile(
    r"ansible_(?:connection|host|port|user|password|private_key_file|host_key_checking|remote_(?:user|addr|port)|"
    r"python_interpreter|pipelining|timeout|(?:become|container|docker|paramiko|podman|scp|sftp|ssh|su|sudo)(?:_\w+)?)"
)
"""Variables of Ansible that say how to reach a host."""
LEAST_SWITCH_S = 10
"""Seconds. A renewal is a play of 1 to 2.5 s, made three times in this time; it may be missed once."""
_WINDOWS = ("immediate", "extended", "watch", "day")
_ENVIRONMENT_EXAMPLE = "drillbook_environment: {name: staging-eu, kind: staging}"


@cache
def _near(name: str) -> list[str]:
    return difflib.get_close_matches(name, _FOR_ALL, 1, 0.9)


class InventoryReader:
    """The `drillbook_*` variables of the group all, checked key by key."""

    def __init__(self, resolved: ResolvedInventory, root: Path) -> None:
        self._resolved = resolved
        self._root = root
        first, self._entries = next(iter(resolved.entries.items()))
        for host, entries in resolved.entries.items():
            self._refuse_errors(entries)
            self._refuse_misspelt(entries)
            self._refuse_su(host, entries, resolved.connections.get(host, EMPTY))
            for name in _FOR_ALL:
                here, there = self._entries.get(name, {}), entries.get(name, {})
                if here.get("value") != there.get("value"):
                    place = self._origin(here or there, name)
                    sentence = f"{name} ({place}) differs between {first} and {host}: set it once, for the group all."
                    raise InventoryError(sentence, place)

    def _refuse_errors(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """A variable that Drillbook or a connection needs must have a value now, not in the middle of a drill.

        Other variables are for plays, which have variables of their own (`template_path`, a role's defaults).
        """
        for name, entry in entries.items():
            if "error" not in entry:
                continue
            path, message = entry["error"]["where"], entry["error"]["message"]
            # somebody demands it by `mandatory`, in a variable of ours for playbooks
            demanded = name.startswith("drillbook_") and not message.endswith("is undefined")
            if demanded or name in _FOR_ALL or _CONNECTS.fullmatch(name):
                place = self._origin(entry, path)
                raise InventoryError(f"{path} ({place}): {message}", place)

    def _refuse_su(self, host: str, entries: Mapping[str, Mapping[str, Any]], connection: Mapping[str, Any]) -> None:
        """Refuse a host that does all its work through a `su` that asks: Ansible would wait for it in the middle of a
        drill.
        """
        if not boolean(connection.get("become")) or not is_su(connection.get("become_method")):
            return
        if connection.get("su_asks"):
            name = next((each for each in ("ansible_become_method", "ansible_become") if each in entries), None)
            place = self._origin(entries[name], name) if name is not None else None
            where = f"{name} ({place})" if name is not None else "become_method (ansible.cfg)"
            raise InventoryError(f"With {where} {SU_ASKS.format(on=f' on {host}')}", place)

    def _refuse_misspelt(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Refuse a prerequisite under a wrong name: otherwise no drill would demand it, and nobody would notice."""
        for name in entries:
            if name.startswith("drillbook_") and name not in _FOR_ALL:
                near = _near(name)
                if near:
                    place = self._origin(entries[name], name)
                    sentence = f'{name} ({place}): there is no such variable; did you mean "{near[0]}"?'
                    raise InventoryError(sentence, place)

    def environment(self) -> Environment:
        node = self._top("drillbook_environment", {"name", "kind"})
        if node is None:
            raise NoEnvironmentError(
                f"The inventory {self._resolved.path} does not say what it is, so no drill may run against it: "
                f"add `{_ENVIRONMENT_EXAMPLE}` to the variables of its group all."
            )
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
        at = address(node, kind, by_sentinel=sentinel is not None)
        return Endpoint(
            name=name,
            kind=kind,
            url=at.url,
            headers=node.headers("headers"),
            user=node.text("user", at.user),
            password=node.text("password", at.password),
            database=at.database,
            container=node.text("container") if kind is EndpointKind.CONTAINER else "",
            ca=self._path(node, "ca"),
            timeout_s=node.number("timeout", 1.0),
            samples_per_s=node.number("samples_per_second", 20.0),
            looks_at_once=node.count("looks_at_once") or 1,
            probe=node.flag("probe", default=True),
            follow=node.flag("follow", default=False),
            healthy_below=_HEALTHY[node.choice("healthy", _HEALTHY) if node.has("healthy") else "2xx"],
            master_name=sentinel.text("master") if sentinel else None,
            sentinels=sentinel.addresses("nodes") if sentinel else (),
            nat=sentinel.translated("nat") if sentinel else EMPTY,
            sentinel_password=sentinel.text("password", None) if sentinel else None,
        )

    def _path(self, node: Node, key: str) -> Path | None:
        text = node.text(key, None)
        return None if text is None else self._root / Path(text).expanduser()

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
            submit_url=submit_url(submit),
            submit_method=submit.text("method", "POST").upper(),
            submit_headers=submit.headers("headers"),
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

    def timings(self) -> Timings:
        """The windows of the verification; the full ones where the inventory says nothing."""
        node = self._top("drillbook_timings", {"profile", *_WINDOWS})
        if node is None:
            return FULL
        profile = node.text("profile")
        windows = {f"{name}_s": node.number(name, getattr(FULL, f"{name}_s")) for name in _WINDOWS}
        short = next((name for name in _WINDOWS if windows[f"{name}_s"] < getattr(FULL, f"{name}_s")), None)
        if profile == FULL.profile and short is not None:
            least = getattr(FULL, f"{short}_s")
            node.fail(short, f"it is {windows[f'{short}_s']:g}, and in the profile full {least:g} s or more")
        return Timings(profile, full=short is None, **windows)

    def _top(self, name: str, keys: set[str] | None) -> Node | None:
        entry = self._entries.get(name)
        if entry is None or entry["value"] is None:
            return None
        return Node(name, entry["value"], keys, self.place)

    def place(self, path: str) -> Place:
        """Where a variable, or a key in it ("a.b"), was written; the inventory itself when that is unknown."""
        return self._origin(self._entries.get(path.split(".", 1)[0], {}), path)

    def _origin(self, entry: Mapping[str, Any], path: str) -> Place:
        return origin_of(entry, path) or Place(str(self._resolved.path))


_ENDPOINT_KEYS = {
    "kind",
    "url",
    "container",
    "headers",
    "user",
    "password",
    "ca",
    "timeout",
    "samples_per_second",
    "looks_at_once",
    "probe",
    "follow",
    "healthy",
    "sentinel",
}


def _are(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "is none"
