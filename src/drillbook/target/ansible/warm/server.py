"""The warm server: imports Ansible once, forks one play per run, and ends with pytest, whatever ends pytest.

    python -P -m drillbook.target.ansible.warm.server \\
        LISTENER MODULES ANSWER LIFELINE PYTEST PROGRAM FOLDER INVENTORY PADDING

LISTENER, MODULES, ANSWER and LIFELINE are inherited file descriptors, PYTEST is the id of the parent. INVENTORY is
resolved first, in a fork, and sent to ANSWER (`early.inventory`); empty, it is not.

The rule: what runs a module may not be a process that has imported Ansible. So before the import a second server is
forked, which listens at MODULES and becomes the modules that the plays run on this machine (`module`).
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

from drillbook.target.ansible.warm.fork_server import Server
from drillbook.target.ansible.warm.module import Modules
from drillbook.target.ansible.warm.proc_title import own_environment
from drillbook.target.ansible.warm.request import MODULES, PYTHON, RESOLVE, Configuration

_INVENTORY_FIRST_S = 1.0
"""How long the inventory has the processor for itself: a drill waits for it, and not yet for a play."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the client has given on the command line."""

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
    given = Given.of(sys.argv[1:])
    environment = own_environment()
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
        with suppress(ProcessLookupError):  # pytest has ended already
            name, ran = "drillbook-warm-ansible", given.folder / "ran"
            server = Server(name, given.plays, lifeline=given.lifeline, owner=given.pytest, ran=ran)
            server.enders.add(second)
            if os.getppid() == given.pytest:
                _serve_plays(server, configuration, given)
    finally:
        if os.getppid() != given.pytest:  # else the client reads the log, and removes the folder
            shutil.rmtree(given.folder, ignore_errors=True)


def _serve_modules(modules: Modules, given: Given) -> NoReturn:
    """In a fork of the server of plays, with which it ends."""
    folder = given.folder / MODULES
    try:
        with (folder / "log").open("wb") as log:
            os.dup2(log.fileno(), 2)  # what stands in the other log speaks against all warm plays
        name, owner = "drillbook-warm-modules", os.getppid()
        Server(name, given.modules, lifeline=given.lifeline, owner=owner, ran=folder / "ran").serve(modules)
    except BaseException:  # noqa: BLE001 - the fork ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(0)


def _serve_plays(server: Server, configuration: Configuration, given: Given) -> None:
    """Import Ansible, resolve the inventory, prepare for plays, and serve them."""
    gc.disable()  # nothing that an import makes is garbage: collecting takes a sixth of the start
    resolver = None
    if given.inventory:
        resolver = _resolve(server, given)
    given.answer.close()
    # Ansible may be imported in this process only, and what plays need besides would keep the inventory waiting
    from drillbook.target.ansible.warm.payloads import keep_payloads, run_modules_with
    from drillbook.target.ansible.warm.play import Plays
    from drillbook.target.ansible.warm.preloaded import prepare

    try:
        if os.fstat(2).st_size:
            return  # it warned while it was imported, and would have to do so in each run: the client reads it
        kept = prepare()
        keep_payloads(given.folder / "payloads")
        run_modules_with(given.folder / MODULES / PYTHON)
        gc.collect()
        gc.freeze()
        gc.enable()
        server.serve(Plays(configuration))
        del kept
    finally:
        if resolver is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(resolver, signal.SIGKILL)


def _resolve(server: Server, given: Given) -> int | None:
    """Fork the one that resolves, and let it go first. Its pidfd; None where Ansible warned while it was imported."""
    # Ansible may be imported in this process only, after the fork of the other server
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
