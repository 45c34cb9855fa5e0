"""The passphrase of the key, kept away from the processes that this one starts.

The rule: the first code to run takes it out of the environment, before anything else starts. It removes it from what
children inherit, and from the block that the kernel shows of this process (/proc/PID/environ). A process that holds it
shows its memory to no other process of the same user (prctl(2), PR_SET_DUMPABLE). Drillbook's own children get it by a
pipe. A process of root can still look.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "DRILLBOOK_KEY_PASSPHRASE"
BY_PIPE = "DRILLBOOK_KEY_PASSPHRASE_FD"
"""The number of an open file that holds it. The reader reads the file to its end and closes it."""
KEY, PUBLIC, TIMESTAMP_URL = "DRILLBOOK_KEY", "DRILLBOOK_KEY_PUBLIC", "DRILLBOOK_TIMESTAMP_URL"
OF_THIS_PROCESS = frozenset({VARIABLE, BY_PIPE, KEY, PUBLIC, TIMESTAMP_URL})
"""Variables that no play ever gets."""
_held: list[str] = []


def take() -> str | None:
    """Take it out of the environment, if it is there; returns what is held now. A second call costs nothing."""
    value, number = os.environ.pop(VARIABLE, ""), os.environ.pop(BY_PIPE, "")
    if value:
        with suppress(OSError, ValueError, IndexError):  # a kernel without /proc shows it to nobody, either
            _scrub()
    if number.isdigit():
        with suppress(OSError), os.fdopen(int(number), "rb") as pipe:
            value = pipe.read().decode("utf-8", "surrogateescape").strip("\r\n") or value
    if value:
        hold(value)
    return held()


def hold(value: str) -> None:
    """Keep it, and show this process' memory to nobody."""
    _held[:] = [value]
    undumpable()


def held() -> str | None:
    """The passphrase, if there is one."""
    return _held[0] if _held else None


def undumpable() -> None:
    """Let no process of the same user look into this one: not into its memory, environment or open files."""
    # 5 ms that only a process with a passphrase should spend
    import ctypes

    pr_set_dumpable = 4
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)


def piped(value: str) -> int:
    """The reading end of a pipe that holds it; `BY_PIPE` tells a child that inherits it its number."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(value.encode("utf-8", "surrogateescape"))
    return reading


def shown_by() -> str | None:
    """The name of a parent process that has it in its environment, where Drillbook's children could read it."""
    for pid in _above(os.getpid()):
        with suppress(OSError):
            block = Path(f"/proc/{pid}/environ").read_bytes()
            at = _place(block)
            if at is not None and block[at : at + 1] not in (b"", b"\0"):
                return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    return None


def _above(pid: int) -> Iterator[int]:
    while pid > 1:
        try:
            pid = int(_stat(pid)[1])
        except (OSError, ValueError, IndexError):
            return
        if pid > 0:
            yield pid


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, parent, ..."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()


def _place(block: bytes) -> int | None:
    """Where its value begins in an environment block."""
    name = f"{VARIABLE}=".encode()
    if block.startswith(name):
        return len(name)
    found = block.find(b"\0" + name)
    return None if found < 0 else found + 1 + len(name)


def _scrub() -> None:
    """Write zeros over it where the kernel shows the environment with which this process started."""
    block = Path("/proc/self/environ").read_bytes()
    at = _place(block)
    if at is None:
        return
    end = block.find(b"\0", at)
    length = (end if end >= 0 else len(block)) - at
    env_start = int(_stat("self")[47])  # field 50 of proc(5)
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(env_start + at)
        memory.write(bytes(length))
