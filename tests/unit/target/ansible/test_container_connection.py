"""The way into a container: what the command says, and that a container that does not run is unreachable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError  # type: ignore[import-untyped]
from ansible.playbook.play_context import PlayContext  # type: ignore[import-untyped]

from drillbook.target.ansible.plugins.connection.container import Connection

pytestmark = pytest.mark.unit

ENGINE = """\
#!/bin/sh
echo "$0 $*" >> {folder}/asked
while [ "$1" != exec ] && [ "$1" != inspect ]; do shift; done
if [ "$1" = inspect ]; then cat {folder}/state; exit; fi
for last; do :; done
exec sh -c "$last"
"""
"""Runs the last word in a shell, as `exec` does, and says of each container what stands in the file `state`."""

To = Callable[..., Connection]


@pytest.fixture
def to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> To:
    """A way into a container of an engine that runs it, or says what it says."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("docker", "podman"):
        program = tmp_path / name
        program.write_text(ENGINE.replace("{folder}", str(tmp_path)))
        program.chmod(0o755)

    def made(state: str = "true false", **options: Any) -> Connection:
        (tmp_path / "state").write_text(f"{state}\n")
        connection = Connection(PlayContext(), None)
        known = {"remote_addr": "api", "remote_user": None, "engine": "docker", "engine_url": None, **options}
        connection.get_option = known.__getitem__
        return connection

    return made


def asked(folder: Path) -> list[str]:
    return [line.replace(f"{folder}/", "") for line in (folder / "asked").read_text().splitlines()]


def test_the_answer_is_that_of_the_command(to: To, tmp_path: Path) -> None:
    said = to().exec_command("cat; echo err >&2; exit 3", in_data=b"\x00\xff")
    assert said == (3, b"\x00\xff", b"err\n")
    assert asked(tmp_path)[0].startswith("docker exec --interactive api /bin/sh -c cat;")


@pytest.mark.parametrize("status", [1, 125, 126, 137])
def test_a_command_that_says_no_has_failed_and_is_not_unreachable(to: To, status: int) -> None:
    """Each of them is also what an engine says when it cannot run the command."""
    assert to().exec_command(f"echo 'the unit is not running' >&2; exit {status}")[0] == status


@pytest.mark.parametrize("state", ["false false", "true true", "", "Error: No such object: api"])
def test_a_container_that_does_not_run_is_unreachable(to: To, state: str) -> None:
    with pytest.raises(AnsibleConnectionFailure, match="the container api does not run: it is not running"):
        to(state).exec_command("echo it is not running >&2; exit 1")


def test_a_command_that_ended_well_asks_nobody_whether_the_container_runs(to: To, tmp_path: Path) -> None:
    assert to("false false").exec_command("true")[0] == 0
    assert len(asked(tmp_path)) == 1


def test_without_the_engines_command_the_container_is_unreachable(to: To, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AnsibleConnectionFailure, match="there is no command podman on this machine"):
        to(engine="podman").exec_command("true")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "podman"}, "podman exec --interactive api"),
        ({"remote_user": "app"}, "docker exec --interactive --user app api"),
        ({"engine_url": "unix:///d.sock"}, "docker --host unix:///d.sock exec --interactive api"),
        ({"engine": "podman", "engine_url": "ssh://h"}, "podman --remote --url ssh://h exec --interactive api"),
    ],
)
def test_the_engine_is_called_as_the_inventory_says(
    to: To, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    to(**options).exec_command("true")
    assert asked(tmp_path) == [f"{words} /bin/sh -c true"]


def test_files_go_there_and_come_back(to: To, tmp_path: Path) -> None:
    source, there, back = (tmp_path / name for name in ("a", "it's there", "b"))
    source.write_bytes(bytes(range(256)) * 1000)
    to().put_file(str(source), str(there))
    to().fetch_file(str(there), str(back))
    assert back.read_bytes() == there.read_bytes() == source.read_bytes()


def test_a_file_that_cannot_be_written_or_read_is_an_error_that_says_why(to: To, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(AnsibleError, match=r"cannot write .*/no/b in the container api: .*(nonexistent|No such)"):
        to().put_file(str(tmp_path / "a"), str(tmp_path / "no" / "b"))
    with pytest.raises(AnsibleError, match=r"cannot read .*/no/b in the container api: .*No such"):
        to().fetch_file(str(tmp_path / "no" / "b"), str(tmp_path / "c"))
    with pytest.raises(AnsibleConnectionFailure):
        to("false false").put_file(str(tmp_path / "a"), str(tmp_path / "no" / "b"))
