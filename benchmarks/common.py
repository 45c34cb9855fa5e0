"""What the benchmarks share. They time processes, and print and write tables."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OURS = Path(sys.executable).parent
PEERS = HERE / ".venv" / "bin"
"""The peers' environment. `make bench` makes it."""

LEAN = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:valkey", "-p", "no:xdist", "-p", "no:rerunfailures")
"""Plugins that belong to the tests and the lab of Drillbook's own repository. Its users do not have them."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of one process and of all children that it waited for."""

    began_s: float
    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


def timed(
    command: Sequence[str | Path], cwd: Path, *, env: Mapping[str, str] | None = None, status: int | None = 0
) -> Timing:
    """Run a process to its end. Raises SystemExit when it ends with another status than `status` (None: any is right).

    The process may keep what it compiles, as a user's does. Otherwise pytest rewrites its plugins each time (0.25 s).
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began_s = time.monotonic()
    with subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, ended, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
    wall_s = time.monotonic() - began_s
    if status is not None and process.returncode != status:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{output[-3000:]}")
    return Timing(began_s, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def in_turns(runs: int, ways: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median time of each way. The ways take turns, so that a busy machine slows all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            times[name].append(way())
    return {name: statistics.median(each) for name, each in times.items()}


@dataclass(slots=True)
class Table:
    """One measurement, as docs/benchmarks.md shows it."""

    title: str
    command: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", f"`{self.command}`", "", _row(self.header)]
        lines.append(_row(["---", *["--:"] * (len(self.header) - 1)]))
        lines += [_row(row) for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def compared(times: Mapping[str, float], base: str, digits: int = 2) -> list[Sequence[str]]:
    """Rows: who, seconds, and how many times as long as `base`."""
    return [(who, f"{took:.{digits}f}", f"{took / times[base]:.2f}") for who, took in times.items()]
