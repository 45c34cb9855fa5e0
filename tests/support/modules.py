"""Ansible's modules, run in forks of one Python that has imported what they share.

A Python that imports this takes 0.4 s of a processor, the module itself some milliseconds. A fork has the part of
Ansible and of redis-py already, and nothing of the module: that and its module_utils are read anew in each run.
A play gives the same answers: tests/lab/test_bullmq_modules.py asks both.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


class ForkedModules:
    """The process that forks. It begins with the first module, and ends with `close`."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = dict(os.environ if env is None else env)
        self._asking: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, name: str, arguments: Mapping[str, object], *, deadline_s: float = 120) -> dict[str, Any]:
        """What the module answers. The test fails when the answer and the exit status do not say the same."""
        asking = self._started()
        asking.settimeout(deadline_s)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            body = json.dumps({"name": name, "arguments": dict(arguments)}).encode()
            socket.send_fds(asking, [len(body).to_bytes(4, "big")], [output.fileno(), errors.fileno()])
            asking.sendall(body)
            status = int.from_bytes(asking.recv(1), "big")
            output.seek(0)
            errors.seek(0)
            said, why = output.read().decode(), errors.read().decode()
        assert said, f"{name} ended with status {status} and no answer: {why}"
        answer: dict[str, Any] = json.loads(said)
        assert bool(answer.get("failed")) == (status != 0), f"{said}\n{why}"
        return {"changed": False, **answer}  # Ansible adds this to an answer without it

    def _started(self) -> socket.socket:
        if self._asking is None:
            self._asking, theirs = socket.socketpair()
            with theirs:
                command = [sys.executable, "-P", str(Path(__file__)), str(theirs.fileno())]
                self._process = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=self._env
                )
        return self._asking

    def close(self) -> None:
        """End the process that forks."""
        if self._asking is not None:
            self._asking.close()
            self._asking = None
        if self._process is not None:
            self._process.wait()
            self._process = None


def main(asking: socket.socket) -> None:
    """Import what modules share, then fork for each module that a test asks for, one after the other."""
    shared = import_module("ansible.module_utils")
    for name in ("ansible.module_utils.basic", "ansible.module_utils.testing", "redis"):
        import_module(name)
    shared.__path__.append(str(PLAYBOOKS / "module_utils"))
    while True:
        length, files, _, _ = socket.recv_fds(asking, 4, 2)
        if not length:
            return
        asked: dict[str, Any] = json.loads(asking.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
        pid = os.fork()
        if pid == 0:
            asking.close()
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
                os.close(file)
            _become(asked["name"], asked["arguments"])
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        asking.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))


def _become(name: str, arguments: Mapping[str, Any]) -> NoReturn:
    """Become the module. Ansible's own helper gives it its arguments without a play around it."""
    with_arguments = sys.modules["ansible.module_utils.testing"].patch_module_args
    status: object = 1
    try:
        with with_arguments(dict(arguments)):
            runpy.run_path(str(PLAYBOOKS / f"library/{name}.py"), run_name="__main__")
        status = 0
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does: it is told, and is status 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0 if status is None else 1)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        main(inherited)
