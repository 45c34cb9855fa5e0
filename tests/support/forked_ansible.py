"""A warm Ansible many times, imported once: a process that has imported and prepared it, and forks a server a session.

The warm server of a small drill takes a third of the drill's CPU, and nearly all of that is the import of Ansible. A
fork has it already. It becomes the server by the server's own code, with the session's files, environment and folder.

The rule: a server is a fork only where a server of its own would have imported the very same. Ansible reads its
environment, its working directory and ansible.cfg while it is imported, so all of them have to be equal. Therefore the
small repository has the same path in each test, and its session the same private folder.

A session that is a fork of `zygote` asks for such a server. The first session starts a real one, and shows what it
imports Ansible with. A session with another environment starts a real one, too.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from unittest.mock import patch

SERVER = "drillbook.target.ansible.warm.server"
READY = b"ready\n"
FIRST = "first.zip"
"""The payload of a session's first module, from which its modules import what they share."""


class Asked:
    """What a session asks for: the arguments of Popen."""

    def __init__(self, words: Sequence[str], env: dict[str, str], cwd: str) -> None:
        self.words, self.env, self.cwd = list(words), env, cwd

    @property
    def variables(self) -> dict[bytes, bytes]:
        return {os.fsencode(name): os.fsencode(value) for name, value in self.env.items()}

    def as_bytes(self) -> bytes:
        return json.dumps({"words": self.words, "env": self.env, "cwd": self.cwd}).encode()

    @classmethod
    def of(cls, body: bytes) -> Asked:
        return cls(**json.loads(body))


# ---- the process of the zygote ----------------------------------------------------------------------------------


class Forks:
    """The process that has imported Ansible. It begins when a session has shown what Ansible is to be imported with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def ready(self) -> None:
        """Start it as soon as that is possible, and wait until it has imported Ansible. It ends with this process."""
        shown = self.folder / "shown"
        if self._process is not None or not shown.exists() or not (self.folder / FIRST).exists():
            return
        asked = Asked.of(shown.read_bytes())
        if not Path(asked.cwd).is_dir():  # this run is in another repository
            return
        room = asked.words[-1]
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(self.folder), room],
            cwd=asked.cwd,
            env=asked.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.read(len(READY))  # or it has ended: then each session starts a server of its own


# ---- the process of a session -----------------------------------------------------------------------------------


def install(folder: Path) -> None:
    """In the process of a session, before it has begun: its warm server is a fork where it can be one."""
    from drillbook.target.ansible.warm import client
    from drillbook.target.ansible.warm.agreed import MODULES
    from drillbook.target.private_folders import PrivateFolder

    class SamePlace(PrivateFolder):
        """The folder has the same path in each session, as long as there is one session at a time."""

        def __init__(self, kind: str) -> None:
            place = folder / f"drillbook.{kind}-ofmanyxx"
            try:
                place.mkdir(mode=0o700)
            except FileExistsError:
                super().__init__(kind)
                return
            self.path = place
            self._held = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._held, fcntl.LOCK_EX)

    close = client.Warm.close

    def keep_first(warm: client.Warm, **given: bool) -> None:
        with suppress(FileNotFoundError):
            shutil.copyfile(warm.folder / MODULES / FIRST, folder / FIRST)
        close(warm, **given)

    patch.object(client.Warm, "close", keep_first).start()
    patch.multiple(client, PrivateFolder=SamePlace, subprocess=_Subprocess(folder)).start()


class _Subprocess:
    """The module subprocess, but for the start of the warm server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, words: Sequence[str], **given: Any) -> Any:
        asked = Asked(words, given["env"], str(given["cwd"]))
        assert asked.words[3] == SERVER, asked.words
        forked = _fork(self._folder, asked, [*given["pass_fds"], given["stdout"].fileno()])
        if forked is not None:
            return forked
        shown = self._folder / "shown"
        if not shown.exists() and str(self._folder) in asked.env["ANSIBLE_CONFIG"]:  # no ansible.cfg of its own
            shown.write_bytes(asked.as_bytes())
        return subprocess.Popen(words, **given)


