"""The lab in containers as a whole."""

from pathlib import Path
from typing import Any

from drillbook_lab.compose import content, images, needs
from drillbook_lab.compose.contract import contract
from drillbook_lab.compose.engine import Engine
from drillbook_lab.compose.layout import CONTAINERS
from drillbook_lab.hosts import kernel
from drillbook_lab.hosts.apart import Apart
from drillbook_lab.hosts.content import OWNER
from drillbook_lab.lifecycle.parts import history
from drillbook_lab.lifecycle.progress import Progress

DISK_MB = 64
_OF_DRILLS = ("backups", "kept", "leak")
"""What drills write here, by `inventories/compose`."""


class ComposeLab(Apart):
    """A lab of containers, with an engine of its own."""

    STAGING, PARTS, READY = "compose", "containers", "drillbook_lab.compose.ready"
    OWN = ("git", "images", "engine", "project", "homes", "volume", *_OF_DRILLS)

    def _lacks(self) -> list[str]:
        return needs.missing()

    def _start(self, prefix: str, lower: Path, progress: Progress) -> dict[str, Any]:
        plan = content.Plan(prefix, self.state)
        engine = plan.engine
        progress("starting a Docker engine")
        engine.start(DISK_MB, OWNER)
        git = self.state / "git"
        git.mkdir(mode=0o700)
        commits = history.make(git / "origin.git")
        progress("building the images")
        images.build(engine, lower / "root", commits, self.state / "images")
        content.lay_out(plan, commits)
        pid = (engine.folder / "pid").read_text().strip()
        # on the machine the disk is seen through the engine, which alone has it mounted
        plan.volume.symlink_to(f"/proc/{pid}/root{engine.disk}")
        progress(f"starting {len(CONTAINERS)} containers")
        engine.docker("compose", "--file", str(plan.file), "up", "--detach")
        return contract(plan)

    def _lives(self, prefix: str) -> bool:
        return bool(kernel.processes(prefix, "engine"))

    def _network(self, prefix: str) -> list[str]:
        return self._engine(prefix).network

    def _networks(self, prefix: str) -> list[str]:
        return [prefix]

    def _why(self, prefix: str) -> str:
        shown = ("--filter", "status=exited", "--format", "{{.Names}} {{.Status}}")
        return f"ended: {self._engine(prefix).docker('ps', '--all', *shown) or 'none'}"

    def _engine(self, prefix: str) -> Engine:
        return Engine(self.state / "engine", prefix)
