"""One lab of the fleet: an environment of its own, with its own name, lock and journal.

The rule: the lab goes down with the process that brought it up, however that ends, and leaves nothing in the
repository.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drillbook.commands.children import Children
from drillbook.errors import DrillbookError
from drillbook.model import paths

_LAB = (sys.executable, "-m", "drillbook.commands.cli", "lab")


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab of this name, with its files below `state`. The output of its commands goes into `log`."""

    name: str
    state: Path
    log: Path
    root: Path
    tell: Callable[[str], None]

    @property
    def env(self) -> Mapping[str, str]:
        """The variables by which its commands and drills find it."""
        return {"DRILLBOOK_LAB_STATE": str(self.state), "DRILLBOOK_LAB_NAME": self.name}

    @contextmanager
    def up(self, children: Children) -> Iterator[None]:
        """The lab is up during this. Raises DrillbookError when it does not come up, StoppedError."""
        try:
            if children.run([*_LAB, "up"], self.log, self.env) != 0:
                raise DrillbookError(f"the lab did not come up, see {self.log}")
            yield
        finally:
            self.take_down(children)

    def take_down(self, children: Children) -> None:
        """End all of it, and remove its files."""
        if children.run([*_LAB, "down"], self.log, self.env, at_the_end=True) != 0:
            self.tell(f"{self.name}: the lab did not go down, see {self.log}")
        else:
            self._forget()
        shutil.rmtree(self.state, ignore_errors=True)

    def _forget(self) -> None:
        """The environment is gone, with all that a fault left there: its lock and its journal are about nothing."""
        root, name = self.root, self.name
        for kept in (paths.lock(paths.kept(root), name), paths.journal(root, name), paths.guardian_log(root, name)):
            kept.unlink(missing_ok=True)

    def keep_logs(self) -> None:
        """Keep the logs of the lab's parts: they would go with the lab, and only they show what the parts did
        meanwhile.
        """
        logs, kept = self.state / "logs", paths.log(self.root, self.name)
        if logs.is_dir():
            shutil.copytree(logs, kept, dirs_exist_ok=True)
            self.tell(f"{self.name}: what its parts wrote is kept in {kept}")
