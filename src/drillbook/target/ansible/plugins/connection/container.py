# mypy: disable-error-code="import-untyped,misc"
# (ansible-core is not typed)
"""`ansible_connection: container`: tasks in a container, by the command line of Docker or Podman.

The rule: a container that does not run is unreachable, and never failed. The status of `exec` does not tell this: it is
1 for a container that is stopped, and for a command that says no. So after each status but 0, the engine is asked.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: container
short_description: Tasks in a container, by the command line of Docker or Podman
description:
  - Runs tasks in a container that runs. It needs no sshd and no collection.
  - The container needs a shell, and Python for modules.
  - A container that is stopped, paused or not there is unreachable.
version_added: "1.0"
author: Drillbook
options:
  remote_addr:
    description: Name or id of the container.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  remote_user:
    description: User in the container, by name or id; that of its image, if there is none.
    type: str
    vars:
      - name: ansible_user
  engine:
    description: The command of the engine.
    type: str
    choices: [docker, podman]
    default: docker
    vars:
      - name: ansible_container_engine
  engine_url:
    description:
      - Where the engine listens, as in C(unix:///run/docker.sock) or C(ssh://deploy@host).
      - The command's own default, if it is not set.
    type: str
    vars:
      - name: ansible_container_engine_url
"""
_ADDRESS = {"docker": ("--host",), "podman": ("--remote", "--url")}
_RUNS = "{{.State.Running}} {{.State.Paused}}"


class Connection(ConnectionBase):
    """A way into one container."""

    transport = "container"
    has_pipelining = True

    def _connect(self) -> Connection:
        """Nothing is kept between two commands."""
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = self._exec(["/bin/sh", "-c", cmd], input=in_data or b"", stdout=subprocess.PIPE)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        with ExitStack() as opened:
            source = opened.enter_context(open(to_bytes(in_path), "rb"))  # noqa: PTH123 - a path in bytes
            done = self._exec(
                ["/bin/sh", "-c", f"cat > {shlex.quote(out_path)}"], stdin=source, stdout=subprocess.DEVNULL
            )
        self._refuse(done, f"cannot write {out_path}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        with ExitStack() as opened:
            to = opened.enter_context(open(to_bytes(out_path), "wb"))  # noqa: PTH123 - a path in bytes
            done = self._exec(["/bin/sh", "-c", f"cat {shlex.quote(in_path)}"], stdin=subprocess.DEVNULL, stdout=to)
        self._refuse(done, f"cannot read {in_path}")

    def close(self) -> None:
        self._connected = False

    @property
    def _container(self) -> str:
        return str(self.get_option("remote_addr"))

    def _exec(self, argv: Sequence[str], **streams: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the container. Raises AnsibleConnectionFailure when the container does not run."""
        user = self.get_option("remote_user")
        words = ["exec", "--interactive", *(("--user", str(user)) if user else ()), self._container, *argv]
        done = self._engine(words, **streams)
        if done.returncode:
            asked = self._engine(["inspect", "--format", _RUNS, self._container], input=b"", stdout=subprocess.PIPE)
            if asked.stdout.split() != [b"true", b"false"]:
                said = " ".join(to_text(done.stderr or asked.stderr).split())
                raise AnsibleConnectionFailure(f"the container {self._container} does not run: {said}")
        return done

    def _engine(self, words: Sequence[str], **streams: Any) -> subprocess.CompletedProcess[bytes]:
        engine, url = self.get_option("engine"), self.get_option("engine_url")
        command = [engine, *((*_ADDRESS[engine], url) if url else ()), *words]
        try:
            return subprocess.run(
                [to_bytes(each) for each in command],
                stderr=subprocess.PIPE,
                check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                **streams,
            )
        except FileNotFoundError as error:
            raise AnsibleConnectionFailure(f"there is no command {engine} on this machine") from error

    def _refuse(self, done: subprocess.CompletedProcess[bytes], what: str) -> None:
        if done.returncode:
            said = " ".join(to_text(done.stderr).split())
            raise AnsibleError(f"{what} in the container {self._container}: {said}")
