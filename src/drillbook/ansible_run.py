# mypy: disable-error-code="no-untyped-call"
# (psutil and ansible-runner are not typed)
"""One run of ansible-playbook through ansible-runner: a clean environment, a private directory, and no process left
behind.

The rules: nothing of the caller's shell reaches a play but what a white list names; nothing secret stands on a command
line; whatever ends the run early (a time-out, a cancel, Ctrl-C) ends every process of it before anyone goes on.

ansible-runner itself is never asked to time out or to cancel: it kills the process group of ansible-playbook, while
core 2.19 starts each worker in a session of its own, so that the command of the play goes on as an orphan. It is ended
here, from outside (`ProcessTree`).
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import psutil
from ansible_runner.interface import init_runner
from ansible_runner.runner import Runner

from drillbook.ansible_env import environment
from drillbook.errors import PlaybookError

if TYPE_CHECKING:
    from drillbook.warm.client import Warm

GRACE_S = 3.0
"""Seconds that ansible-playbook has after SIGTERM to end its workers; it needs 0.02 to 0.2."""
STATUS_OF_AN_ENDED_RUN = 254
"""The exit status that ansible-runner gives to a run that was cancelled or timed out."""
_TICK_S = 0.1
_GIVE_UP_S = 15.0

_RUN_MARK = "AWX_ISOLATED_DATA_DIR"
"""Set by ansible-runner to the artifact directory of the run, so that it is found in each process that a local play
starts.
"""
_PLAYS, _WORDS = "/ansible-playbook", 5
"""A process with the mark that has this among its first words is a play, whoever its parent is: that of a warm server
is no child of ours, and an orphan is nobody's.
"""
_JOBS = "async_wrapper"
_MODULES = "/AnsiballZ_"
"""A module that a warm server runs is no child of its play either; it is the first process of its session."""
OWNER = "DRILLBOOK_OWNER"
"""Names the process that runs a play, so that whoever finds that process dead can end the play."""
_NEEDED_BY_RUNNER = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_STDOUT_CALLBACK",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
    _RUN_MARK,
)
_WITHOUT_TASK = Path(__file__).parent / "ansible_plugins" / "callback"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. Its output is what the events carried; the file `stdout` of ansible-runner shows what no_log
    hides.
    """

    status: str  # successful, failed, timeout, canceled
    rc: int
    notes: tuple[str, ...] = ()
    warm: bool = False  # a fork of an Ansible that was imported already


def run_ansible(
    playbook: Path,
    inventory: Path,
    *,
    root: Path,
    variables: Mapping[str, object] | None = None,
    extra_env: Mapping[str, str] | None = None,
    pass_env: Iterable[str] = (),
    timeout_s: float,
    cancel: threading.Event | None = None,
    on_event: Callable[[Event], None],
    without: str | None = None,
    warm: Warm | None = None,
) -> Ended:
    """Run `playbook` (both paths absolute) and wait, interruptibly; `on_event` gets every event, in another thread.
    With `warm` it runs on an Ansible that is already imported, if there is one.

    `without` is a task that is left out: FILE:LINE, relative to the root.

    Whatever this raises, no process of the run is left: KeyboardInterrupt and pytest's own exits go on after that,
    whatever `on_event` raises comes out at the end. Errors: PlaybookError when Ansible cannot be started.
    """
    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    if not program.is_file():
        msg = f"There is no {program}: install Drillbook and ansible-core into one Python environment."
        raise PlaybookError(msg)
    with tempfile.TemporaryDirectory(prefix="drillbook-run-", ignore_cleanup_errors=True) as directory:
        private = Path(directory)  # 0700
        # As a file: given as an argument, settings are ignored. How soon a run ends whose terminal somebody keeps open.
        write_private(private / "env" / "settings", json.dumps({"pexpect_timeout": 0.25}))
        if variables:
            write_private(private / "env" / "extravars", variables_as_json(variables))
        errors: list[Exception] = []

        def handle(event: Event) -> bool:
            try:
                on_event(event)
            except Exception as error:  # noqa: BLE001 - an exception here would leave the play running; it is raised at the end
                errors.append(error)
            return True  # None would throw the event away, and the statistics with it

        runner = init_runner(
            private_data_dir=directory,
            project_dir=str(root),
            playbook=str(playbook),
            inventory=str(inventory),
            quiet=True,
            cancel_callback=_go_on,  # None would replace the SIGINT and SIGTERM handlers of this process
            event_handler=handle,
        )
        runner.config.command[:1] = warm.command(program) if warm else [str(program)]
        # ansible-runner starts from the whole of os.environ, and writes it to artifacts/*/command.
        kept = {name: runner.config.env[name] for name in _NEEDED_BY_RUNNER}
        if without is not None:
            kept["ANSIBLE_CALLBACK_PLUGINS"] += f"{os.pathsep}{_WITHOUT_TASK}"
            kept["DRILLBOOK_WITHOUT_TASK"] = str(root / without)
        home = warm.folder if warm else private
        runner.config.env = environment(root, home, pass_env) | dict(extra_env or {}) | kept
        ended = _Run(runner).wait(timeout_s, cancel)
        if warm:
            warm.report()
            ended = replace(ended, warm=warm.ran(kept[_RUN_MARK]))
        if errors:
            raise errors[0]
        return ended


