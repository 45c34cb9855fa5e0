"""What decides whether a run is warm, without an Ansible."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from drillbook.target.ansible.environment import environment
from drillbook.target.ansible.warm.agreed import room
from drillbook.target.ansible.warm.client import Warm, _NotRunError, _try, why_not
from drillbook.target.ansible.warm.module import Modules
from drillbook.target.ansible.warm.proc_title import Memory
from drillbook.target.ansible.warm.request import Configuration, Request

pytestmark = pytest.mark.unit

ENVIRONMENT = {b"HOME": b"/root", b"ANSIBLE_NOCOLOR": b"1", b"AWX_ISOLATED_DATA_DIR": b"/a"}


def test_a_folder_in_which_no_program_runs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that is mounted noexec, which takes root to have."""
    _try(tmp_path / "try")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(
        _NotRunError, match=rf"^{tmp_path.parent} lets no program be run \(Permission denied\): let TMPDIR"
    ):
        _try(tmp_path / "again")


def test_a_session_in_whose_folder_no_program_runs_is_cold_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    started: list[subprocess.Popen[bytes]] = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started.append(self)

    monkeypatch.setattr(subprocess, "run", refused)
    monkeypatch.setattr(subprocess, "Popen", Started)
    # Python 3.12 and later get another ansible-core, which would be the reason
    here = ".".join(version("ansible-core").split(".")[:2])
    monkeypatch.setattr("drillbook.target.ansible.warm.client.TESTED", (here,))
    said: list[str] = []
    program = Path(sys.executable).with_name("ansible-playbook")
    warm = Warm(tmp_path, (), program, said.append)
    try:
        warm.report()
        assert warm.server is None
        assert [each.returncode for each in started] == [-signal.SIGKILL]
        assert str(warm.folder) not in " ".join(warm.command(program))
    finally:
        warm.close()
    (sentence,) = said
    assert sentence.startswith("playbooks start a cold Ansible: ")
    assert "lets no program be run (Permission denied): let TMPDIR name a folder that does" in sentence


def test_what_somebody_has_put_there_is_not_touched(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("another's")
    other.chmod(0o644)
    (tmp_path / "try").symlink_to(other)
    with pytest.raises(FileExistsError):
        _try(tmp_path / "try")
    assert (other.read_text(), other.stat().st_mode & 0o777) == ("another's", 0o644)


def frame(*variables: bytes, arguments: tuple[bytes, ...] = (b"ansible-playbook", b"play.yml")) -> bytes:
    return b"\0".join([b"/work", b"18", b"1,13", b"%d" % len(arguments), *arguments, *variables])


def test_a_request_is_what_the_shim_was_started_with() -> None:
    request = Request.read(frame(b"A=b=c", b"AWX_ISOLATED_DATA_DIR=/private/1"))
    assert (request.directory, request.umask, request.ignored) == (b"/work", 18, frozenset({1, 13}))
    assert request.arguments == [b"ansible-playbook", b"play.yml"]
    assert request.environment[b"A"] == b"b=c"
    assert request.mark == "/private/1"


def test_a_request_shows_no_value_of_its_environment() -> None:
    assert "hidden" not in repr(Request.read(frame(b"TOKEN=hidden")))
    assert "hidden" not in repr(Configuration.of({b"TOKEN": b"hidden"}, b"/"))


@pytest.mark.parametrize("body", [b"", b"/", b"/\0x\0\0001\0a", b"/\00018\0\0x"])
def test_what_no_shim_sends_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Request.read(body)


def configuration(directory: bytes = b"/work", **changed: bytes) -> Configuration:
    return Configuration.of(ENVIRONMENT | {name.encode(): value for name, value in changed.items()}, directory)


def test_a_run_with_the_configuration_of_the_server_is_warm() -> None:
    assert configuration().differs(configuration(AWX_ISOLATED_DATA_DIR=b"/b", DRILLBOOK_ANY=b"x")) == ""


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"ANSIBLE_FORKS": b"3"}, "the environment differs in ANSIBLE_FORKS"),
        ({"HOME": b"/secret"}, "the environment differs in HOME"),
        ({"TZ": b"UTC", "PATH": b"/bin"}, "the environment differs in PATH, TZ"),
        ({"directory": b"/elsewhere"}, "the working directory differs"),
    ],
)
def test_a_run_with_another_configuration_is_cold_and_no_value_is_told(changed: dict[str, bytes], why: str) -> None:
    assert configuration().differs(configuration(**changed)) == why


