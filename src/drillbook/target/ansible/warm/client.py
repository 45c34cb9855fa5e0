"""The warm server of a pytest session: it starts in the background, serves run after run, and ends with the session.

The rule: no run waits for a missing server, or fails by it. Without a server runs are cold, and the session says so
once.
"""

from __future__ import annotations

import os
import select
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from drillbook.errors import DrillbookError
from drillbook.target.ansible.environment import callbacks, command_of, environment, interpreter
from drillbook.target.ansible.warm.agreed import MODULES, PYTHON, RESOLVE, room
from drillbook.target.ansible.warm.early.answer import Early
from drillbook.target.private_folders import PrivateFolder

TESTED = ("2.19",)
"""Tested versions of ansible-core.

A warm play depends on Ansible's internal Python, which may change with any version.
"""
_END_S = 5.0
_SHIM = Path(__file__).parent / "shim.py"


def why_not(ansible_core: str, platform: str = sys.platform) -> str:
    """Why this platform and this ansible-core cannot run warm playbooks; empty when they can."""
    if platform != "linux" or not hasattr(os, "pidfd_open"):
        return "they are for Linux only"
    if ".".join(ansible_core.split(".")[:2]) not in TESTED:
        return f"they were tested with ansible-core {', '.join(TESTED)}, and this is {ansible_core}"
    return ""


