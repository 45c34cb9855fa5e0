"""What a drill repository may rely on: these names stay, and our own steps and documents use no others."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.unit

PUBLIC = {
    "drillbook": {"Drill", "State", "fault", "given", "parse", "parse_duration", "recovery", "then", "when"},
    "drillbook.checks": {
        "MISSING",
        "At",
        "Check",
        "Observation",
        "Reading",
        "Sample",
        "dig",
        "happened",
        "looked",
        "number",
    },
    "drillbook.clients": {
        "Endpoint",
        "RedisError",
        "RedisResponseError",
        "container_client",
        "container_events",
        "container_log",
        "http_get",
        "present",
        "reachable",
        "readable",
        "redis_client",
        "sql_connection",
    },
    "drillbook.errors": {
        "CouldNotLookError",
        "DrillbookError",
        "GuardError",
        "InventoryError",
        "JournalError",
        "Place",
        "PlaybookError",
    },
}
BLOCK = re.compile(r"^```python.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"^(?:from drillbook|import drillbook).*", re.MULTILINE)


@pytest.mark.parametrize("module", list(PUBLIC))
def test_a_public_module_has_these_names_and_says_what_they_are(module: str) -> None:
    found = importlib.import_module(module)
    assert set(found.__all__) == PUBLIC[module]
    for name in found.__all__:
        value = getattr(found, name)
        ours = callable(value) and value.__module__.startswith("drillbook")
        assert not ours or (value.__doc__ or "").strip(), f"{module}.{name} has no docstring"
    assert (found.__doc__ or "").strip()


@pytest.mark.parametrize("module", ["drillbook", "drillbook.clients"])
def test_a_name_that_is_not_there_is_said_as_python_says_it(module: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'nothing'"):
        _ = importlib.import_module(module).nothing


def test_the_names_are_seen_before_they_are_loaded() -> None:
    assert set(dir(importlib.import_module("drillbook"))) >= PUBLIC["drillbook"]


@pytest.mark.parametrize(
    ("asked", "not_loaded"),
    [
        ("import drillbook", "drillbook.engine drillbook.repository pytest pytest_bdd"),
        ("import drillbook.clients", "redis httpx psycopg drillbook.engine.drill"),
        ("from drillbook.clients import http_get, redis_client, sql_connection", "redis httpx psycopg"),
    ],
)
def test_nothing_is_loaded_before_it_is_asked_for(asked: str, not_loaded: str) -> None:
    look = f"import sys\n{asked}\nprint(*set({not_loaded.split()}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each name of Drillbook that is imported, with its module; "" for a module as a whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names if each.name.split(".")[0] == "drillbook")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "drillbook":
            yield from ((str(node.module), each.name) for each in node.names)


def is_public(module: str, name: str) -> bool:
    return (module in PUBLIC and name in {"", *PUBLIC[module]}) or f"{module}.{name}" in PUBLIC


def python_of_documents() -> Iterator[tuple[str, str]]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text()
        yield str(path.relative_to(ROOT)), "\n".join(QUOTED.findall(text)) + "\n"
        yield from ((str(path.relative_to(ROOT)), block) for block in BLOCK.findall(text))


def used() -> Iterator[tuple[str, str, str]]:
    for folder in ("steps", "tests/drills/mini/steps"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for module, name in imports(ast.parse(path.read_text())):
                yield str(path.relative_to(ROOT)), module, name
    for document, text in python_of_documents():
        for module, name in imports(ast.parse(text)):
            yield document, module, name
    repository = ROOT / "benchmarks/repository.py"
    for line in QUOTED.findall(repository.read_text()):
        for module, name in imports(ast.parse(line)):
            yield "benchmarks/repository.py", module, name


def test_our_steps_and_documents_use_what_is_public_only() -> None:
    found = list(used())
    assert {path.split("/")[0] for path, _, _ in found} == {"steps", "tests", "README.md", "docs", "benchmarks"}
    assert [each for each in found if not is_public(*each[1:])] == []


@pytest.mark.parametrize(
    "text",
    [
        "from drillbook.engine.drill import Drill",
        "from drillbook import Chronicle",
        "import drillbook.target.probing.redis",
        "from drillbook.repository.vocabulary import parse",
        "from drillbook import engine",
    ],
)
def test_what_is_not_public_is_seen(text: str) -> None:
    assert [each for each in imports(ast.parse(text)) if not is_public(*each)]
