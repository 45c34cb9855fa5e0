"""The warm server: it imports Ansible once, forks one play per run, and ends with pytest, whatever ends pytest.

python -P -m drillbook.target.ansible.warm.server \\
        LISTENER MODULES ANSWER LIFELINE PYTEST PROGRAM FOLDER INVENTORY PADDING

LISTENER, MODULES, ANSWER and LIFELINE are inherited file descriptors; PYTEST is the id of the parent. The server first
resolves INVENTORY in a fork and sends the result to ANSWER (`early.inventory`), unless INVENTORY is empty.

The rule: the process that runs a module must not have imported Ansible. So before the import the server forks a second
one. It listens at MODULES and becomes the modules that the plays run on this machine (`module`).
"""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from drillbook.target.ansible.warm.agreed import MODULES, PYTHON, RESOLVE, own_environment
from drillbook.target.ansible.warm.early.left_out import left_out, put_in
from drillbook.target.ansible.warm.fork_server import Server
from drillbook.target.ansible.warm.module import Modules
from drillbook.target.ansible.warm.request import Configuration

_INVENTORY_FIRST_S = 1.0
"""How long the inventory has the processor for itself: a drill waits for the inventory first, and for a play later."""


@dataclass(frozen=True, slots=True)
class Given:
    """The client's arguments on the command line."""

    plays: socket.socket
    modules: socket.socket
    answer: socket.socket
    lifeline: int
    pytest: int
    program: str
    folder: Path
    inventory: str

    @classmethod
    def of(cls, words: list[str]) -> Given:
        plays, modules, answer = (socket.socket(fileno=int(word)) for word in words[:3])
        return cls(plays, modules, answer, int(words[3]), int(words[4]), words[5], Path(words[6]), words[7])


def main() -> None:
    begin(Given.of(sys.argv[1:]), own_environment())


def begin(given: Given, environment: dict[bytes, bytes]) -> None:
    """Be the server in this process, which has not imported Ansible, until the session ends."""
    os.environ.clear()
    os.environb.update(environment)
    sys.argv = [given.program]
    second = os.fork()
    if second == 0:
        given.plays.close()
        given.answer.close()
        _serve_modules(Modules(environment, given.folder / MODULES), given)
    given.modules.close()
    sys.path.insert(0, str(Path(given.program).parent))  # as for a script: -P has left it out
    configuration = Configuration.of(environment, os.getcwdb())  # noqa: PTH109 - bytes, which is what a shim sends
    try:
        with suppress(ProcessLookupError):  # pytest has already ended
            name, ran = "drillbook-warm-ansible", given.folder / "ran"
            server = Server(name, given.plays, lifeline=given.lifeline, owner=given.pytest, ran=ran)
            server.enders.add(second)
            if _is_child_of(given.pytest):
                _serve_plays(server, configuration, given)
    finally:
        if not _is_child_of(given.pytest):  # otherwise the client reads the log, and removes the folder
            shutil.rmtree(given.folder, ignore_errors=True)


def _is_child_of(pytest: int) -> bool:
    """Whether pytest lives."""
    return os.getppid() == pytest


def _serve_modules(modules: Modules, given: Given) -> NoReturn:
    """In a fork of the server of plays: serve modules until that server ends."""
    folder = given.folder / MODULES
    try:
        with (folder / "log").open("wb") as log:
            os.dup2(log.fileno(), 2)  # text in the other log would stop all warm plays
        name, owner = "drillbook-warm-modules", os.getppid()
        Server(name, given.modules, lifeline=given.lifeline, owner=owner, ran=folder / "ran").serve(modules)
    except BaseException:  # noqa: BLE001 - the fork ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(0)


def _serve_plays(server: Server, configuration: Configuration, given: Given) -> None:
    """Import Ansible, resolve the inventory, prepare for plays, and serve them."""
    gc.disable()  # nothing that an import makes is garbage, and collecting takes a sixth of the start
    resolver = None
    if given.inventory:
        resolver = _resolve(server, given)
    given.answer.close()
    put_in()
    # Only this process may import Ansible, and what plays need besides would delay the inventory
    from drillbook.target.ansible.warm import payloads, play, preloaded

    try:
        if os.fstat(2).st_size:
            return  # Ansible warned while it was imported, and would have to do so in each run: the client reads it
        kept = preloaded.prepare()
        payloads.keep_payloads(given.folder / "payloads")
        payloads.run_modules_with(given.folder / MODULES / PYTHON)
        gc.collect()
        gc.freeze()
        gc.enable()
        server.serve(play.Plays(configuration))
        del kept
    finally:
        if resolver is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(resolver, signal.SIGKILL)


def _resolve(server: Server, given: Given) -> int | None:
    """Fork the process that resolves, and let it go first.

    Returns its pidfd; None when Ansible warned while it was imported.
    """
    # Only this process may import Ansible, after the fork of the other server
    with left_out():
        from drillbook.target.ansible.warm.early.inventory import answer

    if os.fstat(2).st_size:
        return None
    pid = os.fork()
    if pid == 0:
        try:
            server.leave()
            answer(given.inventory, str(given.folder / RESOLVE), given.answer)
        finally:
            os._exit(1)
    given.answer.close()
    ended = os.pidfd_open(pid)
    select.select([ended], [], [], _INVENTORY_FIRST_S)
    return ended


if __name__ == "__main__":
    main()
