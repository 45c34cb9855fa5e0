# mypy: disable-error-code="no-untyped-call"
# (psutil and ansible-runner are not typed)
"""One run of ansible-playbook through ansible-runner: a clean environment, a private directory, and no process left
behind.

The rules: from the caller's shell, only what a white list names reaches a play. No secret stands on a command line.
However the run ended (by itself, a time-out, a cancel, Ctrl-C), all its processes end before anyone goes on.

Drillbook never asks ansible-runner itself to time out or to cancel. That kills the process group of ansible-playbook,
but core 2.19 starts each worker in its own session, so the play's command would go on as an orphan. `ProcessTree` ends
it from outside.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
from ansible_runner.interface import init_runner
from ansible_runner.runner import Runner

from drillbook.target.ansible.elsewhere.ending import OWNED
from drillbook.target.ansible.environment import OWNER, ansible_playbook, callbacks, command_of, environment
from drillbook.target.ansible.events import Event
from drillbook.target.ansible.extra_vars import variables_as_json, write_private
from drillbook.target.ansible.inside.decrypted import Decrypted, OnSecret
from drillbook.target.ansible.notes import RUN_MARK, Notes, Place, read_notes
from drillbook.target.ansible.processes import GRACE_S, ProcessTree
from drillbook.target.ansible.selection import ALL, Selection
from drillbook.target.private_folders import PrivateFolder

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm

OnLeft = Callable[[frozenset[Place]], None]
STATUS_OF_AN_ENDED_RUN = 254
"""The exit status that ansible-runner gives to a cancelled or timed-out run."""
_TICK_S = 0.1
_GIVE_UP_S = 15.0
_NEEDED_BY_RUNNER = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_STDOUT_CALLBACK",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
    RUN_MARK,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Its output is what the events carried: ansible-runner's file `stdout` shows what no_log hides.
    """

    status: str  # successful, failed, timeout, canceled
    rc: int
    notes: tuple[str, ...] = ()
    warm: bool = False  # a fork of an Ansible that was already imported
    seen: Notes = field(default_factory=Notes)
    """The notes of Drillbook's callback."""


def run_ansible(
    playbook: Path,
    inventory: Path,
    *,
    root: Path,
    further: Sequence[Path] = (),
    variables: Mapping[str, object] | None = None,
    extra_env: Mapping[str, str] | None = None,
    pass_env: Iterable[str] = (),
    timeout_s: float,
    cancel: threading.Event | None = None,
    on_event: Callable[[Event], None],
    on_secret: OnSecret | None = None,
    without: str | None = None,
    selection: Selection = ALL,
    warm: Warm | None = None,
    on_left: OnLeft | None = None,
) -> Ended:
    """Run `playbook` (both paths absolute) and wait, interruptibly; `on_event` gets every event, in another thread.

    `further` inventories are merged with the first. With `warm` the run uses an already imported Ansible, if there is
    one. `on_secret` gets what was decrypted before `on_event` gets an event that may show it. `without` is a task to
    leave out: FILE:LINE, relative to the root. `on_left`, however the run ended, gets the places outside this machine
    where something may go on.

    Whatever this raises, no process of the run is left. KeyboardInterrupt and pytest's own exits are raised after that;
    an error of `on_event` is raised at the end. Raises PlaybookError when Ansible cannot be started.
    """
    program = ansible_playbook()
    with PrivateFolder("run") as private:
        (private / OWNED).write_text((extra_env or {}).get(OWNER, ""), encoding="utf-8")
        decrypted = Decrypted(private / "artifacts", on_secret or _forget)
        events = _Events(on_event, decrypted)
        runner = _runner(private, root, playbook, (inventory, *further), variables=variables or {}, events=events)
        runner.config.command[-1:] = [*selection.arguments(), runner.config.command[-1]]  # before the playbook
        runner.config.command[:1] = warm.command(program) if warm else command_of(program)
        # ansible-runner starts with the whole of os.environ, and writes it to artifacts/*/command.
        kept = {name: runner.config.env[name] for name in _NEEDED_BY_RUNNER}
        kept["ANSIBLE_CALLBACK_PLUGINS"] = callbacks(kept["ANSIBLE_CALLBACK_PLUGINS"])
        if without is not None:
            kept["DRILLBOOK_WITHOUT_TASK"] = str(root / without)
        home = warm.folder if warm else private
        runner.config.env = environment(root, home, pass_env) | dict(extra_env or {}) | kept
        decrypted.folder = Path(kept[RUN_MARK])
        try:
            ended = _Run(runner).wait(timeout_s, cancel)
        finally:
            seen = read_notes(Path(kept[RUN_MARK]))
            if on_left is not None and seen.left:
                on_left(seen.left)
        ended = replace(ended, seen=seen)
        decrypted.take()
        if warm:
            warm.report()
            ended = replace(ended, warm=warm.ran(kept[RUN_MARK]))
        if events.errors:
            raise events.errors[0]
        return ended


