"""The connections to an inventory's hosts: those of checks, and the sockets that they share with Ansible's plays.

The rule: an ssh connection is made once and outlives a play. None outlives this object.
"""

from __future__ import annotations

import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import testinfra.host

from drillbook.target.inventory.hosts import look_at
from drillbook.target.inventory.settings import EMPTY
from drillbook.target.private_folders import PrivateFolder


class Connections:
    """Owns a private directory for the control sockets of ssh, and removes it when it is closed."""

    def __init__(self, options: Mapping[str, Mapping[str, Any]]) -> None:
        """`options` holds how Ansible connects to each host."""
        self._options = options
        self._looking: dict[tuple[str, float], testinfra.host.Host] = {}

    @property
    def su_asks(self) -> bool:
        """Whether `su` on every host asks for a password that nobody gives it."""
        return bool(self._options) and all(each.get("su_asks") for each in self._options.values())

    @cached_property
    def private_dir(self) -> Path:
        """A directory (0700) for the lifetime of this object."""
        long = len(tempfile.gettempdir()) > 20  # a socket's path has at most 107 bytes, and ssh adds 60 to this one
        directory = PrivateFolder("ssh", "/tmp" if long else None)
        weakref.finalize(self, _leave, directory)
        return directory.path

    @property
    def env(self) -> dict[str, str]:
        """Settings that make Ansible's ssh connections outlive a play, and end with this object."""
        return {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.private_dir / "cp")}

    def look_at(self, name: str, deadline_s: float) -> testinfra.host.Host:
        """testinfra's host for a host of the inventory.

        Each of its commands ends by the deadline, with CouldNotLookError.
        """
        if (name, deadline_s) not in self._looking:
            options = self._options.get(name, EMPTY)
            self._looking[name, deadline_s] = look_at(name, options, self.private_dir, deadline_s=deadline_s)
        return self._looking[name, deadline_s]


def _leave(directory: PrivateFolder) -> None:
    """End ssh's masters (they would stay for a minute after their last session) and remove their sockets."""
    for socket in (directory.path / "cp").glob("*"):
        with suppress(OSError, subprocess.SubprocessError):
            leave = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "-"]
            subprocess.run(leave, capture_output=True, timeout=5, check=False)
    directory.leave()
