"""All benchmarks, side by side in one run. They write the tables to docs/benchmarks.md.

    python benchmarks/run.py [--runs N] [PART ...]

With parts named, it measures and prints only these, and writes no file. `make bench` makes the peers' environment
first. The part `r1` needs the lab.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from common import PEERS, ROOT, Table, timed
from over_ssh import over_ssh
from plays import plays
from pytest_start import collection, start, steps
from scale import ledger, prober
from sealed import verify
from sealing import seal
from warm import warm
from whole_drill import r1

PARTS: Mapping[str, Callable[[int], Table]] = {
    "start": start,
    "steps": steps,
    "warm": warm,
    "plays": plays,
    "ssh": over_ssh,
    "r1": r1,
    "prober": prober,
    "ledger": ledger,
    "seal": seal,
    "verify": verify,
    "collection": collection,
}
OURS = ("drillbook", "pytest", "pytest-bdd", "ansible-core", "ansible-runner")
THEIRS = ("chaostoolkit", "chaostoolkit-lib", "molecule", "pytest-bdd", "pytest-testinfra", "ansible-core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5, help="of each way; the median counts (default: 5)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    if not (PEERS / "python").exists():
        sys.exit("the peers are not installed: run 'make bench', which does that first")
    began_s = time.monotonic()
    tables = []
    for name in asked.parts or PARTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        tables.append(PARTS[name](asked.runs))
        print(tables[-1].markdown(), flush=True)
    took_s = time.monotonic() - began_s
    if asked.parts:
        return
    page = "\n".join([_head(asked.runs, took_s), *(table.markdown() for table in tables)])
    (ROOT / "docs/benchmarks.md").write_text(page, encoding="utf-8")


def _head(runs: int, took_s: float) -> str:
    ours = ", ".join(f"{name} {version(name)}" for name in OURS)
    code = f"from importlib.metadata import version as v; print(', '.join(f'{{n}} {{v(n)}}' for n in {THEIRS!r}))"
    theirs = timed((PEERS / "python", "-c", code), ROOT).output.strip()
    load = os.getloadavg()[0]
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench`: medians of {runs} runs, the ways in turns, on {os.cpu_count()} cores with Python "
        f"{platform.python_version()}; {took_s / 60:.0f} minutes, load average {load:.1f} at the end. Seconds differ "
        "from machine to machine, ratios hardly.\n\n"
        f"Drillbook's environment: {ours}. The peers' own: {theirs}.\n"
    )


if __name__ == "__main__":
    main()
