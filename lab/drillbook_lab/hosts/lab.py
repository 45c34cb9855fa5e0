"""The lab on machines as a whole."""

import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

from drillbook_lab.hosts import content, kernel, needs
from drillbook_lab.hosts.apart import Apart
from drillbook_lab.hosts.contract import contract
from drillbook_lab.hosts.layout import ADDRESSES, CONTROL, MACHINES
from drillbook_lab.lifecycle.progress import Progress

DISK_MB, MEMORY_MB = 960, 512


class HostsLab(Apart):
    """A lab of machines. Their consoles stay when it is taken down."""

    STAGING, PARTS, READY = "hosts", "machines", "drillbook_lab.hosts.ready"
    OWN = ("ssh", "git")

    def _lacks(self) -> list[str]:
        return needs.missing()

    def _start(self, prefix: str, lower: Path, progress: Progress) -> dict[str, Any]:
        plan = content.Plan(prefix, self.state)
        progress("writing what lies on the machines")
        content.lay_out(plan)
        _make_networks(prefix)
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
        return contract(plan)

    def _lives(self, prefix: str) -> bool:
        return all(kernel.processes(prefix, name) for name in MACHINES)

    def _network(self, prefix: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{prefix}"]

    def _networks(self, prefix: str) -> list[str]:
        return [*(f"{prefix}-{machine}" for machine in MACHINES), prefix]

    def _why(self, prefix: str) -> str:
        del prefix
        return f"their consoles: {self.state / 'machines'}/*/console.log"

    def _take_down(self) -> None:
        super()._take_down()
        for machine in (self.state / "machines").glob("*"):
            shutil.rmtree(machine / "files", ignore_errors=True)
            (machine / "disk.img").unlink(missing_ok=True)


def _make_networks(prefix: str) -> None:
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
