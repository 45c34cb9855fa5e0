# mypy: disable-error-code="no-untyped-call"
# (psutil and ansible-runner are not typed)
"""One run of ansible-playbook through ansible-runner: a clean environment, a private directory, and no process left
behind.

The rules: nothing of the caller's shell reaches a play but what a white list names; nothing secret stands on a command
line; however the run ended (by itself, a time-out, a cancel, Ctrl-C), all its processes end before anyone goes on.

ansible-runner itself is never asked to time out or to cancel: it kills the process group of ansible-playbook, while
core 2.19 starts each worker in a session of its own, so that the command of the play goes on as an orphan. It is ended
here, from outside (`ProcessTree`).
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
from ansible_runner.interface import init_runner
from ansible_runner.runner import Runner

from drillbook.target.ansible.environment import ansible_playbook, callbacks, command_of, environment
from drillbook.target.ansible.events import Event
from drillbook.target.ansible.extra_vars import variables_as_json, write_private
from drillbook.target.ansible.inside.decrypted import Decrypted, OnSecret
from drillbook.target.ansible.notes import RUN_MARK, Notes, read_notes
from drillbook.target.ansible.processes import GRACE_S, ProcessTree
from drillbook.target.ansible.selection import ALL, Selection

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm

STATUS_OF_AN_ENDED_RUN = 254
"""The exit status that ansible-runner gives to a run that was cancelled or timed out."""
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
    """How a run ended. Its output is what the events carried; the file `stdout` of ansible-runner shows what no_log
    hides.
    """

    status: str  # successful, failed, timeout, canceled
    rc: int
    notes: tuple[str, ...] = ()
    warm: bool = False  # a fork of an Ansible that was imported already
    seen: Notes = field(default_factory=Notes)
    """What Drillbook's callback has written down."""


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
) -> Ended:
    """Run `playbook` (both paths absolute) and wait, interruptibly; `on_event` gets every event, in another thread.
    `further` inventories are merged with the first. With `warm` it runs on an Ansible that is already imported, if
    there is one. `on_secret` is told what was decrypted before `on_event` gets an event that may show it.

    `without` is a task that is left out: FILE:LINE, relative to the root.

    Whatever this raises, no process of the run is left: KeyboardInterrupt and pytest's own exits go on after that,
    whatever `on_event` raises comes out at the end. Errors: PlaybookError when Ansible cannot be started.
    """
    program = ansible_playbook()
    with tempfile.TemporaryDirectory(prefix="drillbook-run-", ignore_cleanup_errors=True) as directory:
        private = Path(directory)  # 0700
        decrypted = Decrypted(private / "artifacts", on_secret or _forget)
        events = _Events(on_event, decrypted)
        runner = _runner(private, root, playbook, (inventory, *further), variables=variables or {}, events=events)
        runner.config.command[-1:] = [*selection.arguments(), runner.config.command[-1]]  # before the playbook
        runner.config.command[:1] = warm.command(program) if warm else command_of(program)
        # ansible-runner starts from the whole of os.environ, and writes it to artifacts/*/command.
        kept = {name: runner.config.env[name] for name in _NEEDED_BY_RUNNER}
        kept["ANSIBLE_CALLBACK_PLUGINS"] = callbacks(kept["ANSIBLE_CALLBACK_PLUGINS"])
        if without is not None:
            kept["DRILLBOOK_WITHOUT_TASK"] = str(root / without)
        home = warm.folder if warm else private
        runner.config.env = environment(root, home, pass_env) | dict(extra_env or {}) | kept
        decrypted.folder = Path(kept[RUN_MARK])
        ended = _Run(runner).wait(timeout_s, cancel)
        ended = replace(ended, seen=read_notes(Path(kept[RUN_MARK])))
        decrypted.take()
        if warm:
            warm.report()
            ended = replace(ended, warm=warm.ran(kept[RUN_MARK]))
        if events.errors:
            raise events.errors[0]
        return ended


def _forget(_label: str, _value: str) -> None:
    """Nothing of the run is shown."""


class _Events:
    """Hands each event on, in ansible-runner's thread, and keeps what that raises."""

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
    # As a file: given as an argument, settings are ignored. How soon a run ends whose terminal somebody keeps open.
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
    """Cancels nothing. pexpect sleeps 0.1 s as it closes the terminal, for a process that may still end; when
    ansible-runner does that, the process has been buried.
    """
    child = sys._getframe(1).f_locals.get("child")
    if isinstance(child, pexpect.spawn):
        child.ptyproc.delayafterclose = 0
    return False


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
