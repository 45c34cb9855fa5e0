"""pytest many times, imported once: a process that has imported all that a drill needs, and forks for each run.

A small drill takes 1.8 s of a processor, and a quarter of that is Python's imports of pytest and the engine. A fork has
them already. It is a process of its own like any other: its folder, environment, arguments and output are those of the
run, and it begins where `python -m MODULE` begins. What it imports is rewritten by pytest's own hook, as pytest does.

Its warm Ansible is a fork as well, where it can be one (`forked_ansible`).

The rule: a run whose start a test looks at is a real one.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import IO, Any, NoReturn

from tests.support import forked_ansible

NOT_IMPORTED = (
    "drillbook.__main__",  # runs when it is imported
    "drillbook.target.ansible.inside",  # of the process that has imported Ansible
    "drillbook.target.ansible.plugins",
    "drillbook.target.ansible.warm.",
    "drillbook.evidence.render.html",  # of the process that draws
    "drillbook.evidence.render.plots",
    "drillbook.evidence.sealing",  # where a session is signed
    "drillbook.evidence.verifying",
    "drillbook.evidence.store",
    "drillbook.evidence.gate",
    "drillbook.commands",
)
ALSO = (
    "drillbook.target.ansible.warm.client",
    "pytest_bdd",
    "testinfra",
    "httpx",
    "redis",
    "rich.console",
    "ansible_runner",
)
REWRITTEN = ("drillbook", "pytest_bdd", "testinfra")
FIRST = "drillbook.pytest_plugin.plugin"
"""Takes secrets out of the environment when it is imported."""
START = ("PYTHON", "LC_", "LANG", "COVERAGE_PROCESS")
"""Begins the names of the variables that an interpreter reads when it starts."""
AFTERWARDS = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"})
"""Those that a fork can still do: it takes the path, and the sitecustomize there."""


class Forked:
    """A run that goes on, as Popen shows one."""

    def __init__(self, words: Sequence[str], line: socket.socket, output: IO[str] | None) -> None:
        self.args = list(words)
        self.stdout = output
        self.returncode: int | Any = None  # as Popen says it
        self._line = line
        self.pid = int(_line(line))

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            with self._line:
                self.returncode = int(_line(self._line))
        return self.returncode

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """The rest of its output, to the end. Raises subprocess.TimeoutExpired."""
        assert self.stdout is not None
        read: list[str] = []
        reading = threading.Thread(target=lambda out: read.append(out.read()), args=(self.stdout,), daemon=True)
        reading.start()
        reading.join(timeout)
        if reading.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait()
        return read[0], None

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Zygote:
    """The process, begun when it is first asked for, with the test's own interpreter and environment."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._folder: Path | None = None
        self._lock = threading.Lock()

    @staticmethod
    def can(env: Mapping[str, str]) -> bool:
        """Whether a run with these variables would start as this process did."""
        names = {name for name in (*env, *os.environ) if name.startswith(START)} - AFTERWARDS
        return all(env.get(name) == os.environ.get(name) for name in names) and not any(
            name.startswith("COVERAGE_PROCESS") for name in names
        )

    def run(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], output: IO[bytes], deadline_s: float) -> int:
        """Run `python -m words...` to its end; its exit status, as Popen's. Raises subprocess.TimeoutExpired."""
        run = self._fork(words, cwd, env, output.fileno(), None)
        try:
            return run.wait(deadline_s)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            raise

    def start(self, words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Forked:
        """Start `python -m words...`; all of its output, a line at a time, is `stdout`."""
        ours, theirs = os.pipe()
        try:
            return self._fork(words, cwd, env, theirs, os.fdopen(ours, encoding="utf-8", buffering=1))
        finally:
            os.close(theirs)

    def _fork(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], output: int, read: IO[str] | None
    ) -> Forked:
        body = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            line = self._connected()
            socket.send_fds(line, [len(body).to_bytes(4, "big")], [output, theirs.fileno()])
            line.sendall(body)
        return Forked(words, ours, read)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            self._folder = Path(tempfile.mkdtemp(prefix="drillbook-zygote-"))
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(theirs.fileno()), str(self._folder)],
                    cwd=Path(__file__).parents[2],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env={name: value for name, value in os.environ.items() if name not in AFTERWARDS},
                )
            atexit.register(self.close)
        return self._socket

    def close(self) -> None:
        """End it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _line(connection: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\n"):
        more = connection.recv(1)
        if not more:
            raise EOFError("the process that forks has ended")
        said += more
    return said


def main(connection: socket.socket, folder: Path) -> None:
    """Import, then fork for each run that is asked for, until nobody can ask any more."""
    _import()
    ansible = forked_ansible.Forks(folder)
    gc.collect()
    gc.freeze()
    runs: dict[int, tuple[int, socket.socket]] = {}  # by the pidfd
    while True:
        for ready in select.select([connection.fileno(), *runs], [], [])[0]:
            if ready in runs:
                _tell_the_end(ready, *runs.pop(ready))
                continue
            length, files, _, _ = socket.recv_fds(connection, 4, 2)
            if not length:
                return
            asked: dict[str, Any] = json.loads(connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
            output, line = files[0], socket.socket(fileno=files[1])
            ansible.ready()
            pid = os.fork()
            if pid == 0:
                for other in (connection, line, *(of_run for _, of_run in runs.values())):
                    other.close()
                for end in runs:
                    os.close(end)
                forked_ansible.install(folder)
                _become(asked, output)
            os.close(output)
            runs[os.pidfd_open(pid)] = pid, line
            with suppress(BrokenPipeError):
                line.sendall(f"{pid}\n".encode())


def _tell_the_end(end: int, pid: int, line: socket.socket) -> None:
    os.close(end)
    _, status = os.waitpid(pid, 0)
    with line, suppress(BrokenPipeError):
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _import() -> None:
    # outside of a session: nothing but its hook is taken of pytest
    from _pytest.assertion import install_importhook
    from _pytest.config import get_config

    hook = install_importhook(get_config())
    hook.mark_rewrite(*REWRITTEN)
    for name in (*ALSO, "drillbook"):
        import_module(name)
    for found in walk_packages(sys.modules["drillbook"].__path__, "drillbook."):
        if not found.name.startswith(NOT_IMPORTED):
            import_module(found.name)
    sys.meta_path.remove(hook)


def _become(asked: Mapping[str, Any], output: int) -> NoReturn:
    """What `python -m MODULE ...` would be in this folder and environment, with all output in one file."""
    module, *rest = asked["words"]
    for name in [each for each in sys.modules if each == FIRST or each.split(".")[0] == "tests"]:
        del sys.modules[name]
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    tempfile.tempdir = None  # TMPDIR may be another
    time.tzset()
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    sys.argv = [module, *rest]
    sys.path[0] = asked["cwd"]
    sys.path[1:1] = [each for each in asked["env"].get("PYTHONPATH", "").split(os.pathsep) if each]
    status: object = 1
    try:
        _customize(sys.path[1])
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does: it is told, and is status 1
        sys.excepthook(*sys.exc_info())
    _end(status)


def _customize(folder: str) -> None:
    """As an interpreter does before anything else, where the first folder of PYTHONPATH has one."""
    if os.environ.get("PYTHONPATH", "").startswith(folder) and (Path(folder) / "sitecustomize.py").is_file():
        sys.modules.pop("sitecustomize", None)
        import_module("sitecustomize")


def _end(status: object) -> NoReturn:
    code = status if isinstance(status, int) else 0 if status is None else 1
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does at its end: threads come to theirs
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        main(asking, Path(sys.argv[2]))