class _Forked:
    """A server that is no child of this process, as Popen shows one."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self._line = line  # as long as it is open the dead process keeps its id
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        return 0 if select.select([self._end], [], [], 0)[0] else None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._end, signal.SIGKILL)

    def wait(self) -> int:
        select.select([self._end], [], [])
        return 0


def _fork(folder: Path, asked: Asked, files: Sequence[int]) -> _Forked | None:
    line = socket.socket(socket.AF_UNIX)
    body = asked.as_bytes()
    try:
        line.connect(str(folder / "socket"))
        socket.send_fds(line, [len(body).to_bytes(4, "big")], files)
        line.sendall(body)
        pid = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
    except OSError:  # it is not there yet, or has ended
        pid = 0
    if not pid:
        line.close()
        return None
    return _Forked(pid, line)


# ---- the process that has imported Ansible ----------------------------------------------------------------------


class _Imported:
    """Ansible as plays import it, and as modules do. Both are taken out of this process' modules: what a server forks
    first has imported neither.
    """

    def __init__(self, first: Path, private: Path) -> None:
        from drillbook.target.ansible.warm import module, server
        from drillbook.target.ansible.warm.agreed import MODULES, own_environment

        self._server: Any = server
        self._shared = private / MODULES / FIRST
        self._shared.parent.mkdir()
        self._payload = first.read_bytes()
        self._modules = module.Modules(own_environment(), self._shared.parent)
        self._modules.import_shared(self._payload)
        self._of_modules = _taken_out(("ansible",))

        from drillbook.target.ansible.warm import payloads, play, preloaded
        from drillbook.target.ansible.warm.early import inventory

        kept = preloaded.prepare()
        patch.object(preloaded, "prepare", lambda: kept).start()
        keep = payloads.keep_payloads  # a session takes what the one before it packed: the key is of all that is packed
        patch.object(payloads, "keep_payloads", lambda _: keep(first.with_name("payloads"))).start()
        patch.object(play.Plays, "ahead", False).start()  # nobody waits for the start of a play: one fork less
        names = [each.__name__ for each in (payloads, play, preloaded, inventory)]
        self._of_plays = _taken_out(("ansible", *names))
        self._serve_modules, self._serve_plays = self._server._serve_modules, self._server._serve_plays
        patch.multiple(
            server,
            _serve_modules=self._modules_are_served,
            _serve_plays=self._plays_are_served,
            _is_child_of=_lives,
        ).start()

    def _modules_are_served(self, _modules: Any, given: Any) -> None:
        sys.modules.update(self._of_modules)
        self._shared.write_bytes(self._payload)
        self._serve_modules(self._modules, given)

    def _plays_are_served(self, *given: Any) -> None:
        sys.modules.update(self._of_plays)
        self._serve_plays(*given)

    def become(self, asked: Asked, files: Sequence[int]) -> None:
        *four, log = files
        words = [*map(str, four), *asked.words[8:-1]]
        for number in (1, 2):
            os.dup2(log, number)
        os.close(log)
        os.setsid()
        os.chdir(asked.cwd)
        self._server.begin(self._server.Given.of(words), _without_room(asked.variables))


def _taken_out(names: Sequence[str]) -> dict[str, ModuleType]:
    found = [each for each in sys.modules if each in names or each.startswith(tuple(f"{name}." for name in names))]
    return {name: sys.modules.pop(name) for name in found}


def _lives(pid: int) -> bool:
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([end], [], [], 0)[0]
    finally:
        os.close(end)


def _without_room(environment: dict[bytes, bytes]) -> dict[bytes, bytes]:
    from drillbook.target.ansible.warm.agreed import PAD

    return {name: value for name, value in environment.items() if name != os.fsencode(PAD)}


def main(folder: Path) -> None:
    from drillbook.target.ansible.warm.agreed import own_environment
    from drillbook.target.ansible.warm.request import Configuration

    own = Configuration.of(own_environment(), os.getcwdb())  # noqa: PTH109 - bytes, which is what a session sends
    private = Path(os.environ["ANSIBLE_CONFIG"]).parent
    private.mkdir(mode=0o700)
    (private / "ansible.cfg").touch(mode=0o600)
    warned = (folder / "warned").open("w+b")
    told = os.dup(2)
    os.dup2(warned.fileno(), 2)
    gc.disable()
    imported = _Imported(folder / FIRST, private)
    os.dup2(told, 2)
    if os.fstat(warned.fileno()).st_size:
        return  # a server would stay cold, and say so
    shutil.rmtree(private)
    os.chdir("/")
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(4)
        os.write(1, READY)
        devnull = os.open(os.devnull, os.O_RDWR)
        lifeline = os.dup(0)
        os.dup2(devnull, 0)
        _serve(listener, lifeline, own, imported)


def _serve(listener: socket.socket, lifeline: int, own: Any, imported: _Imported) -> None:
    from drillbook.target.ansible.warm.request import Configuration

    lines: dict[int, tuple[socket.socket, int]] = {}
    dead: set[int] = set()
    while True:
        asking = [listener.fileno(), lifeline, *lines]
        for ready in select.select(asking, [], [], 1.0 if dead else None)[0]:
            if ready == lifeline:
                return
            if ready in lines:
                line, pid = lines.pop(ready)
                line.close()
                dead.add(pid)
                continue
            line, _ = listener.accept()
            length, files, _, _ = socket.recv_fds(line, 4, 8)
            asked = Asked.of(line.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
            pid = 0
            if not own.differs(Configuration.of(_without_room(asked.variables), os.fsencode(asked.cwd))):
                pid = os.fork()
                if pid == 0:
                    for each in (listener, line, *(of_other for of_other, _ in lines.values())):
                        each.close()
                    os.close(lifeline)
                    _become(imported, asked, files)
            for file in files:
                os.close(file)
            line.sendall(pid.to_bytes(4, "big"))
            if pid:
                lines[line.fileno()] = line, pid
            else:
                line.close()
        dead = {pid for pid in dead if os.waitpid(pid, os.WNOHANG)[0] == 0}


def _become(imported: _Imported, asked: Asked, files: Sequence[int]) -> NoReturn:
    status = 1
    try:
        imported.become(asked, files)
        status = 0
    except BaseException:  # noqa: BLE001 - as the interpreter does: it is told, and is status 1
        sys.excepthook(*sys.exc_info())
    os._exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
