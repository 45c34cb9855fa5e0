"""R1 as a whole. Drillbook and its peers cut and restore the network between the API and Redis on one lab.

All look at the health, cut, wait until the health says so, restore, and wait until it is well again. The script, Chaos
Toolkit and Molecule prove nothing of it, keep little, and put nothing back when they fail.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import LEAN, OURS, PEERS, ROOT, Table, in_turns, timed

FEATURE = """@rto:10m
Feature: Benchmark

  Scenario: The network between the API and Redis is cut
    Given the system is healthy
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    When the recovery playbook "redis/restore_network" is run
    Then within 60 seconds the API reports "redis" as up
"""
SCRIPT = r"""set -eu
until_redis() { until curl -s "$API/health/details" | grep -q "\"redis\":{\"status\":\"$1\""; do sleep 0.05; done; }
until_redis up
ansible-playbook -i inventories/lab playbooks/faults/network_cut/inject.yml -e client=api -e server=redis >/dev/null
until_redis down
ansible-playbook -i inventories/lab playbooks/recovery/redis/restore_network.yml >/dev/null
until_redis up
"""
CUT = ROOT / "playbooks/faults/network_cut/inject.yml"
RESTORE = ROOT / "playbooks/recovery/redis/restore_network.yml"
WAITS = """\
import json, os, time, urllib.error, urllib.request

def redis_is(wanted):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(os.environ["API"] + "/health/details", timeout=1) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        except OSError:
            continue
        if found["components"]["redis"]["status"] == wanted:
            return True
        time.sleep(0.05)  # as often as the prober looks
    return False
"""


def state() -> Path:
    """The folder of the lab's state."""
    return Path(os.environ.get("DRILLBOOK_LAB_STATE", ROOT / ".drillbook/lab"))


def r1(runs: int) -> Table:
    """Measure the whole of R1, each way in turns."""
    if not (state() / "lab.json").is_file():
        sys.exit("the lab is not running: start it with 'drillbook lab up'")
    lab = json.loads((state() / "lab.json").read_text())
    env = {
        "API": lab["api"]["url"],
        "ANSIBLE_ROLES_PATH": str(ROOT / "playbooks/roles"),
        "ANSIBLE_LIBRARY": str(ROOT / "playbooks/library"),
        "ANSIBLE_MODULE_UTILS": str(ROOT / "playbooks/module_utils"),
        "ANSIBLE_FILTER_PLUGINS": str(ROOT / "playbooks/filter_plugins"),
        "ANSIBLE_LOOKUP_PLUGINS": str(ROOT / "playbooks/lookup_plugins"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{PEERS}:/usr/local/bin:/usr/bin:/bin",
        "DRILLBOOK_LAB_STATE": str(state()),
    }
    over: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = _chaos(folder / "chaos")
        scenario = _molecule(folder / "molecule")
        ways: dict[str, Callable[[], float]] = {
            "Drillbook": lambda: _drill(folder / "evidence", over),
            "shell script with curl": lambda: timed(("bash", "-c", SCRIPT), ROOT, env=env).wall_s,
            "Chaos Toolkit": lambda: (
                timed((PEERS / "chaos", "run", "it.json"), experiment, env={**env, "PYTHONPATH": "."}).wall_s
            ),
            "Molecule with testinfra": lambda: timed((PEERS / "molecule", "test"), scenario, env=env).wall_s,
        }
        times = in_turns(runs, ways)
    base = times["shell script with curl"]
    table = Table("R1 as a whole", "make bench PARTS=r1", ("", "s", "times the script"))
    table.rows += [(who, f"{took:.2f}", f"{took / base:.2f}") for who, took in times.items()]
    own = sorted(over)[len(over) // 2]
    table.rows.append(("Drillbook's own part of it", f"{own:.2f}", f"{own / base:.2f}"))
    table.notes.append(
        "Drillbook's own part is what the system and the tasks of the playbooks do not need: the whole less the "
        "drill's length, and `overhead.total_s` of its record (median)."
    )
    return table


def _drill(evidence: Path, over: list[float]) -> float:
    evidence.mkdir(exist_ok=True)
    feature = evidence / "benchmark.feature"
    feature.write_text(FEATURE)
    before = set(evidence.glob("*/content/drill.json"))
    command = (OURS / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *LEAN)
    place = ("--rootdir", ROOT, "-c", ROOT / "pyproject.toml", "-o", f"drillbook_features={evidence}")
    options = ("--evidence", evidence, feature, *place)
    whole_s = timed((*command, "-o", "drillbook_report=false", *options), ROOT).wall_s
    (path,) = set(evidence.glob("*/content/drill.json")) - before
    record: dict[str, Any] = json.loads(path.read_text())
    over.append(whole_s - record["duration_s"] + record["overhead"]["total_s"])
    return whole_s


def _chaos(root: Path) -> Path:
    root.mkdir()
    (root / "waits.py").write_text(WAITS)

    def probe(wanted: str) -> dict[str, Any]:
        provider = {"type": "python", "module": "waits", "func": "redis_is", "arguments": {"wanted": wanted}}
        return {"type": "probe", "name": f"redis is {wanted}", "provider": provider, "tolerance": True}

    def play(path: Path, *more: str) -> dict[str, Any]:
        arguments = " ".join(("-i", str(ROOT / "inventories/lab"), str(path), *more))
        provider = {"type": "process", "path": str(PEERS / "ansible-playbook"), "arguments": arguments, "timeout": 120}
        return {"type": "action", "name": path.stem, "provider": provider}

    method = [play(CUT, "-e client=api", "-e server=redis"), probe("down"), play(RESTORE)]
    steady = {"title": "Redis is up", "probes": [probe("up")]}
    experiment = {"title": "R1", "description": "R1", "steady-state-hypothesis": steady, "method": method}
    (root / "it.json").write_text(json.dumps(experiment))
    return root


def _molecule(root: Path) -> Path:
    """A Molecule scenario: converge cuts, verify waits for the incident, side_effect restores, and the second verify
    waits for the end.
    """
    folder = root / "molecule/default"
    folder.mkdir(parents=True)
    (folder / "molecule.yml").write_text(
        "driver: {name: default, options: {managed: false}}\n"
        "platforms: []\n"
        f"provisioner: {{name: ansible, inventory: {{links: {{hosts: {ROOT / 'inventories/lab'}}}}}}}\n"
        "verifier: {name: testinfra, directory: ../../tests}\n"
        "scenario: {test_sequence: [converge, verify, side_effect, verify]}\n"
    )
    (folder / "converge.yml").write_text(
        f"- ansible.builtin.import_playbook: {CUT}\n  vars: {{client: api, server: redis}}\n"
    )
    (folder / "side_effect.yml").write_text(f"- ansible.builtin.import_playbook: {RESTORE}\n")
    (root / "tests").mkdir()
    test = (
        "\n\ndef test_it():\n    path = Path(__file__).with_name('turn')\n    first = not path.exists()\n"
        "    path.touch() if first else path.unlink()\n    assert redis_is('down' if first else 'up')\n"
    )
    (root / "tests/test_it.py").write_text(f"from pathlib import Path\n{WAITS}{test}")
    return root
