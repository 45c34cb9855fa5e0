"""Which processes are the lab's, and how they are ended. No process is chosen by its name.

A process belongs to a lab in three cases:
- Its environment says so (DRILLBOOK_LAB=<id>, which every child of supervisord inherits).
- It is the recorded supervisord itself. Its pid and its creation time must match, because the system may have given the
  pid to another process.
- It is a descendant of one of these, because PostgreSQL's backends overwrite their environment with their title.
"""
# mypy: disable-error-code="no-untyped-call, no-any-return"
# (psutil is not typed)

import contextlib
import signal
import time
from collections.abc import Collection, Iterable

import psutil

MARKER = "DRILLBOOK_LAB"


def runs(process: psutil.Process) -> bool:
    """Whether this very process has not ended; a zombie has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def alive(pid: int, created: float) -> bool:
    """Whether this very process still runs; a zombie does not."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _marked(process: psutil.Process, lab_id: str) -> bool:
    try:
        return process.environ().get(MARKER) == lab_id
    except (psutil.Error, OSError):
        return False


def of_lab(lab_id: str, recorded: Collection[tuple[int, float]] = ()) -> list[psutil.Process]:
    """All living processes of a lab, in no order."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        own = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            known = any(pid == process.pid and abs(process.create_time() - at) < 1 for pid, at in recorded)
            if known or _marked(process, lab_id):
                for member in (process, *process.children(recursive=True)):
                    if member.pid not in own:
                        found[member.pid] = member
        except psutil.NoSuchProcess:
            continue
    return list(found.values())


def supervisord_of(lab_id: str, recorded: Collection[tuple[int, float]]) -> list[psutil.Process]:
    """The recorded supervisord, if it is still that very process and has the lab's marker."""
    found = []
    for pid, created in recorded:
        if alive(pid, created):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if _marked(process, lab_id):
                    found.append(process)
    return found


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def end(processes: Iterable[psutil.Process], *, term_s: float = 3.0, kill_s: float = 3.0) -> list[psutil.Process]:
    """End these processes; returns those that are still there after `term_s` + `kill_s` seconds.

    It sends SIGINT to the postmaster (which waits for all clients to leave after SIGTERM), SIGTERM to all others, then
    SIGKILL.
    """
    waiting = list(processes)
    for process in waiting:
        postmaster = False
        with contextlib.suppress(psutil.Error):
            postmaster = process.name() == "postgres"
        _signal(process, signal.SIGINT if postmaster else signal.SIGTERM)
    waiting = _gone(waiting, term_s)
    for process in waiting:
        _signal(process, signal.SIGKILL)
    return _gone(waiting, kill_s)


def _gone(processes: list[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Wait until they are gone; returns those that are left.

    It polls, because they are not our children. A zombie counts as gone, because its parent reaps it.
    """
    deadline = time.monotonic() + within_s
    while True:
        left = [process for process in processes if runs(process)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)
