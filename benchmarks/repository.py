"""Small repositories that do the same with Drillbook, with pytest-bdd alone, with Chaos Toolkit and with Molecule."""

from __future__ import annotations

import json
import sys
from pathlib import Path

SAID = "said"
"""Each step appends one line to this file: when it ran, in monotonic seconds."""
_SAY = f"""\
import time
from pathlib import Path

SAYING = (Path(__file__).resolve().parents[1] / {SAID!r}).open("a", buffering=1)

def say():
    print(repr(time.monotonic()), file=SAYING)
"""
_STEPS = f"""\
{_SAY}
from drillbook import fault, given, recovery, then
from drillbook.checks import At

@given("nothing")
def nothing():
    say()

@then("nothing happens")
def happens():
    say()

@given("the service is healthy")
def healthy(drill):
    say()
    drill.expect(At("web").answers())

@fault("the service breaks")
def breaks(drill):
    drill.inject("breakage")

@then("the service is down")
def down(drill):
    drill.eventually(At("web").silent(), within=20)

@recovery("it is repaired")
def repaired(drill):
    drill.recover("fix")

@then("the service is up")
def up(drill):
    drill.eventually(At("web").answers(), within=20)
"""
_BDD = f"""\
{_SAY}
from pytest_bdd import given, scenarios, then

scenarios("../features")

@given("nothing")
def nothing():
    say()

@then("nothing happens")
def happens():
    say()
"""


def plain_scenario(name: str, steps: int) -> str:
    """A scenario of so many steps that do nothing."""
    lines = [f"  Scenario: {name}", "    Given nothing", *["    Then nothing happens"] * (steps - 1)]
    return "\n".join(lines) + "\n"


def drill_scenario(baseline_steps: int) -> str:
    """A drill whose baseline has this many steps that do nothing, and one step that looks."""
    lines = [
        "  Scenario: It breaks",
        "    Given the service is healthy",
        *["    And nothing"] * baseline_steps,
        "    When the service breaks",
        "    Then the service is down",
        "    When it is repaired",
        "    Then the service is up",
    ]
    return "\n".join(lines) + "\n"


def features(root: Path, *scenarios: str, name: str = "it") -> None:
    """Write one feature."""
    (root / "features").mkdir(exist_ok=True)
    (root / f"features/{name}.feature").write_text(f"Feature: {name}\n\n" + "\n".join(scenarios))


def ours(root: Path, mini: Path) -> Path:
    """A drill repository over the small service of the tests."""
    for folder in ("playbooks", "inventories"):
        _copy(mini / folder, root / folder)
    (root / "steps").mkdir(parents=True)
    (root / "steps/it.py").write_text(_STEPS)
    (root / "pyproject.toml").write_text(
        '[tool.pytest]\ndrillbook_inventory = "inventories"\ndrillbook_report = false\n'
        'addopts = ["-p", "no:pytest11.testinfra"]\n'
    )
    return root


def bdd(root: Path) -> Path:
    """The same for pytest-bdd alone."""
    (root / "tests").mkdir(parents=True)
    (root / "tests/test_it.py").write_text(_BDD)
    (root / "pyproject.toml").write_text("[tool.pytest]\n")
    return root


def chaos(root: Path, probes: int) -> Path:
    """An experiment of so many probes that do nothing."""
    (root / "lib").mkdir(parents=True)
    (root / "lib/it.py").write_text(f"{_SAY}\ndef nothing():\n    say()\n    return True\n")
    probe = {
        "type": "probe",
        "name": "nothing",
        "provider": {"type": "python", "module": "it", "func": "nothing"},
    }
    experiment = {
        "title": "it",
        "description": "it",
        "method": [{**probe, "name": f"nothing {number}"} for number in range(probes)],
        "rollbacks": [],
    }
    (root / "it.json").write_text(json.dumps(experiment))
    return root


def molecule(root: Path) -> Path:
    """A scenario whose verifier is testinfra, on this machine."""
    folder = root / "molecule/default"
    folder.mkdir(parents=True)
    (folder / "molecule.yml").write_text(
        "driver: {name: default, options: {managed: false}}\n"
        "platforms: [{name: localhost}]\n"
        "provisioner: {name: ansible, inventory: {host_vars: {localhost: {ansible_connection: local}}}}\n"
        "verifier: {name: testinfra, directory: ../../tests}\n"
        "scenario: {test_sequence: [verify]}\n"
    )
    (folder / "converge.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
    (root / "tests").mkdir()
    (root / "tests/test_it.py").write_text(f"{_SAY}\ndef test_it(host):\n    say()\n    assert host.file('/').exists\n")
    return root


def playbook(path: Path, tasks: int) -> Path:
    """A playbook of so many commands that change nothing."""
    lines = ["- hosts: all", "  gather_facts: false", "  tasks:"]
    lines += [f"    - {{name: Task {number}, ansible.builtin.command: 'true'}}" for number in range(tasks)]
    path.write_text("\n".join(lines) + "\n")
    return path


HOSTS = f"web-1 ansible_connection=local ansible_python_interpreter={sys.executable}\n"


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
