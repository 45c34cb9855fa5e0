"""A staging with a network of its own, as a whole: up and down. What it is made of, its subclasses say.

`up` returns only when a webhook went all the way through; if it fails, it leaves nothing. `down` leaves nothing, from
whatever state: `run.json` names all that is outside of the folder, and is written before anything outside is made.
"""

import shutil
import subprocess
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.hosts import kernel, rootfs
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.progress import Progress, silent

_STARTING = "starting.json"
"""The contract of a staging that is not ready yet."""


class Apart(ABC):
    """A staging in a folder of its own."""

    STAGING: ClassVar[str]
    """What `--staging` calls it."""
    PARTS: ClassVar[str]
    """What it consists of: "machines"."""
    READY: ClassVar[str]
    """The module that waits until its parts are ready."""
    OWN: ClassVar[Sequence[str]]
    """What it writes below its folder, besides `lab.json` and `run.json`."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()

    def up(self, progress: Progress = silent) -> dict[str, Any]:
        """Bring an empty lab up; returns the contract (lab.json).

        A lab that is up already stays as it is. Raises LabError.
        """
        if lacks := self._lacks():
            raise LabError(f"no {self.PARTS} can be made here; missing: {'; '.join(lacks)}")
        self.state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with folder.alone(self.state):
            run = folder.run(self.state)
            if (told := folder.contract(self.state)) is not None and run is not None and self._lives(run["id"]):
                progress("already up")
                return told
            self._take_down()
            lower = rootfs.build(progress)
            try:
                return self._bring_up(lower, progress)
            except BaseException:
                self._take_down()
                raise

    def down(self, progress: Progress = silent) -> None:
        """End all of it, and remove what was written. It is no error to find nothing."""
        if self.state.is_dir():
            with folder.alone(self.state):
                self._take_down()
                progress("down")

    def network(self) -> list[str]:
        """The prefix of a command that is to run in its network. Raises LabError."""
        run = folder.run(self.state)
        if run is None:
            start = f"drillbook lab up --staging {self.STAGING}"
            raise LabError(f"no {self.PARTS} are up in {self.state}; start them with: {start}")
        return self._network(run["id"])

    def _bring_up(self, lower: Path, progress: Progress) -> dict[str, Any]:
        prefix = f"drillbook-{uuid.uuid4().hex[:6]}"
        files.write_json(folder.run_file(self.state), {"id": prefix, "pid": 0, "created": 0})
        told = self._start(prefix, lower, progress)
        files.write_json(self.state / _STARTING, told)
        command = [*self._network(prefix), sys.executable, "-m", self.READY, str(self.state / _STARTING)]
        said = ""
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
            assert waiting.stdout is not None
            for line in waiting.stdout:
                said = line.strip()
                progress(said)
        if waiting.returncode:
            raise LabError(f"the {self.PARTS} are not ready: {said}; {self._why(prefix)}")
        (self.state / _STARTING).replace(folder.contract_file(self.state))
        return told

    def _take_down(self) -> None:
        folder.contract_file(self.state).unlink(missing_ok=True)
        run = folder.run(self.state)
        if run is not None:
            kernel.end(run["id"], self._networks(run["id"]))
        for name in (*self.OWN, _STARTING, folder.run_file(self.state).name):
            path = self.state / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @abstractmethod
    def _lacks(self) -> list[str]:
        """What it needs and this machine lacks."""

    @abstractmethod
    def _start(self, prefix: str, lower: Path, progress: Progress) -> dict[str, Any]:
        """Start all of it on the root file system `lower`, under the name `prefix`; returns the contract."""

    @abstractmethod
    def _lives(self, prefix: str) -> bool: ...

    @abstractmethod
    def _network(self, prefix: str) -> list[str]: ...

    @abstractmethod
    def _networks(self, prefix: str) -> list[str]:
        """The names of its network namespaces."""

    @abstractmethod
    def _why(self, prefix: str) -> str:
        """Where, or what, to read when its parts do not become ready."""
