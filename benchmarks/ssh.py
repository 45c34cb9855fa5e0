"""A real sshd, to measure the cost of playbooks over ssh. It listens on loopback, has keys of its own, and leaves
nothing.
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from drillbook_lab.base.poll import until

HOST = "127.0.0.1"
_START_S = 10.0
_LINE = (
    "web-1 ansible_host={host} ansible_port={port} ansible_user={user} ansible_ssh_private_key_file={key} "
    "ansible_ssh_common_args='-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes' "
    "ansible_python_interpreter={python}\n"
)


def program() -> str | None:
    """The path of OpenSSH's server; None when it is not installed."""
    return shutil.which("sshd") or shutil.which("/usr/sbin/sshd")


@contextmanager
def server(folder: Path, sshd: str) -> Iterator[str]:
    """Run an sshd that lets the present user in with a key. Yields the line of an inventory that leads to it."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    port = _free_port()
    public = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[{HOST}]:{port} {public[0]} {public[1]}\n")
    # in the foreground, so that its pid is ours to end
    options = {
        "ListenAddress": f"{HOST}:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        # the key lies in the folder for temporary files, where everybody may write
        "StrictModes": "no",
        "Subsystem": "sftp internal-sftp",
    }
    # root's sshd gives up its rights in this folder. The package's service makes it at each start of the machine
    if Path("/run").is_dir() and not Path("/run/sshd").exists() and getpass.getuser() == "root":
        Path("/run/sshd").mkdir(mode=0o755)
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", "/dev/null", *words], stdout=log, stderr=log)
    try:
        until(lambda: _listens(port, process, folder / "sshd.log"), what="sshd to listen", within_s=_START_S)
        yield _LINE.format(
            host=HOST,
            port=port,
            user=getpass.getuser(),
            key=folder / "user",
            known=folder / "known",
            python=sys.executable,
        )
    finally:
        # a session outlives the listener that took it, as long as the client keeps its connection
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                each.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    return port


def _listens(port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise SystemExit(f"sshd ended with {process.returncode}: {log.read_text()[-500:]}")
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
