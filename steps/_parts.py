"""Parts of a staging that may be missing on a machine, and what the steps of all vendors' platforms share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillbook import Drill


def variable(drill: Drill, group: str, name: str) -> Any:
    """A variable of the host in this group of the inventory."""
    return drill.inventory.variable(drill.inventory.names(group)[0], name)


def usable(drill: Drill, group: str, name: str) -> str:
    """A text that says whether a part can be used; the variable `name` says what is missing."""
    missing = variable(drill, group, name)
    return f"not here; missing: {missing}, then 'drillbook lab reset'" if missing else "usable"


@dataclass(frozen=True, slots=True)
class Platform:
    """A vendor's platform: its group in the inventory, how its variables begin, and its client."""

    group: str
    variables: str
    client: str

    def variable(self, drill: Drill, name: str) -> Any:
        return variable(drill, self.group, f"{self.variables}_{name}")

    def installed(self, drill: Drill) -> str:
        """A text that says whether the client can be run."""
        missing = f"{self.client} is missing: run 'drillbook lab clients', then 'drillbook lab reset'"
        return "installed" if self.variable(drill, "command") else missing

    def said(self, drill: Drill) -> str:
        """The exit status and the words of the call whose output the fault has kept."""
        target: Any = drill.hosts(self.group)[0]
        file = target.file(f"{self.variable(drill, 'home')}/said.txt")
        return str(file.content_string) if file.exists else "nothing"
