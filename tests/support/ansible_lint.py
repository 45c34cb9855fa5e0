"""ansible-lint, whose syntax checks are forks of one Ansible: python -m tests.support.ansible_lint [ARGUMENTS].

ansible-lint starts `ansible-playbook --syntax-check` for each playbook, and most of what that takes is the import of
Ansible. A fork has imported it: the checks of this repository's playbooks take half of the CPU.

The rule: a check is a fork only where a process of its own would have imported the very same: Ansible reads its
environment and its working directory while it is imported. A check that does not come to its end has not passed.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

CHECK = ["ansible-playbook", "--syntax-check"]
DIED = 70
"""The status of a check that died before it gave one."""


class Checks:
    """Runs syntax checks as forks. `subprocess` runs everything else as it is."""

    def __init__(self) -> None:
        self._once = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._asking: socket.socket | None = None
        self._given: tuple[dict[str, str], str] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def run(self, command: list[str], *, env: dict[str, str] | None = None, **given: Any) -> Any:
        """Like subprocess.run."""
        if command[:2] != CHECK or env is None or not self._serves(dict(env), str(Path.cwd())):
            return subprocess.run(command, env=env, **given)  # noqa: PLW1510 - as it was asked for
        assert self._asking is not None
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            reading, writing = os.pipe()
            with os.fdopen(reading, "rb") as status:
                files = [out.fileno(), errors.fileno(), writing]
                socket.send_fds(self._asking, [json.dumps(command).encode()], files)
                os.close(writing)
                said = status.read()
            out.seek(0)
            errors.seek(0)
            texts = [each.read().decode() for each in (out, errors)]
        return subprocess.CompletedProcess(command, int(said or DIED), *texts)

    def _serves(self, env: dict[str, str], folder: str) -> bool:
        """Whether the process that forks has imported Ansible as a process with this environment would.

        The first call starts that process.
        """
        with self._once:
            if self._asking is None:
                self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self._given = env, folder
                words = [sys.executable, "-P", __file__, "--checks", str(theirs.fileno())]
                with theirs:
                    self._server = subprocess.Popen(
                        words, env=env, cwd=folder, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
                    )
        return self._given == (env, folder)

    def close(self) -> None:
        """End the process that forks."""
        if self._asking is not None:
            self._asking.close()
        if self._server is not None:
            self._server.wait()


def _serve(asked: socket.socket) -> None:
    """Import Ansible, then fork for each check that is asked for, until nobody can ask any more."""
    for name in ("ansible.cli.playbook", "ansible.executor.playbook_executor", "ansible.playbook"):
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        said, files, _, _ = socket.recv_fds(asked, 1 << 20, 3)
        if not said:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _check(json.loads(said), *files)
        for each in files:
            os.close(each)


def _check(words: list[str], out: int, errors: int, status: int) -> NoReturn:
    main = import_module("ansible.cli.playbook").main
    os.dup2(out, 1)
    os.dup2(errors, 2)
    sys.argv = words
    code: object = DIED
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(status, str(code if isinstance(code, int) else 0 if code is None else 1).encode())
        os._exit(0)


def main() -> None:
    """Run ansible-lint with these checks."""
    checks = Checks()
    atexit.register(checks.close)
    vars(import_module("ansiblelint.runner"))["subprocess"] = checks
    sys.argv[0] = "ansible-lint"
    runpy.run_module("ansiblelint", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--checks"]:
        with socket.socket(fileno=int(sys.argv[2])) as line:
            _serve(line)
    else:
        main()