class Warm:
    """The server of one session, or the reason why there is none."""

    def __init__(
        self,
        root: Path,
        pass_env: tuple[str, ...],
        program: Path,
        say: Callable[[str], None],
        inventory: Path | None = None,
    ) -> None:
        """Starts the server of a repository without waiting for it.

        `say` is called once with why runs are cold, and once with why modules are. The server resolves `inventory` as
        soon as it can.
        """
        self.early = Early(root, inventory, pass_env)
        self._private = PrivateFolder("warm")
        self.folder = self._private.path
        self._socket = self.folder / "socket"
        self._say = say
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None
        self._why = why_not(version("ansible-core"))
        if not self._why:
            try:
                self._start(root, pass_env, program)
                _try(self.folder / "try")  # the server goes on meanwhile
            except _NotRunError as error:
                self._give_up(str(error))
            except (OSError, DrillbookError) as error:  # each run reports what is wrong with ansible.cfg
                self._give_up(f"the server cannot be started ({error})")

    def _start(self, root: Path, pass_env: tuple[str, ...], program: Path) -> None:
        padding, padded = room()
        variables = environment(root, self.folder, pass_env)
        answer = self.early.expect(variables)
        variables |= padded
        # As ansible-runner sets them for each run. With other values the first run would be cold and say so.
        variables |= {
            "ANSIBLE_CALLBACK_PLUGINS": callbacks(_of_runner()),
            "ANSIBLE_STDOUT_CALLBACK": "awx_display",
            "RUNNER_OMIT_EVENTS": "False",
            "RUNNER_ONLY_FAILED_EVENTS": "False",
        }
        lifeline, self._lifeline = os.pipe()
        python = interpreter(program)
        modules = self.folder / MODULES
        modules.mkdir(mode=0o700)
        (self.folder / RESOLVE).mkdir(mode=0o700)
        with (
            _listening(self._socket) as listener,
            _listening(modules / "socket") as of_modules,
            answer,
            (self.folder / "log").open("wb") as log,
        ):
            through = [python, "-IS", str(_SHIM), str(modules / "socket"), python]
            (modules / PYTHON).write_text(f'#!/bin/sh\nexec {shlex.join(through)} "$@"\n', encoding="utf-8")
            (modules / PYTHON).chmod(0o700)
            files = [listener.fileno(), of_modules.fileno(), answer.fileno(), lifeline]
            asked = (*files, os.getpid(), program, self.folder, self.early.inventory or "")
            command = [python, "-P", "-m", f"{__package__}.server"]
            try:
                self._server = subprocess.Popen(
                    [*command, *map(str, asked), *padding],
                    cwd=root,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=files,
                    start_new_session=True,
                )
            finally:
                os.close(lifeline)

    def _give_up(self, why: str) -> None:
        """Have no server, as if none had been started."""
        self._why = why
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
        self.early.close()

    @property
    def server(self) -> int | None:
        """The id of the server's process."""
        return None if self._server is None else self._server.pid

    def command(self, program: Path) -> list[str]:
        """The program that ansible-runner starts as its ansible-playbook."""
        if self._server is None or self._server.poll() is not None:
            return command_of(program)
        return [interpreter(program), "-IS", str(_SHIM), str(self._socket), str(program)]

    def ran(self, mark: str) -> bool:
        """Whether the run with this mark was a fork of the server. The server's own note says so."""
        try:
            return mark in (self.folder / "ran").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return False

    def inventory(self, path: Path, root: Path, pass_env: tuple[str, ...]) -> dict[str, Any] | None:
        """What a cold run would write about the inventory (absolute); None when only a cold run can say.

        Waits for it.
        """
        return self.early.take(path, root, pass_env, self.folder)

    def report(self) -> None:
        """Say why a run or its modules were cold, once for each. Call it after each run."""
        why = self._why_cold()
        if why:
            self._tell("playbooks start a cold Ansible", f"{why}{self._last_words()}")
        elif self._modules_have_ended():
            self._tell("modules start a Python each", "their server has ended")

    def _why_cold(self) -> str:
        if self._why:
            return self._why
        with suppress(OSError, IndexError):
            return (self.folder / "cold").read_text(encoding="utf-8", errors="replace").splitlines()[0]
        ended = self._server is not None and self._server.poll() is not None
        return "the warm server has ended" if ended else ""

    def _modules_have_ended(self) -> bool:
        """Whether nobody listens at the module server's socket.

        That server is no child, so nobody tells this process of its end.
        """
        with socket.socket(socket.AF_UNIX) as asking:
            asking.setblocking(False)  # one that hangs is not waited for
            try:
                asking.connect(str(self.folder / MODULES / "socket"))
            except ConnectionRefusedError:
                return True
            except OSError:
                return False  # it is busy, or the session is closing
        return False

    def _tell(self, what: str, why: str) -> None:
        with self._lock:
            if what in self._told:
                return
            self._told.add(what)
        self._say(f"{what}: {why}")

    def _last_words(self) -> str:
        """What the server printed before it ended. Ansible would have printed it in each run."""
        if self._server is None or self._server.poll() is None:
            return ""
        try:
            lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last}" if last else ""

    def close(self, *, unused: bool = False) -> None:
        """End the server with all that it runs; at once when it was never used."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._server is not None and self._server.poll() is None:
            if unused or not _has_ended(self._server, _END_S):
                self._server.kill()
            self._server.wait()
        self.early.close()
        self._private.leave()


def _has_ended(child: subprocess.Popen[bytes], within_s: float) -> bool:
    """Wait for the end itself. `Popen.wait` with a time-out polls for it, up to 50 ms late."""
    end = os.pidfd_open(child.pid)
    try:
        return bool(select.select([end], [], [], within_s)[0])
    finally:
        os.close(end)


class _NotRunError(Exception):
    """Programs in the folder of the session cannot run."""


def _try(script: Path) -> None:
    """Run a script in the folder of the modules: if none can run there, each local task would fail.

    Raises _NotRunError.
    """
    # a new file, never an existing one: if that were a link, its target would get this mode
    with os.fdopen(os.open(script, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o700), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 0\n")
    try:
        done = subprocess.run([script], stdin=subprocess.DEVNULL, capture_output=True, timeout=_END_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "strerror", None) or error
        raise _NotRunError(
            f"{script.parent.parent} lets no program be run ({why}): let TMPDIR name a folder that does"
        ) from None
    if done.returncode != 0:
        raise _NotRunError(f"a script in {script.parent.parent} ended with status {done.returncode}")


def _listening(path: Path) -> socket.socket:
    """Listen before there is a server, so that an early run waits and is not refused."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    return listener


def _of_runner() -> str:
    """The folder of ansible-runner's callback. Importing ansible-runner to ask it would delay the server by 0.1 s."""
    found = find_spec("ansible_runner")
    if found is None or found.origin is None:
        raise DrillbookError("ansible-runner is not installed")
    return str(Path(found.origin).absolute().parent / "display_callback" / "callback")
