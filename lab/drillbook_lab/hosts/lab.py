"""The lab on machines as a whole: up, down, run, status.

`up` returns only when a webhook went all the way through; if it fails, it leaves nothing. `down` leaves nothing, from
whatever state: `run.json` names all that is outside of the folder, and is written before anything outside is made.
"""

import shutil
import subprocess
import sys
import uuid
from importlib import resources
from pathlib import Path
from typing import Any

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.hosts import content, kernel, needs, rootfs
from drillbook_lab.hosts.contract import contract
from drillbook_lab.hosts.layout import ADDRESSES, CONTROL, MACHINES
from drillbook_lab.lifecycle import state as folder
from drillbook_lab.lifecycle.progress import Progress, silent

DISK_MB, MEMORY_MB = 960, 512
_STARTING = "starting.json"
"""The contract of machines that are not ready yet."""
_OWN = ("lab.json", _STARTING, "run.json", "ssh", "git")


class HostsLab:
    """A lab of machines in a folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()

    def up(self, progress: Progress = silent) -> dict[str, Any]:
        """Bring an empty lab up; returns the contract (lab.json).

        A lab that is up already stays as it is. Raises LabError.
        """
        if lacks := needs.missing():
            raise LabError(f"no machines can be made here; missing: {'; '.join(lacks)}")
        self.state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with folder.alone(self.state):
            if (told := folder.contract(self.state)) is not None and self._lives():
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
        """End every machine and remove what was written; the machines' logs stay. It is no error to find nothing."""
        if self.state.is_dir():
            with folder.alone(self.state):
                self._take_down()
                progress("down")

    # -- up ----------------------------------------------------------------------------------------------------------

    def _bring_up(self, lower: Path, progress: Progress) -> dict[str, Any]:
        prefix = f"drillbook-{uuid.uuid4().hex[:6]}"
        files.write_json(folder.run_file(self.state), {"id": prefix, "pid": 0, "created": 0})
        plan = content.Plan(prefix, self.state)
        progress("writing what lies on the machines")
        content.lay_out(plan)
        _network(prefix)
        progress(f"starting {len(MACHINES)} machines")
        script = str(resources.files("drillbook_lab.hosts") / "machine.sh")
        for name, address in ADDRESSES.items():
            own = plan.of(name)
            wanted = [name, address, CONTROL, prefix, prefix, str(lower), str(own), str(DISK_MB), str(MEMORY_MB)]
            with (own.parent / "console.log").open("wb") as log:
                subprocess.Popen(
                    ["unshare", "--mount", "--", "sh", script, *wanted],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    umask=0o022,
                )
        told = contract(plan)
        files.write_json(self.state / _STARTING, told)
        self._wait(progress)
        (self.state / _STARTING).replace(folder.contract_file(self.state))
        return told

    def _wait(self, progress: Progress) -> None:
        """Wait until a webhook went through, seen from the network of the machines."""
        command = [sys.executable, "-m", "drillbook_lab.hosts.ready", str(self.state / _STARTING)]
        waiting = subprocess.Popen([*self.network(), *command], stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        said = ""
        for line in waiting.stdout:
            said = line.strip()
            progress(said)
        if waiting.wait():
            raise LabError(
                f"the machines are not ready: {said}; their consoles: {self.state / 'machines'}/*/console.log"
            )

    def network(self) -> list[str]:
        """The prefix of a command that is to run in the network of the machines. Raises LabError."""
        run = folder.run(self.state)
        if run is None:
            raise LabError(f"no machines are up in {self.state}; start them with: drillbook lab up --staging hosts")
        return ["nsenter", f"--net=/run/netns/{run['id']}"]

    def _lives(self) -> bool:
        run = folder.run(self.state)
        return run is not None and all(kernel.processes(run["id"], name) for name in MACHINES)

    # -- down --------------------------------------------------------------------------------------------------------

    def _take_down(self) -> None:
        folder.contract_file(self.state).unlink(missing_ok=True)
        run = folder.run(self.state)
        if run is not None:
            prefix = run["id"]
            kernel.end(prefix, [*(f"{prefix}-{machine}" for machine in MACHINES), prefix])
        for machine in (self.state / "machines").glob("*"):
            shutil.rmtree(machine / "files", ignore_errors=True)
            (machine / "disk.img").unlink(missing_ok=True)
        for name in _OWN:
            path = self.state / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _network(prefix: str) -> None:
    """Make a network namespace with a bridge for the drill, and one for each machine. No route leads out of them."""
    kernel.run(["ip", "netns", "add", prefix])
    for words in (
        ["link", "set", "lo", "up"],
        ["link", "add", "br0", "type", "bridge"],
        ["addr", "add", f"{CONTROL}/24", "dev", "br0"],
        ["link", "set", "br0", "up"],
    ):
        kernel.run(["ip", "-n", prefix, *words])
    for name in MACHINES:
        kernel.run(["ip", "netns", "add", f"{prefix}-{name}"])
