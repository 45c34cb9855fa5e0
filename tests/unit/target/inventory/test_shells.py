"""A shell on a host that stays open: what a command says is its own, and a connection that has gone is made anew."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.target.inventory.shells import Shell

pytestmark = pytest.mark.unit

SOON_S, LATE_S = 30.0, 0.3


@pytest.fixture
def logins(tmp_path: Path) -> Path:
    """A file with the process id of each shell that was opened."""
    return tmp_path / "logins"


@pytest.fixture
def shell(logins: Path) -> Shell:
    return Shell(f"echo $$ >> {shlex.quote(str(logins))}; exec /bin/sh", os.environ)


def opened(logins: Path) -> list[int]:
    return [int(line) for line in logins.read_text().split()]


def test_what_one_command_says_is_not_what_another_says(shell: Shell, logins: Path) -> None:
    first = shell.run("sh -c 'echo out; echo err >&2; exit 3'", SOON_S)
    assert (first.status, first.stdout, first.stderr) == (3, b"out\n", b"err\n")
    second = shell.run("printf %s no-newline", SOON_S)
    assert (second.status, second.stdout, second.stderr) == (0, b"no-newline", b"")
    assert len(opened(logins)) == 1


def test_a_command_reads_nothing_of_the_next_one(shell: Shell) -> None:
    assert shell.run("cat", SOON_S).stdout == b""
    assert shell.run("echo here", SOON_S).stdout == b"here\n"


def test_more_output_than_a_pipe_holds_comes_whole_on_both_streams(shell: Shell) -> None:
    many = (
        f'{shlex.quote(sys.executable)} -c \'import sys; sys.stderr.write("e" * 300000); print("o" * 300000, end="")\''
    )
    ended = shell.run(many, SOON_S)
    assert (len(ended.stdout), len(ended.stderr)) == (300000, 300000)


def test_a_shell_that_has_gone_is_opened_anew(shell: Shell, logins: Path) -> None:
    assert shell.run("true", SOON_S).status == 0
    (first,) = opened(logins)
    os.kill(first, signal.SIGKILL)
    assert shell.run("echo here", SOON_S).stdout == b"here\n"
    assert len(opened(logins)) == 2


def test_a_shell_that_ends_at_once_says_how(logins: Path) -> None:
    refused = Shell(f"echo $$ >> {shlex.quote(str(logins))}; echo refused >&2; exit 255", os.environ)
    for _ in range(2):
        ended = refused.run("true", SOON_S)
        assert (ended.status, ended.stderr) == (255, b"refused\n")
    assert len(opened(logins)) == 2


def test_a_command_that_hangs_is_ended_with_its_shell_and_the_next_one_has_another(shell: Shell, logins: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        shell.run("sleep 1000", LATE_S)
    (first,) = opened(logins)
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert shell.run("echo here", SOON_S).stdout == b"here\n"


def test_a_command_that_names_a_mark_of_its_own_forges_no_status(shell: Shell) -> None:
    ended = shell.run("sh -c 'echo drillbook-0000000000000000:7: >&2; exit 1'", SOON_S)
    assert (ended.status, ended.stderr) == (1, b"drillbook-0000000000000000:7:\n")
