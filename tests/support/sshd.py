"""A real sshd on loopback, for tests with hosts that are reached as a user's hosts are.

The rule: it shares nothing with anybody. It runs as the user who runs the tests. Its keys, its log and its known hosts
lie in one folder, and it ends with the test.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.unit import free_port, until

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
"""Debian installs it in a folder that only root's PATH has."""
NEEDS_SSHD = pytest.mark.skipif(SSHD is None, reason="sshd is not installed (apt-get install openssh-server)")
_SEPARATION = Path("/run/sshd")
"""Without this empty folder root's sshd does not start. Debian's service makes it."""


class Sshd:
    """The server. A test may call `start` and `stop` several times. Each session runs `command`."""

    def __init__(self, folder: Path, command: str | None = None) -> None:
        self._folder, self._command = folder, command
        self.port = free_port()
        self.key = folder / "user-key"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)
        for name in ("host-key", "user-key"):
            made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
        kind, key, *_ = (folder / "host-key.pub").read_text().split()
        self.known = folder / "known-hosts"
        self.known.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def inventory(self) -> dict[str, object]:
        """The variables of a host that is reached through this server."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.key),
            # a connection that ssh keeps would outlive the server, and its path would be too long
            "ansible_ssh_args": f"-F none -o UserKnownHostsFile={self.known} -o ControlMaster=no",
            # where terminals do not have the group tty from the start, only root's sshd can give one to its user
            "ansible_ssh_use_tty": os.geteuid() == 0,
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        assert SSHD is not None
        if os.geteuid() == 0:
            _SEPARATION.mkdir(mode=0o755, exist_ok=True)
        conf = self._folder / "sshd.conf"
        lines = [
            "ListenAddress 127.0.0.1",
            f"Port {self.port}",
            f"HostKey {self._folder / 'host-key'}",
            f"AuthorizedKeysFile {self._folder / 'user-key.pub'}",
            "StrictModes no",  # others may be able to write to a test's folder
            "PidFile none",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "Subsystem sftp internal-sftp",
            *([f"ForceCommand {self._command}"] if self._command else []),
        ]
        conf.write_text("\n".join(lines) + "\n")
        command = [SSHD, "-D", "-e", "-f", str(conf)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._listens)

    def _listens(self) -> bool:
        return f"Server listening on 127.0.0.1 port {self.port}" in (self._folder / "log").read_text()

    def stop(self) -> None:
        """Stop listening. The sessions that the server has go on."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
            (self._folder / "log").write_bytes(b"")


@contextmanager
def sshd(folder: Path, command: str | None = None) -> Iterator[Sshd]:
    """Run a server, and stop it at the end."""
    server = Sshd(folder, command)
    try:
        server.start()
        yield server
    finally:
        server.stop()
