"""Looks at a host through testinfra, by the connection that the inventory names, with a deadline for each command.

The rule: a look never hangs, never asks, and never changes anything. An error on the way to the host (ssh, docker,
podman, sudo) never counts as the command's own answer: behind each command a marker is printed with the command's
status. Without the marker the command did not run, and the check could not look.

testinfra's own Ansible backend is not used: it has no deadline, it caches a failed look-up as "no hosts", it templates
no variable, it puts ssh passwords on a command line, and its `host.ansible(...)` would let a step change the target
behind the back of the playbooks.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import testinfra.host
from testinfra.backend.base import BaseBackend, CommandResult, HostSpec
from testinfra.backend.docker import DockerBackend
from testinfra.backend.local import LocalBackend
from testinfra.backend.podman import PodmanBackend
from testinfra.backend.ssh import SshBackend

from drillbook.errors import CouldNotLookError, InventoryError
from drillbook.target.ansible.truth import boolean
from drillbook.target.inventory.settings import EMPTY
from drillbook.target.inventory.shells import Shell

_CONNECTIONS = {
    "local": "local",
    "ssh": "ssh",
    "smart": "ssh",
    "paramiko": "ssh",
    "paramiko_ssh": "ssh",
    "docker": "docker",
    "docker_api": "docker",
    "podman": "podman",
    "container": "container",
}
_ENGINE_URL = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}
"""The variable that tells an engine's command where the engine listens."""
_MARKED = "/bin/sh -c {command}; status=$?; printf %s:%s: {marker} $status >&2; exit $status"


def look_at(name: str, connection: Mapping[str, Any], private_dir: Path, *, deadline_s: float) -> testinfra.host.Host:
    """A testinfra host for an inventory host, with the options by which Ansible would connect to it."""
    logging.getLogger("testinfra").setLevel(logging.INFO)  # at DEBUG it logs every command and its output, secrets too
    plugin = str(connection.get("connection", "ssh"))
    kind = _CONNECTIONS.get(plugin.rpartition(".")[2])
    if kind is None:
        msg = f'Checks cannot look at {name} over the connection "{plugin}": use one of {", ".join(_CONNECTIONS)}.'
        raise InventoryError(msg)
    become: dict[str, Any] = {}
    if boolean(connection.get("become")):
        become = {"sudo": True, "sudo_user": connection.get("become_user") or "root"}
    backend: _Deadline
    if kind == "local":
        backend = _Local(**become)
    elif kind == "ssh":
        backend = _ssh(name, connection, private_dir, become)
    else:
        engine = str(connection.get("engine", "docker")) if kind == "container" else kind
        container, user = connection.get("remote_addr") or name, connection.get("remote_user")
        backend = (_Docker if engine == "docker" else _Podman)(f"{user}@{container}" if user else container, **become)
        if url := connection.get("engine_url"):
            backend.environment = {_ENGINE_URL[engine]: str(url)}
    backend.asked = name
    backend.deadline_s = deadline_s
    host = testinfra.host.Host(backend)
    backend.set_host(host)
    return host


def _ssh(name: str, connection: Mapping[str, Any], private_dir: Path, become: Mapping[str, Any]) -> _Ssh:
    sockets = private_dir / "cp"
    sockets.mkdir(mode=0o700, exist_ok=True)
    options = [connection.get(option) or "" for option in ("ssh_args", "ssh_common_args", "ssh_extra_args")]
    # Never ask: a check that waits for an answer looks like a system that does not answer.
    options.append("-o NumberOfPasswordPrompts=1" if connection.get("password") else "-o BatchMode=yes")
    if boolean(connection.get("host_key_checking", True)) is False:
        options.append("-o StrictHostKeyChecking=no")
    backend = _Ssh(
        "",
        ssh_identity_file=connection.get("private_key_file"),
        ssh_extra_args=" ".join(filter(None, options)),
        controlpath=shlex.quote(f"{sockets}/%%C"),  # without it, ControlPersist does nothing: 240 ms a command, not 120
        **become,
    )
    backend.host = HostSpec(
        str(connection.get("host") or name),
        str(connection["port"]) if connection.get("port") else None,
        connection.get("remote_user"),
        None,
    )
    backend.hostname = backend.host.name
    backend.password = connection.get("password")
    return backend


