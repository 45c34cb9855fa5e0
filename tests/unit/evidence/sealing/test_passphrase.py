"""The passphrase leaves the environment before anything is started, and no child gets it but by a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import key_source, passphrase
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.target.ansible.environment import passed_on
from tests.support.sealing import PASSPHRASE, key

pytestmark = pytest.mark.unit

LOOKS = """\
import ctypes, os, subprocess, sys
from drillbook.evidence.sealing import passphrase
# opened now: of a process that is not dumpable only root may open it, and this one is about to be none
kernel = open("/proc/self/environ", "rb", buffering=0)
before = f"{passphrase.VARIABLE}=".encode() in kernel.read()
assert passphrase.take() == passphrase.take() == sys.argv[1], passphrase.held()
kernel.seek(0)
block = kernel.read()
assert sys.argv[1].encode() not in block
assert b"BEHIND=it" in block
assert not any(sys.argv[1] in value for value in os.environ.values())
child = subprocess.run(["env"], capture_output=True, text=True).stdout
assert sys.argv[1] not in child and "PASSPHRASE" not in child
print(before, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def looked(*pass_fds: int, **more: str) -> str:
    env = {**os.environ, **more, "BEHIND": "it"}
    command = [sys.executable, "-c", LOOKS, PASSPHRASE]
    return subprocess.run(command, env=env, pass_fds=pass_fds, capture_output=True, text=True, check=True).stdout


def test_it_is_taken_out_of_the_environment_that_the_kernel_shows_too() -> None:
    assert looked(DRILLBOOK_KEY_PASSPHRASE=PASSPHRASE) == "True 0\n"


def test_it_comes_by_a_pipe_and_was_never_in_the_environment() -> None:
    number = passphrase.piped(f"{PASSPHRASE}\n")
    assert looked(number, DRILLBOOK_KEY_PASSPHRASE_FD=str(number)) == "False 0\n"
    os.close(number)


def test_no_play_gets_it_whatever_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in passphrase.OF_THIS_PROCESS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DRILLBOOK_OTHER", "1")
    found = passed_on(sorted(passphrase.OF_THIS_PROCESS))
    assert "DRILLBOOK_OTHER" in found
    assert not passphrase.OF_THIS_PROCESS & {*found}


# `env NAME=... sh` is a process that keeps it: its child takes it out of its own environment alone
SHOWN = "from drillbook.evidence.sealing import passphrase; passphrase.take(); print(passphrase.shown_by())"


@pytest.mark.parametrize(("name", "shown"), [(passphrase.VARIABLE, "sh\n"), ("ANOTHER", "None\n")])
def test_a_process_above_that_shows_it_is_named(name: str, shown: str) -> None:
    script = f"'{sys.executable}' -c '{SHOWN}'; true"
    env = {**os.environ, name: PASSPHRASE}
    assert subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=True).stdout == shown


# ---- where a key is


def test_a_key_in_clear_can_be_read_by_a_playbook_and_an_encrypted_one_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clear").mkdir()
    clear, encrypted = key(tmp_path / "clear"), key(tmp_path, PASSPHRASE)
    assert clear.exposed() == "a playbook can read this key: drill.pem is not encrypted"
    assert encrypted.exposed() is None
    assert PASSPHRASE not in repr(encrypted)
    monkeypatch.setattr(passphrase, "shown_by", lambda: "make")
    assert "make, which started this session" in str(encrypted.exposed())
    assert KeySource("awskms:alias/drill", tmp_path / "drill.pem.pub").exposed() is None


def test_what_is_wrong_with_a_key_is_told_without_reading_it(tmp_path: Path) -> None:
    encrypted = key(tmp_path, PASSPHRASE)
    encrypted.check()
    KeySource("awskms:alias/drill", tmp_path / "drill.pem.pub").check()
    for source, why in (
        (KeySource(encrypted.place), "encrypted: give its passphrase"),
        (KeySource(str(tmp_path / "none.pem")), "cannot be read"),
        (KeySource("awskms:alias/drill"), "public key is needed"),
    ):
        with pytest.raises(DrillbookError, match=why):
            source.check()


def test_a_key_is_named_by_the_environment_or_else_by_the_ini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ini = {"drillbook_key": "keys/drill.pem", "drillbook_key_public": ""}
    assert key_source.key_source(lambda _name: None, tmp_path) is None
    found = key_source.key_source(ini.get, tmp_path)
    assert found is not None
    assert (found.place, found.public, found.is_uri) == (str(tmp_path / "keys/drill.pem"), None, False)
    monkeypatch.setenv("DRILLBOOK_KEY", "hv:drill")
    monkeypatch.setenv("DRILLBOOK_KEY_PUBLIC", "/keys/drill.pub")
    found = key_source.key_source(ini.get, tmp_path)
    assert found is not None
    assert (found.place, found.public, found.is_uri) == ("hv:drill", Path("/keys/drill.pub"), True)


def test_a_key_goes_through_a_pipe_as_it_is() -> None:
    for source in (KeySource("/k", None, PASSPHRASE), KeySource("hv:k", Path("/p"))):
        assert KeySource.from_line(source.as_line()) == source
    assert KeySource.from_line(b"") is None


def test_a_guardian_reads_the_key_and_leaves_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[bool] = []
    monkeypatch.setattr(passphrase, "undumpable", lambda: hidden.append(True))
    source = KeySource("/k", None, PASSPHRASE, "http://tsa")
    reading, writing = os.pipe()
    os.write(writing, source.as_line() + b"bye\n")
    assert key_source.of_descriptor(reading) == source
    assert os.read(reading, 64) == b"bye\n"
    os.close(writing)
    assert key_source.of_descriptor(reading) is None
    os.close(reading)
    assert hidden == [True, True]
