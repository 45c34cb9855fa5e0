"""The timer of a dead man's switch: a process that undoes a fault unless its lease is renewed in time.

The rule: it needs nothing but itself. It is one file that uses the standard library alone, and a Python process reads
it on its standard input. It goes on when ssh, Ansible and the control node are gone. It counts on the monotonic clock.
It knows its command from the start, so the command's secrets are never on disk or on a command line. No lock, full disk
or change of the clock can hold it up.

The module dead_man_switch writes the lease ID.json. This process alone writes ID.result beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

TICK_S = 0.25
"""Seconds between two looks at the lease. A disarmed timer ends within this time."""
TRY_S = 60.0
"""How long one try of the command may take."""
LONGEST_PAUSE_S = 60.0
PATIENCE_S = 5.0
"""How long to wait for a lock. Its holders need milliseconds. A holder that is stopped must not keep a fault alive."""


def identity(pid: int) -> str | None:
    """The boot, the pid and the start time of a process, so that no later one is taken for it. None: it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}/{pid}/{fields[19]}"


def alive(process: str | None) -> bool:
    """Whether the process with this identity runs."""
    return process is not None and identity(int(process.split("/")[1])) == process


def read(path: Path) -> dict | None:
    """A lease or a result. None when there is no such file, or when it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write(path: Path, value: dict) -> None:
    """Replace the file as a whole; nobody but its owner can read it."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
    beside.replace(path)


@contextlib.contextmanager
def locked(folder: Path):
    """Keep renewing, disarming and firing in an order. Yields whether it got the lock in time."""
    until_s = time.monotonic() + PATIENCE_S
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        had = False
        while not had and time.monotonic() < until_s:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                had = True
            except OSError:
                time.sleep(0.02)
        yield had
    finally:
        os.close(descriptor)


def result_of(lease: Path) -> Path:
    """The path of a lease's result."""
    return lease.with_suffix(".result")


def renewals(lease: Path) -> int | None:
    """How often the lease was renewed; None when it is gone. A lease that cannot be read gives -1, and so was not
    renewed.
    """
    if not lease.exists():
        return None
    return (read(lease) or {}).get("renewals", -1)


class Timer:
    """One armed switch. `order`: command, environment, stdin, after_s, tries, pause_s."""

    def __init__(self, lease: Path, order: dict) -> None:
        self.lease, self.order = lease, order
        self.result = {"process": identity(os.getpid()), "state": "waiting", "fired_at": None, "tries": 0, "last": None}

    def note(self, **what: object) -> None:
        """Keep what happened. A disk that is full must not keep the fault alive."""
        self.result.update(what)
        with contextlib.suppress(OSError):
            write(result_of(self.lease), self.result)

    def watch(self) -> None:
        """Wait while the lease is renewed; fire when it was not; end when it is gone."""
        seen: int | None = -2
        until_s = 0.0
        while True:
            now = renewals(self.lease)
            if now is None:
                return
            if now != seen:
                seen, until_s = now, time.monotonic() + self.order["after_s"]
            left_s = until_s - time.monotonic()
            if left_s > 0:
                time.sleep(min(left_s, TICK_S))
                continue
            with locked(self.lease.parent):
                # a renewal that came first counts; one that comes later finds that the switch has fired
                if renewals(self.lease) != seen:
                    continue
                self.note(state="firing", fired_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            self.fire()
            return

    def fire(self) -> None:
        """Run the command until it succeeds, at most as often as the order says. The pauses get longer each time."""
        for number in range(1, self.order["tries"] + 1):
            problem = self.tried()
            self.note(state="firing" if problem else "fired", tries=number, last=problem)
            if problem is None:
                return
            until_s = time.monotonic() + min(self.order["pause_s"] * 2 ** (number - 1), LONGEST_PAUSE_S)
            while number < self.order["tries"] and time.monotonic() < until_s and self.lease.exists():
                time.sleep(TICK_S)
            if not self.lease.exists():
                break  # the switch is disarmed: somebody else has undone the fault
        self.note(state="failed")

    def tried(self) -> str | None:
        """Run the command once. Returns why it did not succeed, or None. Its output is not kept, since it may hold a
        secret.
        """
        name = Path(self.order["command"][0]).name
        try:
            done = subprocess.run(
                self.order["command"],
                input=(self.order["stdin"] or "").encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self.order["environment"],
                cwd="/",
                timeout=TRY_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{name} took longer than {TRY_S:g} s"
        except (OSError, ValueError) as error:
            return f"{name} cannot be started: {error}"
        return None if done.returncode == 0 else f"{name} ended with {done.returncode}"


def main(lease: str, order: dict) -> None:
    """Say that the timer runs, close the files that came from the process that started it, and watch."""
    timer = Timer(Path(lease), order)
    write(result_of(timer.lease), timer.result)
    sys.stdout.write("armed")
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    timer.watch()
