"""The house keeps its shape: few rooms, each with its rule, arrows that go downwards, and imports at the top.

Each rule is a function of a folder, so that a folder which breaks it is seen to be refused.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.unit

SOURCE = ROOT / "src/drillbook"
PUBLIC = ("drillbook", "drillbook.checks", "drillbook.clients", "drillbook.errors")
ENTRIES, MODULES, WITHIN_FUNCTIONS = 12, 14, 30


def entries(folder: Path) -> list[str]:
    """What stands in a folder, without what Python leaves there, and the one name that `python -m` runs."""
    return sorted(each.name for each in folder.iterdir() if each.name not in {"__pycache__", "__main__.py"})


def packages(folder: Path) -> list[Path]:
    return sorted(each.parent for each in folder.rglob("__init__.py"))


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def without_rule(folder: Path) -> list[str]:
    """The packages whose `__init__` does not say what they are for."""
    return [
        each.relative_to(folder).as_posix()
        for each in packages(folder)
        if not ast.get_docstring(ast.parse((each / "__init__.py").read_text()))
    ]


def within_functions(folder: Path) -> list[str]:
    """Imports that are made when a function is called, as `path:line`; those for the type checker are none."""

    def found(node: ast.AST, *, within: bool) -> Iterator[int]:
        for child in ast.iter_child_nodes(node):
            if within and isinstance(child, (ast.Import, ast.ImportFrom)):
                yield child.lineno
            yield from found(child, within=within or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))

    return [
        f"{path.relative_to(folder).as_posix()}:{line}"
        for path in modules(folder)
        for line in found(ast.parse(path.read_text()), within=False)
    ]


def not_public(folder: Path) -> list[str]:
    """What the modules of a folder import of Drillbook although it is not public."""
    return [
        f"{path.name}:{getattr(node, 'lineno', 0)}: {name}"
        for path in modules(folder)
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        if name.split(".")[0] == "drillbook" and name not in PUBLIC
    ]


def of_pytest(folder: Path) -> set[str]:
    """The packages whose modules import `_pytest`."""
    return {
        path.relative_to(folder).parts[0]
        for path in modules(folder)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and any(
            name.split(".")[0] == "_pytest"
            for name in [getattr(node, "module", None) or "", *(n.name for n in node.names)]
        )
    }


def test_there_are_few_rooms_and_few_things_in_each() -> None:
    assert len(entries(SOURCE)) <= ENTRIES, entries(SOURCE)
    crowded = {each.name: len(list(each.glob("*.py"))) - 1 for each in packages(SOURCE)}
    assert {name: count for name, count in crowded.items() if count > MODULES} == {}


def test_each_room_says_its_rule() -> None:
    assert without_rule(SOURCE) == []


def test_imports_stand_at_the_top() -> None:
    assert len(within_functions(SOURCE)) <= WITHIN_FUNCTIONS, within_functions(SOURCE)


def test_steps_import_what_is_public() -> None:
    assert not_public(ROOT / "steps") == []


def test_the_plugin_alone_imports_the_inner_parts_of_pytest() -> None:
    assert of_pytest(SOURCE) == {"pytest_plugin"}


def test_a_house_that_breaks_the_rules_is_seen(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room/__init__.py").write_text("")
    (tmp_path / "room/step.py").write_text(
        "import drillbook.engine\nfrom drillbook.model import record\nfrom drillbook import then\n"
        "def late():\n    import json\n    from _pytest import nodes\n"
    )
    assert entries(tmp_path) == ["room"]
    assert without_rule(tmp_path) == ["room"]
    assert within_functions(tmp_path) == ["room/step.py:5", "room/step.py:6"]
    assert not_public(tmp_path) == ["step.py:1: drillbook.engine", "step.py:2: drillbook.model"]
    assert of_pytest(tmp_path) == {"room"}


@pytest.mark.parametrize(
    ("module", "arrow", "named"),
    [
        (None, "", "0 broken"),
        ("model/verdict.py", "import drillbook.engine.session", "Each package imports only what stands below it"),
        ("target/ansible/run.py", "import drillbook.target.inventory.hosts", "Within the target"),
        ("engine/session.py", "import drillbook.evidence.render.terminal", "Nothing that drills knows a rendering"),
        ("engine/session.py", "import pytest", "knows no pytest"),
        ("engine/session.py", "import ansible_runner", "Ansible is started by one package"),
    ],
)
def test_an_arrow_that_is_turned_round_is_named(module: str | None, arrow: str, named: str, tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "drillbook", ignore=shutil.ignore_patterns("__pycache__"))
    if module is not None:
        with (tmp_path / "drillbook" / module).open("a") as source:
            source.write(f"\n{arrow}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert named in done.stdout, done.stdout + done.stderr
    assert (done.returncode == 0) is (module is None), done.stdout
