"""Finds and ends the processes of a play."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from drillbook.target.ansible.environment import OWNER
from drillbook.target.ansible.notes import RUN_MARK, TASK, read_notes

GRACE_S = 3.0
"""Seconds that ansible-playbook has after SIGTERM to end its workers; it needs 0.02 to 0.2."""
_PLAYS, _WORDS = "/ansible-playbook", 5
"""A process with the mark and one of these among its first words is a play, whoever its parent is.

A warm server's play is no child of ours, and an orphan has no parent.
"""
_JOBS = "async_wrapper"
_MODULES = "/AnsiballZ_"
"""A module on a warm server is no child of its play either: it is the first process of its session."""


def end_plays(owner: str) -> list[str]:
    """End every play that a process has left behind: a play goes on when the drill that started it is killed.

    `owner` is the value of DRILLBOOK_OWNER in the environment of its plays. Returns what could not be ended.
    """
    runs = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            marks = process.environ()
            if marks.get(OWNER) == owner and RUN_MARK in marks:
                runs.add(marks[RUN_MARK])
    over = threading.Event()
    over.set()
    return [pid for run in sorted(runs) for pid in ProcessTree(run).end(over, GRACE_S)]


class ProcessTree:
    """The processes of one run, remembered while their parents still live, so that none is lost when a parent dies
    first.

    These belong to a run: ansible-playbook and its descendants, all that share a session with one of them (core gives
    each worker one), modules on a warm server, Ansible's own background jobs (`async`), and all that a failed or
    unfinished task has started, even when its worker is gone. A service that a finished task has started does not: it
    belongs to the system.
    """

    def __init__(self, artifact_dir: str) -> None:
        self._mark = artifact_dir
        self._mains: set[psutil.Process] = set()
        self._asked: set[psutil.Process] = set()
        self._known: set[psutil.Process] = set()
        self._sessions: set[int] = set()

    def end(self, finished: threading.Event, grace_s: float) -> list[str]:
        """SIGTERM to ansible-playbook, which ends its workers itself; after `grace_s`, SIGKILL to all that are left.

        Returns what could not be ended (processes of another user).
        """
        self._look()
        while not self._mains and not finished.wait(0.02):  # it may be between fork and exec
            self._look()
        self._terminate()
        # nobody asked an orphan to end, and waiting for it would use up the time
        deadline = time.monotonic() + (grace_s if self._mains else 0.0)
        while self._alive() and time.monotonic() < deadline:
            time.sleep(0.02)
            self._look()
            self._terminate()  # a warm server's play may begin after the shim was asked to end
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
        """Add the processes that appeared since the last look."""
        here = os.getpid()
        own_session = os.getsid(0)
        seen: dict[psutil.Process, tuple[int, int]] = {}
        plays: set[psutil.Process] = set()
        unfinished = read_notes(Path(self._mark)).open_marks
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                seen[process] = process.ppid(), os.getsid(process.pid)
                if process in self._known:
                    continue
                words = process.cmdline()
                play = process.ppid() == here or any(word.endswith(_PLAYS) for word in words[:_WORDS])
                module = seen[process][1] == process.pid and any(_MODULES in word for word in words[:_WORDS])
                # read the environment only of possible members: it takes as long as all else here
                known = play or module or any(_JOBS in word for word in words)
                if known or unfinished:
                    marks = process.environ()
                    if marks.get(RUN_MARK) == self._mark and (known or marks.get(TASK) in unfinished):
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


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs: it has not ended, and is no zombie."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
