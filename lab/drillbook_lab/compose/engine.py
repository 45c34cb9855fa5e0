"""A Docker engine of the lab's own: below the lab's folder, in a network namespace of its own, and gone with `down`.

The command `docker` in its folder `bin` talks to this engine, and finds Compose as its plugin. No other command does.
"""

import os
import shlex
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import IO

from drillbook_lab.base import files
from drillbook_lab.base.errors import LabError
from drillbook_lab.base.poll import until
from drillbook_lab.compose import needs
from drillbook_lab.hosts import kernel

LONGEST_SOCKET = 107
"""Bytes of the path of a unix socket."""
START_WITHIN_S = 60.0


class Engine:
    """An engine with its folder. `prefix` names its network namespace, its cgroups and its mounts."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix

    @property
    def socket(self) -> Path:
        """Only root reaches it, because the lab's folder is closed to others."""
        return self.folder / "docker.sock"

    @property
    def bin(self) -> Path:
        """The folder with the command `docker` of this engine."""
        return self.folder / "bin"

    @property
    def disk(self) -> Path:
        """Where the small disk of the database is mounted, for the engine and its containers alone."""
        return self.folder / "disk"

    @property
    def network(self) -> list[str]:
        """The prefix of a command that is to run in the network of the containers, with their `docker` on its PATH."""
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        return ["nsenter", f"--net=/run/netns/{self.prefix}", "env", f"PATH={path}"]

    def start(self, disk_mb: int, owner: int) -> None:
        """Start it; returns when it answers. Raises LabError with the end of its log when it does not."""
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET:
            raise LabError(f"the path of {self.socket} is too long for a socket: use a shorter folder (--state)")
        for folder in (self.folder, self.disk, self.bin, self.folder / "docker" / "cli-plugins"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_json(self.folder / "daemon.json", {"log-level": "warn"})
        self._write_command()
        kernel.run(["ip", "netns", "add", self.prefix])
        kernel.run(["ip", "-n", self.prefix, "link", "set", "lo", "up"])
        script = str(resources.files("drillbook_lab.compose") / "engine.sh")
        wanted = [self.prefix, str(self.folder), str(disk_mb), str(owner), str(needs.command("dockerd"))]
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        with (self.folder / "dockerd.log").open("wb") as log:
            running = subprocess.Popen(
                ["unshare", "--mount", "--", "sh", script, *wanted],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": path, "HOME": str(self.folder)},
                start_new_session=True,
                umask=0o022,
            )

        def answers() -> bool:
            if running.poll() is not None:
                raise LabError(f"the Docker engine did not start: {self._last_words()}")
            return self._ran(["version", "--format", "{{.Server.Version}}"]).returncode == 0

        until(answers, what="the Docker engine", within_s=START_WITHIN_S, every_s=0.1)
        files.write(self.folder / "pid", f"{running.pid}\n")

    def docker(self, *words: str, stdin: int | IO[bytes] | None = subprocess.DEVNULL) -> str:
        """What a call of `docker` prints; raises LabError with what it said when it fails."""
        done = self._ran(words, stdin)
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())
            raise LabError(f"docker {' '.join(words[:2])}: {said[-600:]}")
        return done.stdout.strip()

    def _ran(
        self, words: Sequence[str], stdin: int | IO[bytes] | None = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        command = [str(self.bin / "docker"), *words]
        return subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)

    def _write_command(self) -> None:
        client = Path(str(needs.command("dockerd"))).with_name("docker")  # the engine's own, if there is one beside it
        named = str(client) if client.is_file() else str(needs.command("docker"))
        config = self.folder / "docker"
        plugin = config / "cli-plugins" / "docker-compose"
        plugin.unlink(missing_ok=True)
        plugin.symlink_to(str(needs.compose()))
        set_to = {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(config), "DOCKER_BUILDKIT": "0"}
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in set_to.items())
        command = self.bin / "docker"
        files.write(command, f'#!/bin/sh\n{words} exec {shlex.quote(named)} "$@"\n')
        command.chmod(0o700)

    def _last_words(self) -> str:
        lines = (self.folder / "dockerd.log").read_text(errors="replace").splitlines()
        return " ".join(lines[-3:])[-600:]
