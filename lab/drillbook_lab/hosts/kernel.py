"""What a staging has of the machine's kernel under its own name: cgroups and network namespaces. All of it can go.

The name is the staging's id. A process of the staging is one in a cgroup below that name, whatever it calls itself.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from drillbook_lab.base.errors import LabError
from drillbook_lab.base.poll import until

CGROUPS = Path("/sys/fs/cgroup")


def run(command: Sequence[str]) -> None:
    """Run a command; raises LabError with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {' '.join(done.stderr.split())}")


def processes(prefix: str, part: str = "") -> list[int]:
    """Ids of the processes of a staging, or of one part of it."""
    found: set[int] = set()
    for hierarchy in CGROUPS.iterdir():
        for path in (hierarchy / prefix / part).glob("**/cgroup.procs"):
            with suppress(OSError):  # it ends at this moment
                found.update(int(pid) for pid in path.read_text().split())
    return sorted(found)


def end(prefix: str, networks: Sequence[str]) -> None:
    """Kill every process of a staging, and remove its cgroups and its network namespaces.

    The staging's mounts are those of its processes' own mount namespaces, and go with the last of them.
    """
    until(lambda: not _killed(prefix), what=f"the processes of {prefix} to end", within_s=30, every_s=0.1)
    for path in sorted(CGROUPS.glob(f"*/{prefix}/**/"), reverse=True):
        path.rmdir()
    for name in networks:
        if Path("/run/netns", name).exists():
            run(["ip", "netns", "del", name])


def _killed(prefix: str) -> bool:
    """Kill what is left; returns whether there was anything."""
    left = processes(prefix)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(left)
