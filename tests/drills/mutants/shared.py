"""Many mutants in one repository and one pytest: each is a feature of its own, with steps and playbooks of its own.

The rule: a mutant shares a session only where it leaves alone what the others use. Its edits are made to a repository
of its own; from there its feature, its steps and its playbooks are taken over under a name of its own. One that edits
anything else (the ini, the inventory, a conftest.py), that ends the session, or after which no drill starts is `alone`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.drills.conftest import MINI, Mini, Ran

from . import ABORTED, INVALID, NOT_RECOVERED, PASSED, REFUSED, Edit

SHARING = (INVALID, NOT_RECOVERED, ABORTED, REFUSED)
"""The outcomes after which the session goes on; each has a session of its own, whose status tells the outcome."""
TWIN = "web"
"""The repository's own feature, which nobody edits: it passes among the others."""
STEPS, FEATURE = "steps/web.py", "features/web.feature"
PLAYBOOKS = {"breakage": "playbooks/faults/breakage", "fix": "playbooks/recovery/fix.yml"}
STATES = "states.txt"
CONFTEST = f"""\
import pathlib


def pytest_runtest_logfinish(nodeid):
    state = "broken" if pathlib.Path("flag").exists() else "whole"
    with pathlib.Path("{STATES}").open("a") as file:
        file.write(f"{{state}} {{nodeid}}\\n")
"""
"""Writes, once a test has ended, in which state its drill has left the service."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a session tells of one feature."""

    said: str
    """The failures in JUnit's file, which are those of the terminal."""
    outcomes: frozenset[str]
    """Those of the terminal's table."""
    passed: bool
    """Whether anything calls it passed: JUnit, the terminal or its record."""
    broken: bool
    """Whether the service was broken when its drill had ended."""


def takes_over(mini: Mini, name: str, edits: Sequence[Edit], scratch: Path) -> None:
    """Add a feature as these edits make it to the repository; its sentences and its playbooks bear its name."""
    shutil.copytree(MINI, scratch, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        edit(Mini(scratch))
    before, after = _texts(MINI), _texts(scratch)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert touched, f"{name} changes nothing"
    others = sorted(path for path in touched if not path.startswith((STEPS, FEATURE, *PLAYBOOKS.values())))
    assert not others, f"{name} edits {others}, which others use: it has to be alone"
    feature = re.sub(r"(?m)^( +(?:Given|When|Then|And|But) )", rf"\1{name}: ", after[FEATURE])
    steps = re.sub(r"(?m)^(@\w+\((?:parse\()?[\"'])", rf"\1{name}: ", after[STEPS])
    for word, place in PLAYBOOKS.items():
        if any(path.startswith(place) for path in touched):
            feature, steps = feature.replace(f'"{word}"', f'"{name}"'), steps.replace(f"'{word}'", f"'{name}'")
            _write(mini, {path.replace(word, name): after[path] for path in after if path.startswith(place)})
    _write(mini, {f"features/{name}.feature": feature, f"steps/{name}.py": steps})


def _texts(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)): path.read_text() for path in files}


def _write(mini: Mini, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (mini.root / path).parent.mkdir(parents=True, exist_ok=True)
        (mini.root / path).write_text(text)


def told(ran: Ran, name: str) -> Told:
    """What this session tells of the feature of this name."""
    path = f"features/{name}.feature"
    cases = [case for case in ElementTree.parse(ran.root / "junit.xml").iter("testcase") if _is_of(case, path)]
    bad = [[each for each in case if each.tag in {"failure", "error"}] for case in cases]
    said = "\n".join(f"{each.get('message')}\n{each.text}" for of_case in bad for each in of_case)
    table = ran.output.partition("= drills =")[2].partition("= short test summary info =")[0]
    outcomes = set(re.findall(rf"(?m)^([A-Z_]+) +{re.escape(path)}::", table))
    records = {drill["outcome"] for drill in ran.drills() if drill["feature"]["path"] == path}
    states = ran.root / STATES
    lines = states.read_text().splitlines() if states.exists() else []
    return Told(
        said=said,
        outcomes=frozenset(outcomes),
        passed=not all(bad) or PASSED in outcomes | records,
        broken=any(line.startswith(f"broken {path}::") for line in lines),
    )


def _is_of(case: ElementTree.Element, path: str) -> bool:
    """Whether a test case of JUnit is a run, or the collection, of this feature."""
    return path.replace("/", ".") in {case.get("classname"), case.get("name")}
