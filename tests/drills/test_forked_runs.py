"""A run that was forked is told from one that was started by nothing that it prints, gives back or sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from .conftest import ZYGOTE

pytestmark = pytest.mark.lab

SEES = """
import json, os, sys, tempfile
print(json.dumps([os.getcwd(), sys.path[0], sys.argv[1:], dict(os.environ), tempfile.gettempdir(), __name__]))
print("and this", file=sys.stderr)
"""


def forked(root: Path, *words: str, deadline_s: float = 60, **more: str) -> tuple[int, str]:
    with tempfile.TemporaryFile() as output:
        status = ZYGOTE.run(words, root, {**os.environ, **more}, output, deadline_s)
        output.seek(0)
        return status, output.read().decode()


def started(root: Path, *words: str, **more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, **more}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('a sentence')", 1),
        ("import atexit; atexit.register(print, 'at the end')", 0),
        ("os._exit(7)", 7),
        ("os.kill(os.getpid(), 9)", -9),
        ("import threading; threading.Timer(0.01, print, ['later']).start()", 0),
    ],
)
def test_it_sees_and_ends_as_one_that_is_started(tmp_path: Path, end: str, status: int) -> None:
    (tmp_path / "module_of_a_test.py").write_text(f"{SEES}sys.stdout.flush()\n{end}\n")
    asked = ("module_of_a_test", "one", "two words")
    ended = forked(tmp_path, *asked, TMPDIR=str(tmp_path), A="b")
    assert ended == started(tmp_path, *asked, TMPDIR=str(tmp_path), A="b")
    assert ended[0] == status
    assert "and this" in ended[1]


def test_what_is_raised_is_told(tmp_path: Path) -> None:
    (tmp_path / "module_of_a_test.py").write_text("raise ValueError('of the module')\n")
    status, said = forked(tmp_path, "module_of_a_test")
    assert (status, said.splitlines()[-1]) == (1, "ValueError: of the module")


def test_what_lasts_too_long_is_ended_and_the_next_run_begins(tmp_path: Path) -> None:
    (tmp_path / "module_of_a_test.py").write_text("import signal\nsignal.pause()\n")
    with pytest.raises(subprocess.TimeoutExpired):
        forked(tmp_path, "module_of_a_test", deadline_s=1)
    (tmp_path / "module_of_a_test.py").write_text("print('next')\n")
    assert forked(tmp_path, "module_of_a_test") == (0, "next\n")


def test_one_that_goes_on_is_read_and_ended(tmp_path: Path) -> None:
    (tmp_path / "module_of_a_test.py").write_text("import signal\nprint('begun', flush=True)\nsignal.pause()\n")
    running = ZYGOTE.start(["module_of_a_test"], tmp_path, os.environ)
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    assert forked(tmp_path, "json.tool", "--help")[0] == 0, "another runs meanwhile"
    assert running.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        running.communicate(timeout=0)
    running.kill()
    assert running.wait() == running.poll() == -signal.SIGKILL
    assert running.communicate() == ("", None)
    running.send_signal(signal.SIGTERM)  # to nobody


def test_the_sitecustomize_of_its_path_comes_first(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text("print('at the start')\n")
    (tmp_path / "module_of_a_test.py").write_text("import sys; print(sys.path[1], 'sitecustomize' in sys.modules)\n")
    seen = forked(tmp_path, "module_of_a_test", PYTHONPATH=str(tmp_path / "first"))
    assert seen == started(tmp_path, "module_of_a_test", PYTHONPATH=str(tmp_path / "first"))
    assert seen == (0, f"at the start\n{tmp_path / 'first'} True\n")


def test_an_interpreter_that_would_start_otherwise_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ZYGOTE.can({**os.environ, "ANY": "other"})
    assert not ZYGOTE.can({**os.environ, "PYTHONHASHSEED": "1"})
    monkeypatch.setenv("LC_ALL", "C")
    assert not ZYGOTE.can({name: value for name, value in os.environ.items() if name != "LC_ALL"})
