"""What a drill knows about its target: an Ansible inventory, resolved once, by Ansible itself.

The rule: the inventory says what the target is, and Drillbook guesses nothing. For a variable that is missing, misspelt
or cannot be templated, one sentence names it, its file and line, and what to write there. The Redactor knows all
secrets of the inventory before anything is recorded.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import testinfra.host

from drillbook.errors import InventoryError
from drillbook.evidence.redaction import Redactor
from drillbook.model.times.profiles import FULL, Timings
from drillbook.target.inventory.connections import Connections
from drillbook.target.inventory.reader import InventoryReader
from drillbook.target.inventory.resolver import ResolvedInventory
from drillbook.target.inventory.settings import EMPTY, NO_PREREQUISITES, Endpoint, Environment, Prerequisites, Work

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm


class Inventory:
    """A resolved inventory. Its connections to hosts end when it is closed."""

    def __init__(
        self,
        path: Path,
        environment: Environment,
        *,
        endpoints: Mapping[str, Endpoint] = EMPTY,
        work: Work | None = None,
        dead_man_switch_s: int | None = None,
        prerequisites: Prerequisites = NO_PREREQUISITES,
        timings: Timings = FULL,
        groups: Mapping[str, tuple[str, ...]] = EMPTY,
        hostvars: Mapping[str, Mapping[str, object]] = EMPTY,
        secrets: Mapping[str, str] = EMPTY,
        connections: Mapping[str, Mapping[str, Any]] = EMPTY,
        problems: Mapping[tuple[str, str], str] = EMPTY,
        where: Callable[[str], str] | None = None,
        further: tuple[Path, ...] = (),
    ) -> None:
        """`connections` holds how Ansible connects to each host.

        `problems` says, for (host, name), why that variable has no value. `dead_man_switch_s`: a fault's switch fires
        after this many seconds without renewal; None: none is armed. `where` gives file and line of a variable of the
        group all, or of a key in it: "a.b".
        """
        self.path, self.further = path, further
        self.environment = environment
        self.endpoints = endpoints
        self.work = work
        self.dead_man_switch_s = dead_man_switch_s
        self.prerequisites = prerequisites
        self.timings = timings
        self.where = where or (lambda _name: str(path))
        self.groups = groups
        self.hostvars = hostvars
        self.secrets = secrets
        self.connections = Connections(connections)
        self._problems = problems

    @classmethod
    def resolve(
        cls,
        path: Path,
        root: Path,
        redactor: Redactor | None = None,
        *,
        further: Iterable[Path] = (),
        pass_env: Iterable[str] = (),
        warm: Warm | None = None,
    ) -> Inventory:
        """Read the inventory at `path` (absolute, or relative to `root` or the working directory) through Ansible.

        Ansible merges the `further` ones with it: the last wins. Their secrets are added to `redactor`. Raises
        InventoryError, with one sentence that says what to put right.
        """
        found, *others = (_existing(each, root) for each in (path, *further))
        resolved = ResolvedInventory.by_ansible(found, root.absolute(), tuple(pass_env), warm, others)
        return cls.of(resolved, root.absolute(), Redactor() if redactor is None else redactor)

    @classmethod
    def of(cls, resolved: ResolvedInventory, root: Path, redactor: Redactor) -> Inventory:
        """The inventory from what Ansible has resolved; `root` (absolute) is where relative paths begin."""
        secrets = resolved.secrets()
        for secret in secrets:
            redactor.add(secret.label, secret.value, declared=secret.declared)
        reader = InventoryReader(resolved, root)
        endpoints = reader.endpoints()
        return cls(
            resolved.path,
            reader.environment(),
            endpoints=MappingProxyType(endpoints),
            work=reader.work(endpoints),
            dead_man_switch_s=reader.dead_man_switch(),
            prerequisites=reader.prerequisites(endpoints),
            timings=reader.timings(),
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
            where=lambda name: str(reader.place(name)),
            further=resolved.further,
        )

    @property
    def connection_env(self) -> dict[str, str]:
        """Settings that make Ansible's ssh connections outlive a play, and end with this object."""
        return self.connections.env

    @property
    def su_asks(self) -> bool:
        """Whether `su` asks for a password on every host: then a play that becomes another user by it cannot go on."""
        return self.connections.su_asks

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
        first = next(iter(self.hostvars.values()), EMPTY)
        return first.get(name, default)

    def names(self, pattern: str) -> tuple[str, ...]:
        """Hosts by the name of a host or group, with `*` and `?`, several separated by commas.

        InventoryError if there is none.
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
        """testinfra's hosts for `names(pattern)`, never none.

        Each command raises CouldNotLookError after its deadline.
        """
        return [self.connections.look_at(name, deadline_s) for name in self.names(pattern)]

    def _unknown(self, name: str) -> str:
        groups = ", ".join(sorted(group for group in self.groups if group not in {"all", "ungrouped"})) or "none"
        hosts = ", ".join(self.hostvars)
        return f'{self.path} has no host or group "{name}". Its hosts: {hosts}. Its groups: {groups}.'


def _existing(path: Path, root: Path) -> Path:
    """An absolute path that exists: Ansible takes a missing relative one for the name of a host, and succeeds."""
    candidates = [path] if path.is_absolute() else [root.absolute() / path, Path.cwd() / path]
    for candidate in candidates:
        if candidate.exists():
            return Path(os.path.normpath(candidate))
    msg = f"There is no inventory {path}: looked for {' and '.join(dict.fromkeys(map(str, candidates)))}."
    raise InventoryError(msg)
