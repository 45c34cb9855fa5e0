"""What CI says of the other Pythons: none is left out without a word, and what did not pass fails the run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.unit

MAKE = """\
case $1 in VENV=*) venv=${1#VENV=};; esac
mkdir -p "$venv/bin"; printf '#!/bin/sh\\n' >"$venv/bin/drillbook"; chmod +x "$venv/bin/drillbook"
exit %d
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with nothing but the script, in which `make` succeeds."""
    script = tmp_path / ".ci/pythons"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci/pythons", script)
    program(tmp_path / "bin/make", MAKE % 0)
    return tmp_path


def said(checkout: Path, *versions: str, **environment: str) -> tuple[int, list[str]]:
    """The exit status, and the lines about Pythons."""
    environment = {"PATH": f"{checkout / 'bin'}:/usr/bin:/bin", "HOME": str(checkout), **environment}
    command = ["bash", str(checkout / ".ci/pythons"), *versions]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("Python ")]


def test_a_python_that_is_not_here_is_named(checkout: Path) -> None:
    assert said(checkout, "3.98") == (0, ["Python 3.98: NOT HERE: no python3.98 on the PATH, and none of pyenv's"])


def test_a_command_of_pyenv_that_runs_nothing_is_no_python(checkout: Path) -> None:
    program(checkout / "bin/python3.98", "echo 'pyenv: python3.98: command not found' >&2; exit 127\n")
    assert said(checkout, "3.98")[1] == ["Python 3.98: NOT HERE: no python3.98 on the PATH, and none of pyenv's"]


@pytest.mark.parametrize("where", ["bin/python3.98", ".pyenv/versions/3.98.1/bin/python"])
def test_a_drill_runs_on_each_that_is_here(checkout: Path, where: str) -> None:
    program(checkout / where, "")
    assert said(checkout, "3.98", "3.99") == (
        0,
        ["Python 3.98: one drill PASSED", "Python 3.99: NOT HERE: no python3.99 on the PATH, and none of pyenv's"],
    )


def test_a_drill_that_does_not_pass_fails_the_run(checkout: Path) -> None:
    program(checkout / "bin/python3.98", "")
    program(checkout / "bin/make", MAKE % 1)
    assert said(checkout, "3.98") == (1, ["Python 3.98: one drill NOT PASSED"])


@pytest.mark.parametrize(("status", "how"), [(0, "passed"), (1, "NOT PASSED")])
def test_each_night_the_unit_tests_run_as_well(checkout: Path, status: int, how: str) -> None:
    program(checkout / "bin/python3.98", "")
    # as tox does where it is told to skip nothing
    program(
        checkout / ".venv/bin/tox",
        f'[ "$*" = "run -e py398 --skip-missing-interpreters=false -- -m unit tests/unit" ] && exit {status}; exit 9\n',
    )
    assert said(checkout, "3.98", DRILLBOOK_PROVE="all") == (
        status,
        [f"Python 3.98: one drill PASSED, the unit tests {how}"],
    )


def test_ci_runs_it_and_says_at_its_end_what_it_said() -> None:
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert ".ci/pythons" in text
    assert text.index("grep '^Python '") > text.index(".ci/pythons")
    assert os.access(ROOT / ".ci/pythons", os.X_OK)
