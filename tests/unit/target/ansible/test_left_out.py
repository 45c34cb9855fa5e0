"""What the inventory does not wait for is there when the first play begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SERVER = """\
import sys
from drillbook.target.ansible.warm.early.left_out import NotHereError, left_out, put_in
with left_out():
    import drillbook.target.ansible.warm.early.inventory
from ansible import cli
from ansible.plugins import connection
from ansible.vars import manager
"""
WITHOUT = "print('ansible.playbook.play' in sys.modules, 'ansible._internal._ssh._ssh_agent' in sys.modules)\n"
SAME = """\
from ansible._internal._ssh import _agent_launch
from ansible.playbook.play_context import PlayContext
from ansible.vars import reserved
print(cli._agent_launch is _agent_launch, connection.PlayContext is PlayContext)
print(manager.warn_if_reserved is reserved.warn_if_reserved)
"""
AGENT = """\
try:
    cli._agent_launch.launch_ssh_agent()
except NotHereError:
    print("refused")
else:
    print("none")
"""


def run(code: str, tmp_path: Path, **variables: str) -> list[str]:
    config = tmp_path / "ansible.cfg"
    config.touch()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(config),
    }
    done = subprocess.run(
        [sys.executable, "-c", SERVER + code],
        capture_output=True,
        text=True,
        check=False,
        env=environment | variables,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_inventory_does_not_wait_for_what_plays_are_made_of(tmp_path: Path) -> None:
    assert run(WITHOUT, tmp_path) == ["False", "False"]


def test_before_a_play_each_module_has_what_was_left_out(tmp_path: Path) -> None:
    assert run(f"put_in()\n{WITHOUT}{SAME}", tmp_path) == ["True"] * 5


def test_what_was_not_put_in_would_be_seen(tmp_path: Path) -> None:
    assert run(SAME, tmp_path) == ["False"] * 3


@pytest.mark.parametrize(("asked", "answer"), [("none", "none"), ("auto", "refused"), ("/run/agent", "refused")])
def test_an_agent_of_ssh_is_left_to_a_play(tmp_path: Path, asked: str, answer: str) -> None:
    assert run(AGENT, tmp_path, ANSIBLE_SSH_AGENT=asked) == [answer]


def test_the_version_of_jinja_is_that_of_its_metadata(tmp_path: Path) -> None:
    code = (
        "from ansible._internal import _templating\n"
        "print('importlib.metadata' in sys.modules)\n"
        "put_in()\n"
        "import importlib.metadata\n"
        "print(_templating.importlib.metadata is importlib.metadata is sys.modules['importlib.metadata'])\n"
        "print(_templating.jinja2_version == importlib.metadata.version('jinja2'))\n"
    )
    assert run(code, tmp_path) == ["False", "True", "True"]


def test_the_name_of_the_c_library_is_the_one_that_ldconfig_gives(tmp_path: Path) -> None:
    code = (
        "import ctypes.util\n"
        "from ansible.utils import display\n"
        "print(display._LIBC._name == ctypes.util.find_library('c'))\n"
    )
    assert run(code, tmp_path) == ["True"]
