"""Whether the hosts of each play are in the inventory.

The rule: each part of a pattern names at least one host. Ansible only warns about a part that names none.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from drillbook.model import paths
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.target.ansible.yaml_lines import Lined, UnreadableError, load, mappings

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names that Ansible knows without an inventory."""
_MADE = re.compile(r"\b(?:add_host|group_by)\b")
_BETWEEN = re.compile(r"[,:](?![^\[]*\])")
_SUBSCRIPT = re.compile(r"(?<=.)\[[-\d:]+\]$")


def check(repository: Repository) -> Iterator[Finding]:
    """Findings about the plays below playbooks/; none when the inventory could not be read."""
    if repository.inventory is None:
        return
    known = {*repository.inventory.hostvars, *repository.inventory.groups, "all", *_LOCAL}
    made = any(_MADE.search(text) for text in repository.playbooks.values())
    for path, text in repository.playbooks.items():
        if not path.startswith((paths.FAULTS, paths.RECOVERIES, paths.CLEANUPS, paths.MESSAGES)):
            continue
        try:
            plays = mappings(load(text))
        except UnreadableError:
            continue  # reported as such, with the playbook
        for play in plays:
            for part in _parts(play):
                if not any(fnmatch.fnmatchcase(name, part) for name in known):
                    said = f"{part!r} names no host or group of {repository.inventory_name}: Ansible ignores it"
                    if made:
                        said += ", unless the playbook makes it (add_host, group_by)"
                    severity = Severity.NOTE if made else Severity.WARNING
                    yield Finding(path, play.lines["hosts"], "unknown-host", said, severity)


def _parts(play: Lined) -> Iterator[str]:
    """The names, with `*` and `?`, in a play's pattern; without parts that only Ansible can judge (templates,
    `~regex`).
    """
    hosts = play.get("hosts")
    patterns = hosts if isinstance(hosts, list) else [hosts]
    for pattern in patterns:
        if not isinstance(pattern, str) or "{" in pattern:
            continue
        for part in _BETWEEN.split(pattern):
            name = _SUBSCRIPT.sub("", part.strip().lstrip("!&"))
            if name and not name.startswith("~"):
                yield name