def test_a_folder_of_collections_that_comes_into_being_does_not_make_a_run_cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ansible itself makes ~/.ansible/collections."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root, private = tmp_path / "root", tmp_path / "private"
    private.mkdir()

    def configuration() -> Configuration:
        variables = environment(root, private)
        return Configuration.of({os.fsencode(name): os.fsencode(value) for name, value in variables.items()}, b"/work")

    server = configuration()
    named = server.environment[b"ANSIBLE_COLLECTIONS_PATH"].split(b":")
    for folder in named[:2]:
        Path(os.fsdecode(folder)).mkdir(parents=True)
    assert server.differs(configuration()) == ""
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    assert "ANSIBLE_COLLECTIONS_PATH" in server.differs(configuration())


def test_an_ansible_cfg_that_has_changed_makes_a_run_cold(tmp_path: Path) -> None:
    path = tmp_path / "ansible.cfg"
    path.write_text("[defaults]\n")
    before = configuration(ANSIBLE_CONFIG=os.fsencode(path))
    path.touch()
    assert before.differs(configuration(ANSIBLE_CONFIG=os.fsencode(path))) == ""
    path.write_text("[defaults]\nforks = 1\n")
    assert before.differs(configuration(ANSIBLE_CONFIG=os.fsencode(path))) == "ansible.cfg has changed"


@pytest.mark.parametrize(
    ("version", "platform", "why"),
    [
        ("2.19.14", "linux", ""),
        ("2.19.0", "linux", ""),
        ("2.20.1", "linux", "they were tested with ansible-core 2.19, and this is 2.20.1"),
        ("2.2.0", "linux", "they were tested with ansible-core 2.19, and this is 2.2.0"),
        ("2.19.14", "darwin", "they are for Linux only"),
    ],
)
def test_warm_is_what_was_tested(version: str, platform: str, why: str) -> None:
    assert why_not(version, platform) == why


MODULE = (b"python", b"/nowhere/AnsiballZ_ping.py")
OF_A_RUN = b"AWX_ISOLATED_DATA_DIR=/a"


@pytest.mark.parametrize(
    ("arguments", "variables", "why"),
    [
        (MODULE, (b"HOME=/root",), "it belongs to no run"),
        ((b"python",), (OF_A_RUN, b"HOME=/root"), "it is no module in a file of its own"),
        ((b"python", b"/async_wrapper.py", b"j1"), (OF_A_RUN, b"HOME=/root"), "it is no module in a file of its own"),
        (MODULE, (OF_A_RUN,), "the environment differs in what Python reads when it starts"),
        (MODULE, (OF_A_RUN, b"HOME=/root", b"PYTHONPATH=/a"), "the environment differs in what Python reads"),
        (MODULE, (OF_A_RUN, b"HOME=/root", b"OTHER=1"), "it cannot be read (No such file or directory)"),
    ],
)
def test_which_modules_are_cold(
    tmp_path: Path, arguments: tuple[bytes, ...], variables: tuple[bytes, ...], why: str
) -> None:
    modules = Modules({b"HOME": b"/root", b"PATH": b"/bin"}, tmp_path)
    assert modules.why_cold(Request.read(frame(*variables, arguments=arguments))).startswith(why)


def test_a_script_with_its_payload_elsewhere_is_cold(tmp_path: Path) -> None:
    script = tmp_path / "AnsiballZ_ping.py"
    script.write_text("ZIPDATA = 'AAAA'\n")
    request = Request.read(frame(OF_A_RUN, arguments=(b"python", os.fsencode(script))))
    assert Modules({}, tmp_path).why_cold(request) == "its payload is not where this version of Ansible puts it"


SHOWS = """
import os, sys
from drillbook.target.ansible.warm.agreed import PAD, own_environment
from drillbook.target.ansible.warm.proc_title import Memory
memory = Memory()
assert PAD.encode() not in own_environment()
pid = os.fork()
if pid == 0:
    environment = {b"MARK": b"of the fork", b"LONG": b"x" * 20000}
    assert memory.holds(environment)
    assert not memory.holds({b"LONG": b"x" * 200000})
    memory.name([b"python", b"/bin/ansible-playbook", b"y" * 10000])
    memory.show(environment)
    print(open("/proc/self/cmdline").read().split("\\0")[:2], open("/proc/self/environ").read()[:16].split("\\0"))
    print(len(open("/proc/self/cmdline").read()) < 20000, os.environ["OLD"], flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("OLD=kept" in open("/proc/self/environ").read().split("\\0"))
"""


def test_a_fork_shows_its_own_environment_and_its_parent_keeps_its() -> None:
    arguments, variables = room()
    done = subprocess.run(
        [sys.executable, "-c", SHOWS, *arguments],
        env=os.environ | variables | {"OLD": "kept"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "['python', '/bin/ansible-playbook'] ['MARK=of the fork']",
        "True kept",
        "True",
    ]


def test_a_process_without_room_holds_no_environment_of_a_run() -> None:
    assert not Memory().holds({b"LONG": b"x" * 10_000_000})
