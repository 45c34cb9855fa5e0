# mypy: disable-error-code="no-untyped-call,no-untyped-def,import-untyped"
# (ansible-core is not typed)
"""A fork of the server becomes the ansible-playbook that was asked for.

The rule: what a process has of its own (session, terminal, directory, environment, signals, temporary folder, ids) is
the play's before any code of Ansible runs; what the server had of it is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import secrets
import signal
import sys
import termios
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from drillbook.target.ansible.warm.proc_title import Memory
from drillbook.target.ansible.warm.request import Configuration, Request

NOT_WARM = 70
"""The exit status of a play that never began (EX_SOFTWARE)."""


def take_over(request: Request, fds: list[int], memory: Memory) -> None:
    """Everything of the process but Ansible. The caller has blocked signals, and closes what is the server's."""
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


class Plays:
    """What a play is of this process."""

    name = "drillbook-warm-ansible"
    ahead = True
    """Whether a fork waits for the next run, and has pages of its own by then: a play writes to 4000 of them."""
    ends_with_shim = False
    """Whether it is killed when its shim is; a play is needed alive, to find what belongs to it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def why_cold(self, request: Request) -> str:
        """Why a run cannot be a fork of this process; empty when it can."""
        return self._configuration.differs(Configuration.of(request.environment, request.directory))

    def begin(self) -> None:
        """In a fork that has taken over what is the run's."""
        _renew()

    def run(self) -> None:
        """ansible-playbook, with the arguments in sys.argv."""
        from ansible.cli.playbook import main

        main()


def as_program(begin: Callable[[], None], main: Callable[[], None]) -> NoReturn:
    """Run it, and end the process as the program would."""
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


def _renew() -> None:
    """What Ansible gives itself while it is imported, and each process has of its own."""
    from ansible import constants
    from ansible.config.manager import ensure_type
    from ansible.utils import vars as names
    from ansible.utils.display import Display
    from ansible.utils.path import cleanup_tmp_file

    # else ids of tasks repeat from run to run
    names.cur_id = 0
    names.random_int = f"{secrets.randbelow(2**32):08x}"
    # else runs share a folder, and the first that ends removes it
    atexit.unregister(cleanup_tmp_file)
    folder = ensure_type(os.path.dirname(constants.DEFAULT_LOCAL_TMP), "tmppath")  # noqa: PTH120
    constants.set_constant("DEFAULT_LOCAL_TMP", folder)
    Display()._set_column_width()  # the terminal's


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _end(status: int) -> NoReturn:
    """As an interpreter ends: threads, exit handlers, output. Not by returning, into the server's code."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or 120  # what Python says when its output cannot be flushed
    finally:
        os._exit(status)
