"""What the lab on machines needs from the machine that it runs on, and what of this is missing."""

import os
import shutil
from pathlib import Path

_COMMANDS = {
    "mmdebstrap": "mmdebstrap",
    "apt-get": "apt",
    "dpkg": "dpkg",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "git": "git",
}
"""Each command, and Debian's package of it."""


def missing() -> list[str]:
    """What is missing, each with what to do about it. The list is empty if machines can run here."""
    found = []
    if os.geteuid() != 0:
        found.append("root: it makes network namespaces and mounts")
    absent = sorted({package for command, package in _COMMANDS.items() if shutil.which(command) is None})
    if absent:
        found.append(f"{', '.join(absent)} (apt-get install {' '.join(absent)})")
    if not Path("/sys/fs/cgroup/systemd").is_dir():
        found.append("cgroup v1: machines with cgroup v2 alone are not handled yet")
    return found
