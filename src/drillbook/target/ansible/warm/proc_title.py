"""Changes what /proc says about this process. A fork shows its parent's command line and environment until it writes
its own over them (as setproctitle does).

The rule: a warm play looks as a cold one does. Drillbook finds the processes of a play by a variable in
/proc/PID/environ. The commands of a play inherit the real environment when they are executed, but the play itself and
its workers are only forks.
"""

from __future__ import annotations

import ctypes
from pathlib import Path


class Memory:
    """Where the kernel reads /proc/self/cmdline and /proc/self/environ: the same addresses in every fork."""

    def __init__(self) -> None:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        self._arguments = int(fields[45]), int(fields[46])
        self._variables = int(fields[47]), int(fields[48])

    def holds(self, environment: dict[bytes, bytes]) -> bool:
        """Whether the environment has room."""
        begin, end = self._variables
        return len(_variables(environment)) < end - begin

    def name(self, arguments: list[bytes]) -> None:
        """Show these arguments, as many as there is room for."""
        _write(self._arguments, b"\0".join(arguments))

    def show(self, environment: dict[bytes, bytes]) -> None:
        """Show this environment. Nobody reads the old one: Python has copied it, and libc got its own."""
        _write(self._variables, _variables(environment))


def _variables(environment: dict[bytes, bytes]) -> bytes:
    return b"\0".join(name + b"=" + value for name, value in environment.items())


def _write(place: tuple[int, int], text: bytes) -> None:
    begin, end = place
    size = end - begin
    # the last byte stays NUL: without it the kernel takes the environment for a part of the command line
    ctypes.memmove(begin, text[: size - 1].ljust(size, b"\0"), size)
