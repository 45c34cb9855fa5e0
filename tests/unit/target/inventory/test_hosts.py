"""What the way to a host says is told from what the command says, for each connection."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import CouldNotLookError
from drillbook.target.inventory.hosts import look_at

pytestmark = pytest.mark.unit

CARRIES = """\
#!{python}
import os, sys
os.execv("/bin/sh", ["sh", "-c", sys.argv[-1]])
"""
"""Runs the last word of its command line in a shell, as ssh, docker exec and sudo do."""
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "local": ("", {"connection": "local"}),
    "sudo": ("sudo", {"connection": "local", "become": True}),
    "ssh": ("ssh", {"connection": "ssh", "host": "10.0.0.7"}),
    "sudo over ssh": ("ssh", {"connection": "ssh", "host": "10.0.0.7", "become": True}),
    "docker": ("docker", {"connection": "community.docker.docker", "remote_addr": "redis-1"}),
    "podman": ("podman", {"connection": "containers.podman.podman", "remote_user": "app"}),
    "container": ("docker", {"connection": "container", "engine": "docker", "remote_addr": "redis-1"}),
    "container of podman": ("podman", {"connection": "container", "engine": "podman"}),
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host by one of the ways; `program` is what stands for the way's own client, by default one that works."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def by(way: str, program: str = CARRIES, **more: Any) -> Any:
        client, connection = WAYS[way]
        for name in {client, "sudo"} - {""}:
            path = tmp_path / name
            path.write_text(
                program.format(python=sys.executable) if name == client else CARRIES.format(python=sys.executable)
            )
            path.chmod(0o755)
        return look_at("web", connection, tmp_path, deadline_s=10.0, **more)

    return by


def refusing(status: int, said: str) -> str:
    return f"#!/bin/sh\necho '{said}' >&2\nexit {status}\n"


@pytest.mark.parametrize("way", WAYS)
def test_the_commands_own_answer_comes_through(host: Any, way: str) -> None:
    it = host(way)
    result = it.run("echo out; echo err >&2; exit 3")
    assert (result.rc, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert it.run("echo %s", 'it\'s "so" $HOME').stdout == 'it\'s "so" $HOME\n'
    assert it.file("/").exists
    assert not it.file("/there/is/nothing").exists


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [1, 125, 127, 255])
def test_a_status_of_the_command_is_the_commands(host: Any, way: str, status: int) -> None:
    """Each of them is also what some client says when it could not reach the host."""
    assert host(way).run(f"exit {status}").rc == status


@pytest.mark.parametrize(
    ("way", "status", "said"),
    [
        ("sudo", 1, "sudo: a password is required"),
        ("ssh", 255, "ssh: connect to host 10.0.0.7 port 22: Connection refused"),
        ("ssh", 1, "This account is currently not available."),
        ("docker", 1, "Error response from daemon: No such container: redis-1"),
        ("docker", 126, "OCI runtime exec failed: exec: /bin/sh: no such file or directory"),
        ("podman", 125, "Error: no container with name or ID found"),
        ("ssh", 0, "welcome"),
    ],
)
def test_a_status_of_the_way_is_no_answer(host: Any, way: str, status: int, said: str) -> None:
    it = host(way, refusing(status, said))
    through = " through sudo" if way == "sudo" else ""
    kind = {"sudo": "local"}.get(way, way)
    sentence = f"web could not be reached over {kind}{through} (status {status}): {said}"
    with pytest.raises(CouldNotLookError, match=f"^{re.escape(sentence)}$"):
        _ = it.file("/etc/passwd").exists


def test_sudo_that_a_step_asks_for_is_told_from_its_command_too(host: Any, tmp_path: Path) -> None:
    it = host("ssh")
    (tmp_path / "sudo").write_text(refusing(1, "sudo: a password is required"))
    with it.sudo(), pytest.raises(CouldNotLookError, match=r"over ssh through sudo \(status 1\): sudo: a password"):
        it.run("true")
    assert it.run("true").rc == 0


def test_what_the_way_adds_to_the_output_of_a_command_hides_no_answer(host: Any) -> None:
    noisy = "#!/bin/sh\nfor last; do :; done\necho 'For members only.' >&2\nexec sh -c \"$last\"\n"
    result = host("ssh", noisy.replace("{", "{{").replace("}", "}}")).run("exit 4")
    assert (result.rc, result.stderr) == (4, "For members only.\n")


def test_a_command_cannot_forge_the_answer(host: Any) -> None:
    with pytest.raises(CouldNotLookError):
        host("ssh", refusing(1, "drillbook-0000000000000000:0:")).run("true")


def test_the_container_is_the_one_that_the_inventory_names(host: Any) -> None:
    said = host("docker", '#!/bin/sh\necho "$@"\n')
    with pytest.raises(CouldNotLookError, match=r"exec redis-1 /bin/sh -c"):
        said.run("true")


@pytest.mark.parametrize(("engine", "variable"), [("docker", "DOCKER_HOST"), ("podman", "CONTAINER_HOST")])
def test_an_engine_is_asked_where_the_inventory_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, variable: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv(variable, raising=False)
    program = tmp_path / engine
    program.write_text(f'#!/bin/sh\necho "${variable}" >&2\nexit 1\n')
    program.chmod(0o755)
    for url, said in (("unix:///srv/lab/docker.sock", "unix:///srv/lab/docker.sock"), (None, "")):
        connection = {"connection": "container", "engine": engine, "engine_url": url}
        with pytest.raises(CouldNotLookError, match=rf"over {engine} \(status 1\): {said}$"):
            look_at("web", connection, tmp_path, deadline_s=10.0).run("true")
