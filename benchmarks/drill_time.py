"""How long a whole drill takes, and where the time goes, beside a shell script that does the same actions.

    python benchmarks/drill_time.py [--runs N]

Needs the lab (`drillbook lab up`). Both do, on the same lab and in turns: look at the health, cut the network between
the API and Redis, wait until the health says so, restore it, wait until it is well again. The script uses
ansible-playbook and curl, proves nothing, keeps nothing and puts nothing back when it fails. Prints medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = "The network between the API and Redis is cut"
FEATURE = f"""@rto:10m
Feature: Benchmark

  Scenario: {SCENARIO}
    Given the system is healthy
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    When the recovery playbook "redis/restore_network" is run
    Then within 60 seconds the API reports "redis" as up
"""
SCRIPT = r"""set -eu
now() { date +%s.%N; }
until_redis() { until curl -s "$API/health/details" | grep -q "\"redis\":{\"status\":\"$1\""; do sleep 0.05; done; }
t0=$(now); until_redis up; t1=$(now)
play() { ansible-playbook -i inventories/lab "$@" >/dev/null; }
play playbooks/faults/network_cut/inject.yml -e client=api -e server=redis; t2=$(now)
until_redis down; t3=$(now)
play playbooks/recovery/redis/restore_network.yml; t4=$(now)
until_redis up; t5=$(now)
echo "$t0 $t1 $t2 $t3 $t4 $t5"
"""
PHASES = ("baseline", "fault", "symptoms", "recovery", "criteria")


def drill(folder: Path) -> Mapping[str, float]:
    """One drill in a pytest of its own; seconds by part."""
    feature = folder / "benchmark.feature"
    feature.write_text(FEATURE)
    before = set(folder.glob("*/content/drill.json"))
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--evidence", str(folder), str(feature),
         "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    whole = time.monotonic() - began
    (path,) = set(folder.glob("*/content/drill.json")) - before
    record: dict[str, Any] = json.loads(path.read_text())
    parts = {phase["phase"]: phase["ended_s"] - phase["started_s"] for phase in record["phases"]}
    return {**parts, "start and evidence": whole - record["duration_s"], "whole": whole}


def script() -> Mapping[str, float]:
    """The same actions by a shell script; seconds by part."""
    lab = json.loads((ROOT / ".drillbook/lab/lab.json").read_text())
    env = {
        **os.environ,
        "API": lab["api"]["url"],
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_ROLES_PATH": str(ROOT / "playbooks/roles"),
        "ANSIBLE_LIBRARY": str(ROOT / "playbooks/library"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    done = subprocess.run(["bash", "-c", SCRIPT], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    moments = [float(word) for word in done.stdout.split()]
    parts = {phase: end - begin for phase, begin, end in zip(PHASES, moments, moments[1:], strict=False)}
    return {**parts, "whole": moments[-1] - moments[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    if not (ROOT / ".drillbook/lab/lab.json").is_file():
        sys.exit("the lab is not running: start it with 'drillbook lab up'")
    times: dict[str, dict[str, list[float]]] = {"drillbook": defaultdict(list), "shell script": defaultdict(list)}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            print(f"run {run + 1} of {runs}", file=sys.stderr, flush=True)
            for who, parts in (("drillbook", drill(Path(folder))), ("shell script", script())):
                for part, seconds in parts.items():
                    times[who][part].append(seconds)
    print(f"R1's cut and restore, medians of {runs} runs in turns, seconds")
    print(f"{'part':<20}{'drillbook':>12}{'shell script':>14}")
    for part in (*PHASES, "restore", "start and evidence", "whole"):
        cells = [statistics.median(times[who][part]) if times[who][part] else None for who in times]
        shown = [f"{cell:.2f}" if cell is not None else "-" for cell in cells]
        print(f"{part:<20}{shown[0]:>12}{shown[1]:>14}")


if __name__ == "__main__":
    main()
