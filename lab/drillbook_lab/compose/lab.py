"""The lab in containers as a whole: up and down.

`up` returns only when a webhook went all the way through; if it fails, it leaves nothing. `down` leaves nothing, from
whatever state: `run.json` names all that is outside of the folder, and is written before anything outside is made.
"""

import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.compose import content, images, needs
from drillbook_lab.compose.contract import contract
from drillbook_lab.compose.engine import Engine
from drillbook_lab.compose.layout import CONTAINERS
from drillbook_lab.hosts import kernel, rootfs
from drillbook_lab.hosts.content import OWNER
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.parts import history
from drillbook_lab.lifecycle.progress import Progress, silent

DISK_MB = 64
_OF_DRILLS = ("backups", "kept", "leak")
"""What drills write here, by `inventories/compose`."""
_STARTING = "starting.json"
"""The contract of containers that are not ready yet."""
_OWN = ("lab.json", _STARTING, "run.json", "git", "images", "engine", "project", "homes", "volume", *_OF_DRILLS)


class ComposeLab:
    """A lab of containers in a folder of its own, with an engine of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()

    def up(self, progress: Progress = silent) -> dict[str, Any]:
        """Bring an empty lab up; returns the contract (lab.json).

        A lab that is up already stays as it is. Raises LabError.
        """
        if lacks := needs.missing():
            raise LabError(f"no containers can be made here; missing: {'; '.join(lacks)}")
        self.state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with folder.alone(self.state):
            if (told := folder.contract(self.state)) is not None and self._lives():
                progress("already up")
                return told
            self._take_down()
            root = rootfs.build(progress) / "root"
            try:
                return self._bring_up(root, progress)
            except BaseException:
                self._take_down()
                raise

    def down(self, progress: Progress = silent) -> None:
        """End the engine with every container, and remove what was written. It is no error to find nothing."""
        if self.state.is_dir():
            with folder.alone(self.state):
                self._take_down()
                progress("down")

    def network(self) -> list[str]:
        """The prefix of a command that is to run in the network of the containers. Raises LabError."""
        run = folder.run(self.state)
        if run is None:
            raise LabError(f"no containers are up in {self.state}; start them with: drillbook lab up --staging compose")
        return Engine(self.state / "engine", run["id"]).network

    def _bring_up(self, root: Path, progress: Progress) -> dict[str, Any]:
        prefix = f"drillbook-{uuid.uuid4().hex[:6]}"
        files.write_json(folder.run_file(self.state), {"id": prefix, "pid": 0, "created": 0})
        plan = content.Plan(prefix, self.state)
        engine = plan.engine
        progress("starting a Docker engine")
        engine.start(DISK_MB, OWNER)
        commits = history.make(_made(self.state / "git") / "origin.git")
        progress("building the images")
        images.build(engine, root, commits, self.state / "images")
        content.lay_out(plan, commits)
        pid = (engine.folder / "pid").read_text().strip()
        # on the machine the disk is seen through the engine, which alone has it mounted
        plan.volume.symlink_to(f"/proc/{pid}/root{engine.disk}")
        progress(f"starting {len(CONTAINERS)} containers")
        engine.docker("compose", "--file", str(plan.file), "up", "--detach")
        told = contract(plan)
        files.write_json(self.state / _STARTING, told)
        self._wait(engine, progress)
        (self.state / _STARTING).replace(folder.contract_file(self.state))
        return told

    def _wait(self, engine: Engine, progress: Progress) -> None:
        """Wait until a webhook went through, seen from the network of the containers."""
        command = [sys.executable, "-m", "drillbook_lab.compose.ready", str(self.state / _STARTING)]
        said = ""
        with subprocess.Popen([*engine.network, *command], stdout=subprocess.PIPE, text=True) as waiting:
            assert waiting.stdout is not None
            for line in waiting.stdout:
                said = line.strip()
                progress(said)
        if waiting.returncode:
            ended = engine.docker("ps", "--all", "--filter", "status=exited", "--format", "{{.Names}} {{.Status}}")
            raise LabError(f"the containers are not ready: {said}; ended: {ended or 'none'}")

    def _lives(self) -> bool:
        run = folder.run(self.state)
        return run is not None and bool(kernel.processes(run["id"], "engine"))

    def _take_down(self) -> None:
        folder.contract_file(self.state).unlink(missing_ok=True)
        run = folder.run(self.state)
        if run is not None:
            kernel.end(run["id"], [run["id"]])
        for name in _OWN:
            path = self.state / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _made(path: Path) -> Path:
    path.mkdir(mode=0o700)
    return path
