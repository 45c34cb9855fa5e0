"""A small disk of the database, without root: a tmpfs of a fixed size, in a mount namespace that one process holds.

Nobody else sees the mount. Others reach it through that process: the link `volume` leads to `/proc/PID/root/...`. If
the kernel allows no such namespace, there is no link, and whatever needs the disk says so.
"""

import os
import pwd

from drillbook_lab.lifecycle.parts.postgres import UNPRIVILEGED, Cluster

SIZE = "64m"
"""Room for the WAL of a busy lab, which is 1 MB at first. Only written pages take memory."""

# It first tries whether such a namespace is allowed. With or without one, the process lives as long as the lab.
_HOLD = """
rm -f "$2"
if unshare $3 true; then exec unshare $3 sh -c "$4" disk "$@"; fi
exec sleep infinity
"""
# Run by root, it mounts and then becomes the server's user, who may not pass through a process of root. Run by another
# user, it is root in a user namespace of its own.
_MOUNT = """
if mount -t tmpfs -o "size={size},mode=0700{owner}" drillbook "$1"; then ln -s "/proc/$$/root$1" "$2"; fi
exec {user} sleep infinity
"""


def command(cluster: Cluster) -> list[str]:
    """The process that holds the disk."""
    owner, user, namespace = "", "", "-Urm"
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(UNPRIVILEGED)
        owner = f",uid={nobody.pw_uid},gid={nobody.pw_gid}"
        user = f"setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups"
        namespace = "-m"
    mount = _MOUNT.format(size=SIZE, owner=owner, user=user)
    return ["sh", "-c", _HOLD, "disk", str(cluster.disk), str(cluster.volume), namespace, mount]
