"""One lab that is to be brought up: all that is drawn or made once, before its first process starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from drillbook_lab.base.topology import HOST
from drillbook_lab.lifecycle.parts.keys import Secrets
from drillbook_lab.lifecycle.parts.postgres import Cluster
from drillbook_lab.lifecycle.parts.tls import TlsFiles


class Alerting(StrEnum):
    """Who tells people of what is wrong."""

    LAB = "lab"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True, repr=False)
class Blueprint:
    """The plan of one lab. It has no `repr`, because it holds passwords."""

    lab_id: str
    state: Path
    version: str
    ports: Mapping[str, int]
    keys: Secrets
    authority: TlsFiles
    cluster: Cluster
    commits: Mapping[str, str]
    """The product's commits, by the folders of their sources."""
    alerting: Alerting = Alerting.LAB

    def http(self, name: str) -> str:
        """The URL of what listens on the port of this name."""
        return f"http://{HOST}:{self.ports[name]}"

    def settings(self, client: str) -> Path:
        """The settings file of the API or the workers."""
        return self.state / "env" / f"{client}.env"