def _forget(_label: str, _value: str) -> None:
    """Delete the run's files: nothing of it is shown."""


class _Events:
    """Passes each event on, in ansible-runner's thread, and keeps the error that this raises."""

    def __init__(self, on_event: Callable[[Event], None], decrypted: Decrypted) -> None:
        self._on_event, self._decrypted = on_event, decrypted
        self.errors: list[Exception] = []

    def __call__(self, event: Event) -> bool:
        try:
            self._decrypted.take()
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - it would leave the play running; it is raised at the end
            self.errors.append(error)
        return True  # None would throw the event away, and the statistics with it


def _runner(
    private: Path,
    root: Path,
    playbook: Path,
    inventories: Sequence[Path],
    *,
    variables: Mapping[str, object],
    events: _Events,
) -> Runner:
    """A runner that has not started, with all that it needs in `private`."""
    # As a file: ansible-runner ignores settings given as an argument. This one limits how long a run takes to end while
    # something keeps its terminal open.
    write_private(private / "env" / "settings", json.dumps({"pexpect_timeout": 0.25}))
    if variables:
        write_private(private / "env" / "extravars", variables_as_json(variables))
    runner: Runner = init_runner(
        private_data_dir=str(private),
        project_dir=str(root),
        playbook=str(playbook),
        inventory=[str(each) for each in inventories],
        quiet=True,
        cancel_callback=_go_on,  # None would replace the SIGINT and SIGTERM handlers of this process
        event_handler=events,
    )
    return runner


def _go_on() -> bool:
    """Cancels nothing. pexpect sleeps 0.1 s as it closes the terminal, for a process that may still end.

    When ansible-runner closes it, the process is already reaped.
    """
    child = sys._getframe(1).f_locals.get("child")
    if isinstance(child, pexpect.spawn):
        child.ptyproc.delayafterclose = 0
    return False


class _Run:
    """A runner in a thread, and the wait for it."""

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
            # The play is over, but something that it started keeps the terminal open (ansible-runner #1343).
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
        # a run that ended by itself may have left a command whose worker was killed, or a job that nobody waited for
        if status or self._error is not None or self._rc is None or self._open():
            self._stop()
        if self._error is not None:
            raise self._error
        rc = STATUS_OF_AN_ENDED_RUN if status or self._rc is None else self._rc
        return Ended(
            status=status or ("successful" if rc == 0 else "failed"),
            rc=rc,
            notes=tuple(self._notes),
        )

    def _open(self) -> bool:
        killed = self._rc is not None and self._rc < 0
        return killed or bool(read_notes(Path(self._runner.config.artifact_dir)).open_marks)

    def _stop(self) -> None:
        """End all processes. A second Ctrl-C meanwhile does not leave half of them: it is raised afterwards."""
        interrupt: BaseException | None = None
        stopper = threading.Thread(target=self._end, name="ansible-stop", daemon=True)
        give_up = time.monotonic() + _GIVE_UP_S
        waiting_for = [self._ended, self._done] if self._worker.ident is not None else [self._ended]
        started = False
        # Events, no join(): in Python 3.11 an interrupted join takes a running thread for an ended one.
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


def _exit_status(error: BaseException) -> int | None:
    """The exit status of the child that pexpect was reading. Only the frame of ansible-runner that raised has it.

    Closes what that frame has left open; closing its output reads the last events.
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
