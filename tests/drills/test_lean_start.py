"""Nothing that a run does not use is imported: a start that everybody waits for, and that hundreds of tests repeat."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Mini

pytestmark = pytest.mark.lab

NEVER = (
    "ansible",
    "boto3",
    "cryptography",
    "docker",
    "fsspec",
    "hypothesis",
    "httpx",
    "markdown_it",
    "matplotlib",
    "numpy",
    "psycopg",
    "redis",
    "securesystemslib",
    "typer",
    "xmlschema",
)
"""By neither: Ansible runs in processes of its own, and no endpoint of this repository is a database or Redis."""
NOT_TO_COLLECT = ("ansible_runner", "jinja2", "pexpect", "psutil")
OF_ONE_COMMAND = (
    "drillbook.repository.plan.side_effects",
    "drillbook.repository.lint",
    "drillbook.repository.plan.planner",
    "drillbook.evidence.render.html.page",
)

SEEN = """\
import sys
from pathlib import Path

import pytest

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish():
    Path("imported").write_text("\\n".join(sys.modules))
    loaders = {name: type(getattr(each, "__loader__", None)).__name__ for name, each in sys.modules.items()}
    rewritten = [name for name, loader in loaders.items() if loader == "AssertionRewritingHook"]
    Path("rewritten").write_text("\\n".join(rewritten))
"""


def imported(mini: Mini, *args: str) -> set[str]:
    """What the process of a pytest has imported by the end of its session."""
    (mini.root / "seen.py").write_text(SEEN)
    # without coverage, which imports what it measures
    command = mini.command("-p", "seen", *args)
    subprocess.run(command, cwd=mini.root, env=mini.environment(PYTHONPATH=str(mini.root)), check=True)
    return set((mini.root / "imported").read_text().split())


def test_a_collection_imports_nothing_that_only_a_drill_needs(mini: Mini) -> None:
    found = imported(mini, "--collect-only", "features")
    assert "drillbook.pytest_plugin.plugin" in found
    assert not found & {*NEVER, *NOT_TO_COLLECT, *OF_ONE_COMMAND, "drillbook.target.ansible.run"}


def test_a_session_without_a_drill_does_not_import_the_drill(mini: Mini) -> None:
    (mini.root / "test_other.py").write_text("def test_it() -> None:\n    print(1)\n")
    (mini.root / "steps/web.py").unlink()
    found = imported(mini, "test_other.py")
    assert not found & {
        *NEVER,
        *NOT_TO_COLLECT,
        *OF_ONE_COMMAND,
        "drillbook.engine.drill",
        "drillbook.target.probing.prober",
        "asyncio",
    }


def test_a_plain_drill_imports_nothing_that_it_does_not_use(mini: Mini) -> None:
    found = imported(mini, "features")
    assert {"ansible_runner", "drillbook.target.probing.prober"} <= found
    assert not found & {*NEVER, "drillbook.repository.lint", "drillbook.evidence.render.html.page"}


def test_python_imports_drillbook_and_pytest_the_steps(mini: Mini) -> None:
    found = {name for name in imported(mini, "features") if name.startswith("drillbook.")}
    rewritten = set((mini.root / "rewritten").read_text().split())
    assert len(found) > 100
    assert not rewritten & found - {"drillbook.pytest_plugin"}  # it is the first, and changes this
    assert "steps.web" in rewritten


@pytest.mark.parametrize("name", ["matplotlib", "psycopg", "drillbook.repository.plan.planner"])
def test_what_is_imported_after_all_is_seen(mini: Mini, name: str) -> None:
    step = mini.root / "steps/web.py"
    step.write_text(f"{step.read_text()}\nimport {name}\n")
    assert name in imported(mini, "--collect-only", "features")


def test_the_guardian_waits_as_a_bare_interpreter(tmp_path: Path) -> None:
    guardian = Path(__file__).parents[2] / "src/drillbook/commands/guardian_process.py"
    look = f"import runpy, sys; runpy.run_path({str(guardian)!r}, run_name='looked at'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not {"asyncio", "psutil", "pytest", "drillbook.engine.session", "drillbook.commands.guardian_undo"} & set(
        done.stdout.split()
    )