def _go_on() -> bool:
    """Cancels nothing. pexpect sleeps 0.1 s as it closes the terminal, for a process that may still end; when
    ansible-runner does that, the process has been buried.
    """
    child = sys._getframe(1).f_locals.get("child")
    if isinstance(child, pexpect.spawn):
        child.ptyproc.delayafterclose = 0
    return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a directory that only its owner can enter."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def variables_as_json(variables: Mapping[str, object]) -> str:
    """The variables as Ansible gets them. Raises PlaybookError for one that is not JSON."""

    def plain(value: object) -> object:
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        msg = f"{type(value).__name__} {value!r}"
        raise TypeError(msg)

    texts = {}
    for name, value in variables.items():
        try:
            texts[name] = json.dumps(value, default=plain)
        except (TypeError, ValueError) as error:
            msg = f"The variable {name} cannot be given to a playbook, it is not JSON: {error}."
            raise PlaybookError(msg) from error
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"


class _Run:
    """A runner in a thread, and the waiting for it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._tree = ProcessTree(runner.config.artifact_dir)
        self._done = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._notes: list[str] = []
        self._rc: int | None = None
        self._worker = threading.Thread(target=self._work, name="ansible-runner", daemon=True)

    def _work(self) -> None:
        try:
            self._runner.run()
            self._rc = self._runner.rc
        except pexpect.TIMEOUT as error:
            # The play is over, and something that it started keeps the terminal open (ansible-runner #1343).
            self._rc = _exit_status(error)
            self._notes.append(
                "A process that the play started keeps its terminal open; the end of the output may be missing."
            )
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            self._error = error
        finally:
            self._done.set()

    def wait(self, timeout_s: float, cancel: threading.Event | None) -> Ended:
        status = ""
        deadline = time.monotonic() + timeout_s
        try:
            self._worker.start()
            while not self._done.wait(_TICK_S):
                if cancel is not None and cancel.is_set():
                    status = "canceled"
                    break
                if time.monotonic() > deadline:
                    status = "timeout"
                    break
        except BaseException:
            self._stop()
            raise
        if status or self._error is not None or self._rc is None:
            self._stop()
        if self._error is not None:
            raise self._error
        rc = STATUS_OF_AN_ENDED_RUN if status or self._rc is None else self._rc
        return Ended(
            status=status or ("successful" if rc == 0 else "failed"),
            rc=rc,
            notes=tuple(self._notes),
        )

    def _stop(self) -> None:
        """End all processes; a second Ctrl-C in the meantime does not leave half of them, it is raised afterwards."""
        interrupt: BaseException | None = None
        stopper = threading.Thread(target=self._end, name="ansible-stop", daemon=True)
        give_up = time.monotonic() + _GIVE_UP_S
        waiting_for = [self._ended, self._done] if self._worker.ident is not None else [self._ended]
        started = False
        # Events, no join(): in Python 3.11 a join that is interrupted takes a thread that runs for one that has ended.
        for event in waiting_for:
            while not event.is_set() and time.monotonic() < give_up:
                try:
                    if not started:
                        started = True
                        stopper.start()
                    event.wait(_TICK_S)
                except BaseException as error:  # noqa: BLE001 - raised below
                    interrupt = error
        if interrupt is not None:
            raise interrupt

    def _end(self) -> None:
        try:
            left = self._tree.end(self._done, GRACE_S)
            if left:
                self._notes.append(f"These processes of the play could not be ended: {', '.join(left)}.")
        finally:
            self._ended.set()


def end_plays(owner: str) -> list[str]:
    """End every play that a process has left behind: a play goes on when the drill that started it is killed.

    `owner` is the value of DRILLBOOK_OWNER in the environment of its plays. Returns what could not be ended.
    """
    runs = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            marks = process.environ()
            if marks.get(OWNER) == owner and _RUN_MARK in marks:
                runs.add(marks[_RUN_MARK])
    over = threading.Event()
    over.set()
    return [pid for run in sorted(runs) for pid in ProcessTree(run).end(over, GRACE_S)]


class ProcessTree:
    """The processes of one run, remembered while their parents still live, so that none is lost when a parent dies
    first.

    Part of a run are: ansible-playbook, its descendants, whatever shares a session with one of them (core gives each
    worker one), modules on a warm server, and Ansible's own background jobs (`async`). A service that a finished task
    has started is not: it belongs to the system.
    """

    def __init__(self, artifact_dir: str) -> None:
        self._mark = artifact_dir
        self._mains: set[psutil.Process] = set()
        self._asked: set[psutil.Process] = set()
        self._known: set[psutil.Process] = set()
        self._sessions: set[int] = set()

    def end(self, finished: threading.Event, grace_s: float) -> list[str]:
        """SIGTERM to ansible-playbook, which ends its workers itself; after `grace_s`, SIGKILL to all that is left.

        Returns what could not be ended (processes of another user).
        """
        self._look()
        while not self._mains and not finished.wait(0.02):  # it may be between fork and exec
            self._look()
        self._terminate()
        deadline = time.monotonic() + grace_s
        while self._alive() and time.monotonic() < deadline:
            time.sleep(0.02)
            self._look()
            self._terminate()  # the play of a warm server may begin after the shim was asked to end
        return self._kill()

    def _terminate(self) -> None:
        """Ask each ansible-playbook once: a second SIGTERM would end it before it has told all its workers."""
        for process in self._mains - self._asked:
            self._asked.add(process)
            with suppress(psutil.Error):
                process.terminate()

    def _kill(self) -> list[str]:
        give_up = time.monotonic() + GRACE_S
        while (alive := self._alive()) and time.monotonic() < give_up:
            for process in alive:  # stopped first, so that nothing forks while the list is made
                with suppress(psutil.Error):
                    process.suspend()
            self._look()
            for process in self._alive():
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.02)
        return sorted(f"{process.pid}" for process in self._alive())

    def _alive(self) -> list[psutil.Process]:
        return [process for process in self._known if is_alive(process)]

    def _look(self) -> None:
        """Add what has appeared since the last look."""
        here = os.getpid()
        own_session = os.getsid(0)
        seen: dict[psutil.Process, tuple[int, int]] = {}
        plays: set[psutil.Process] = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                seen[process] = process.ppid(), os.getsid(process.pid)
                if process in self._known:
                    continue
                words = process.cmdline()
                play = process.ppid() == here or any(word.endswith(_PLAYS) for word in words[:_WORDS])
                module = seen[process][1] == process.pid and any(_MODULES in word for word in words[:_WORDS])
                if (play or module or any(_JOBS in word for word in words)) and self._is_marked(process):
                    self._known.add(process)
                    plays |= {process} if play else set()
        pids = {process.pid for process in self._known}  # workers are forks of their play, with its command line
        self._mains |= {process for process in plays if seen[process][0] not in pids}
        grew = True
        while grew:
            pids = {process.pid for process in self._known}
            self._sessions |= {sid for process, (_, sid) in seen.items() if process in self._known} - {own_session}
            new = {
                process
                for process, (ppid, sid) in seen.items()
                if process not in self._known and process.pid != here and (ppid in pids or sid in self._sessions)
            }
            self._known |= new
            grew = bool(new)

    def _is_marked(self, process: psutil.Process) -> bool:
        return bool(process.environ().get(_RUN_MARK) == self._mark)


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs: not ended, and no zombie that its parent has not yet buried."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _exit_status(error: BaseException) -> int | None:
    """The exit status of the child that pexpect was reading, known only to the frame of ansible-runner that raised.

    Closes what that frame has left open; the last events are read as its output is closed.
    """
    trace = error.__traceback__
    while trace is not None:
        left = trace.tb_frame.f_locals
        if isinstance(child := left.get("child"), pexpect.spawn):
            for name in ("child", "stdout_handle", "stderr_handle"):
                left[name].close()
            return child.exitstatus if child.exitstatus is None else int(child.exitstatus)
        trace = trace.tb_next
    return None
