"""A program of the lab that supervisord forks is like one that is executed: what it is given, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook_lab.lifecycle.supervision.daemon import is_ours

pytestmark = pytest.mark.lab

SUPERVISORD = """
import os, signal, sys
from drillbook_lab.lifecycle.supervision.daemon import become
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR2):
    signal.signal(number, lambda *_: None)
sys.stdout = open("/dev/null", "w")
argv = [sys.executable, "-P", "-m", *sys.argv[1:]]
env = {"LC_ALL": "C.UTF-8", "ITS": "own", "PYTHONPATH": os.environ["PYTHONPATH"]}
"""
EXECUTED = SUPERVISORD + 'os.execve(argv[0], argv, env | {"PYTHONUNBUFFERED": "1"})'
FORKED = SUPERVISORD + "become(argv, env)"
TELLS = """
import json, os, signal, sys
from pathlib import Path
numbers = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR2, signal.SIGPIPE]
print(json.dumps({
    "name": __name__,
    "arguments": sys.argv[1:],
    "environment": {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "signals": [repr(signal.getsignal(number)) for number in numbers],
    "encodings": [sys.stdout.encoding, sys.stderr.encoding],
    "command": Path("/proc/self/cmdline").read_text().rstrip("\\0").split("\\0")[1:],
}))
"""
ENDINGS = {
    "at its end": "print('said')",
    "with a status": "print('said')\nraise SystemExit(3)",
    "with a word": "raise SystemExit('why')",
    "raises": "def fails():\n    raise ValueError('why')\nfails()",
    "a thread goes on": "import threading, time\nthreading.Thread(target=lambda: print('later')).start()",
    "something is registered for the end": "import atexit\natexit.register(print, 'last')",
    "killed by itself": "import os, signal\nprint('said')\nos.kill(os.getpid(), signal.SIGKILL)",
    "terminated by itself": "import os, signal\nprint('said')\nos.kill(os.getpid(), signal.SIGTERM)",
}


def run(folder: Path, how: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(folder), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-P", "-c", how, *words]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_it_is_given_what_it_would_be_given(tmp_path: Path) -> None:
    (tmp_path / "tells.py").write_text(TELLS)
    executed, forked = (
        json.loads(run(tmp_path, how, "tells", "one", "two words").stdout) for how in (EXECUTED, FORKED)
    )
    assert forked == executed


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_it_ends_as_it_would_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "ends.py").write_text(text)
    executed, forked = (run(tmp_path, how, "ends") for how in (EXECUTED, FORKED))
    assert (forked.returncode, forked.stdout) == (executed.returncode, executed.stdout)
    # a traceback also names what has run the module
    assert forked.stderr.splitlines()[-1:] == executed.stderr.splitlines()[-1:]


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ((sys.executable, "-P", "-m", "drillbook_lab.app.api", "api.env"), True),
        ((sys.executable, "-P", "-m", "drillbook_lab.web"), True),
        ((sys.executable, "-P", "-m", "moto.server", "-p", "1"), False),
        ((sys.executable, "-m", "drillbook_lab.app.api", "api.env"), False),
        (("/usr/bin/python", "-P", "-m", "drillbook_lab.app.api", "api.env"), False),
        ((sys.executable, "-P", "-m"), False),
        (("valkey-server", "redis.conf"), False),
    ],
)
def test_only_the_lab_s_own_programs_are_forked(words: tuple[str, ...], ours: bool) -> None:
    assert is_ours(words) is ours
