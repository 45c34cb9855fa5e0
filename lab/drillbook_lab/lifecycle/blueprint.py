"""One lab that is to be brought up: what is drawn or made once, before its first file and its first process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drillbook_lab.base.topology import HOST
from drillbook_lab.lifecycle.parts.keys import Secrets
from drillbook_lab.lifecycle.parts.postgres import Cluster
from drillbook_lab.lifecycle.parts.tls import TlsFiles


@dataclass(frozen=True, slots=True, repr=False)
class Blueprint:
    """No `repr`: it holds passwords."""

    lab_id: str
    state: Path
    version: str
    ports: Mapping[str, int]
    keys: Secrets
    authority: TlsFiles
    cluster: Cluster

    def http(self, name: str) -> str:
        """The URL of what listens on the port of this name."""
        return f"http://{HOST}:{self.ports[name]}"

    def settings(self, client: str) -> Path:
        """The settings file of the API or the workers."""
        return self.state / "env" / f"{client}.env"
