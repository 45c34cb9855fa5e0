"""A fork of a server becomes the requested program.

The rule: before any code of Ansible runs, the fork takes the run's own session, terminal, directory, environment and
signals, and gives up the server's.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import signal
import sys
import termios
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from drillbook.target.ansible.warm.proc_title import Memory
from drillbook.target.ansible.warm.request import Request

NOT_WARM = 70
"""The exit status of a run that never began (EX_SOFTWARE)."""


def take_over(request: Request, fds: list[int], memory: Memory) -> None:
    """Take over everything of the process but Ansible.

    The caller has blocked signals, and closes the server's things.
    """
    os.setsid()
    memory.name([os.fsencode(sys.executable), *request.arguments])
    memory.show(request.environment)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environb.update(request.environment)
    os.chdir(request.directory)
    os.umask(request.umask)
    sys.argv = [os.fsdecode(each) for each in request.arguments]
    if os.isatty(0):
        with contextlib.suppress(OSError):  # the shim was not the leader of the terminal's session
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if number in request.ignored:
            signal.signal(number, signal.SIG_IGN)
        elif signal.getsignal(number) is not signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def as_program(begin: Callable[[], None], main: Callable[[], None]) -> NoReturn:
    """Run the program, and end the process as the program would."""
    status = NOT_WARM
    try:
        begin()
        status = 0
        main()
    except SystemExit as error:
        status = _status(error.code)
    except BaseException:  # noqa: BLE001 - what comes up to here ends a program, with its traceback
        traceback.print_exc()
        status = status or 1
    finally:
        _end(status)


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _end(status: int) -> NoReturn:
    """End as an interpreter does: threads, exit handlers, output. It must not return into the server's code."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or 120  # Python prints this when it cannot flush its output
    finally:
        os._exit(status)