class _Deadline(BaseBackend):
    """A testinfra backend that ends every command in time, and says itself how the command ended."""

    asked = ""
    """The host's name in the inventory."""
    deadline_s = 10.0
    password: str | None = None
    environment: Mapping[str, str] = EMPTY
    """Variables for the command that leads to the host."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._marker = f"drillbook-{secrets.token_hex(8)}"
        self._asking, self._through = "", ""

    def get_command(self, command: str, *args: str) -> str:
        """The command with its marker, as the user that it is to run as."""
        return super().get_command(self._marked(self.quote(command, *args)))

    def _marked(self, command: str) -> str:
        """The command with its marker.

        The marker stands innermost: within sudo, and within each sudo that a step asks for.
        """
        if self._marker in command:
            return command
        script = _MARKED.format(command=shlex.quote(command), marker=self._marker)
        return f"/bin/sh -c {shlex.quote(script)}"  # the login shell on the way may not know this syntax

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """The result of the command. Raises CouldNotLookError when it did not run, or took too long."""
        self._asking, self._through = self.quote(command, *args), ""
        result = super().run(command, *args, **kwargs)
        marked = re.search(rf"{self._marker}:(\d+):".encode(), result.stderr_bytes)
        if marked is None:
            said = " ".join(f"{result.stderr} {result.stdout}".split())
            raise CouldNotLookError(
                f"{self.asked} could not be reached over {self.NAME}{self._through} (status {result.rc}): {said}"
            )
        stderr = result.stderr_bytes[: marked.start()] + result.stderr_bytes[marked.end() :]
        return self.result(int(marked[1]), self._asking.encode(), result.stdout_bytes, stderr)

    def get_sudo_command(self, command: str, sudo_user: str | None) -> str:
        # -n: a sudo that asks for a password would wait for a terminal that nobody sits at
        user = "" if sudo_user is None else f" -u {shlex.quote(sudo_user)}"
        self._through = " through sudo"
        return f"sudo -n{user} /bin/sh -c {shlex.quote(self._marked(command))}"

    def run_local(self, command: str, *args: str) -> CommandResult:
        command = self.quote(command, *args)
        with subprocess.Popen(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._variables(),
            start_new_session=True,  # no terminal to ask on, and one group to end
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=self.deadline_s)
            except subprocess.TimeoutExpired as error:
                raise self._late() from error
            finally:
                if process.poll() is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        return self.result(process.returncode, command.encode(), stdout, stderr)

    def _variables(self) -> Mapping[str, str]:
        return {**os.environ, **self.environment, **({"SSHPASS": self.password} if self.password else {})}

    def _late(self) -> CouldNotLookError:
        return CouldNotLookError(
            f"{self.asked} did not answer within {self.deadline_s:g} seconds: {_short(self._asking)}"
        )


class _Local(_Deadline, LocalBackend):
    pass


class _Docker(_Deadline, DockerBackend):
    pass


class _Podman(_Deadline, PodmanBackend):
    pass


class _Ssh(_Deadline, SshBackend):
    """All commands run in one shell on the host, because a login takes longer than most of them."""

    _shell: Shell | None = None

    def _build_ssh_command(self, command: str) -> tuple[list[str], list[str]]:
        words, values = super()._build_ssh_command(command)
        return (["sshpass", "-e", *words], values) if self.password else (words, values)  # -e: not on a command line

    def run_ssh(self, command: str) -> CommandResult:
        if self._shell is None:
            words, values = self._build_ssh_command("exec /bin/sh")
            self._shell = Shell(self.quote(" ".join(words), *values), self._variables())
        try:
            ended = self._shell.run(command, self.deadline_s)
        except subprocess.TimeoutExpired as error:
            raise self._late() from error
        # 255 may be ssh's status or the command's: the marker tells
        return self.result(ended.status, command.encode(), ended.stdout, ended.stderr)


def _short(command: str) -> str:
    return command if len(command) <= 200 else f"{command[:200]}..."
