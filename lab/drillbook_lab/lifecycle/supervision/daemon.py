"""`python -m drillbook_lab.lifecycle.supervision.daemon -c CONF`: supervisord, which forks programs of the lab's own.

Each of them takes half a second of a processor to import its libraries, and a drill may start some of them five times.
So supervisord imports them once, and a program's process goes on from there (as a web server does that preloads its
application). All else is its own: its process group, files, environment, arguments, and what it reads when it starts.
Other programs are started as usual.
"""
# mypy: disable-error-code="no-untyped-call, misc, attr-defined"
# (supervisor is not typed)

import atexit
import ctypes
import gc
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import FileIO, TextIOWrapper
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NoReturn

from supervisor import supervisord
from supervisor.options import ServerOptions

PACKAGES = ("drillbook_lab.app", "drillbook_lab.listeners", "drillbook_lab.proxy", "drillbook_lab.web")
"""Their modules are imported at once, but for those that run when they are imported."""


class Forking(ServerOptions):
    """What supervisord asks of the system, with one change: a program of the lab's own is not executed anew."""

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> Any:
        if is_ours(argv):
            become(argv, env)
        return super().execve(filename, argv, env)


def is_ours(argv: Sequence[str]) -> bool:
    """Whether this is `python -P -m MODULE ...`, and the module is one of PACKAGES."""
    return list(argv[:3]) == [sys.executable, "-P", "-m"] and any(each.startswith(PACKAGES) for each in argv[3:4])


def preload() -> None:
    """Import what the programs import. The collector then leaves it alone, so that the forks share its memory."""
    for package in PACKAGES:
        for found in walk_packages(import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                import_module(found.name)
    gc.collect()
    gc.freeze()


def become(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Go on as an interpreter that was started with these arguments and this environment. Never returns.

    supervisord has forked, and has given this process its folder, its output and its process group.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = list(argv[3:])
    # written through: nothing is lost when the process is killed
    sys.stdout = sys.__stdout__ = text(1, "strict")
    sys.stderr = sys.__stderr__ = text(2, "backslashreplace")
    show(argv)
    status: object = 0
    try:
        runpy.run_module(argv[3], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does: it tells what was raised
        sys.excepthook(*sys.exc_info())
        status = 1
    end(status)


def text(number: int, errors: str) -> TextIOWrapper:
    """A stream to a file that is open already, which is written line by line."""
    return TextIOWrapper(FileIO(number, "w", closefd=False), encoding="utf-8", errors=errors, line_buffering=True)


def show(argv: Sequence[str]) -> None:
    """Let `ps` show the program's command in place of supervisord's, as far as there is room for it.

    The environment behind it is left as it is: the lab finds its processes by it.
    """
    # fields 48 and 49 of proc(5): where the command line begins and ends in memory
    first, last = (int(each) for each in Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
    room = last - first
    words = b"\0".join(os.fsencode(word) for word in argv)
    if len(words) >= room:
        words = b"\0".join(os.fsencode(word) for word in ("python", *argv[1:]))
    ctypes.memmove(first, words[: room - 1].ljust(room, b"\0"), room)


def end(status: object) -> NoReturn:
    """As an interpreter ends: it waits for the threads, and calls what is registered for the end."""
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit((status or 0) & 0xFF)


if __name__ == "__main__":
    preload()
    supervisord.ServerOptions = Forking
    supervisord.main()
