"""`drillbook keygen`: a key, and the ledgers that are told of it; `drillbook verify` agrees."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.errors import EvidenceError
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing import passphrase
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.ledger import Head, Ledger
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.evidence.sealing.statements import Kind
from tests.support.sealing import PASSPHRASE, chain, kept

pytestmark = pytest.mark.unit


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A drill repository, and a process that holds the passphrase."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(passphrase, "undumpable", lambda: None)  # this process is the tests' own
    monkeypatch.setattr(passphrase, "_held", [PASSPHRASE])
    yield tmp_path


def call(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["keygen", *words])
    return ran.exit_code, ran.output


def trusted(said: str, **more: object) -> dict[str, object]:
    """The row of a trust file that keygen has printed."""
    (line,) = [each for each in said.splitlines() if each.startswith("in a trust file: ")]
    row: dict[str, object] = json.loads(line.removeprefix("in a trust file: "))
    return row | more


def verified(here: Path, *rows: dict[str, object]) -> tuple[int, str]:
    (here / "trust.json").write_text(json.dumps({"keys": rows}))
    ran = CliRunner().invoke(app, ["verify", "evidence", "--trust", "trust.json"])
    return ran.exit_code, ran.output


def sealed(here: Path, key: str, run_id: str) -> Sealer:
    sealer = Sealer(here / "evidence", KeySource(str(here / key), None, PASSPHRASE), Redactor())
    sealer.seal(kept(here, run_id))
    return sealer


def test_a_key_is_followed_by_another_and_called_void(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = call("old.pem")
    old = trusted(said, may_rotate=True)
    assert status == 0
    assert b"ENCRYPTED" in (here / "old.pem").read_bytes()
    first = sealed(here, "old.pem", "a" * 16)
    status, said = call("new.pem", "--rotate", "old.pem")
    new = trusted(said)
    assert status == 0
    assert "ledger lab: head 2 " in said and "(key-rotated)" in said
    monkeypatch.setenv("DRILLBOOK_KEY", "new.pem")
    status, said = call(
        "--revoke", str(old["keyid"]), "--since", "2026-11-30T09:00:00+02:00", "--reason", "it was lost"
    )
    assert status == 0
    assert "ledger lab: head 3 " in said and "(key-revoked)" in said

    path = first.ledger("lab").path
    entries = [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in path.open("rb")]
    rotated, revoked = (each["predicate"] for each in entries[-2:])
    assert (rotated["old"], rotated["new"], rotated["public"]) == (old["keyid"], new["keyid"], new["public"])
    assert (revoked["keyid"], revoked["since"], revoked["reason"]) == (
        old["keyid"],
        "2026-11-30T07:00:00.000Z",
        "it was lost",
    )


def test_what_was_sealed_is_whole_to_the_reader(here: Path) -> None:
    (here / "two").mkdir()
    _, said = call("drill.pem")
    sealed(here, "drill.pem", "a" * 16)
    assert len(chain(here, str(trusted(said)["public"]))) == 2
    status, verdict = verified(here, trusted(said))
    assert "E_LEDGER" not in verdict and "E_SIGNATURE" not in verdict and "E_FILE" not in verdict, verdict
    assert status in {0, 2}
    _, other = call("other.pem")
    assert "E_UNTRUSTED_KEY" in verified(here, trusted(other))[1]


def test_a_key_in_clear_says_so(here: Path) -> None:
    status, said = call("clear.pem", "--clear")
    assert status == 0
    assert "a playbook can read this key" in said
    assert b"ENCRYPTED" not in (here / "clear.pem").read_bytes()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name a file"),
        (("there.pem",), "already exists"),
        (("new.pem", "--rotate", "none.pem"), "cannot be read"),
        (("--revoke", "ab", "--reason", "x"), "64 hexadecimal digits"),
        (("--revoke", "a" * 64), "say why"),
        (("--revoke", "a" * 64, "--reason", "x"), "no key to sign it with"),
    ],
)
def test_what_cannot_be_is_one_sentence(here: Path, words: tuple[str, ...], why: str) -> None:
    (here / "there.pem").touch()
    status, said = call(*words)
    assert status == 64
    assert why in said
    assert not (here / "new.pem").exists()


def rotations(here: Path, stream: str, public: str) -> list[str]:
    return [each["new"] for each in chain(here, public, stream) if each["kind"] == "key-rotated"]


def test_a_rotation_that_was_stopped_goes_on_with_the_same_key(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = str(trusted(call("old.pem")[1])["public"])
    sealer = sealed(here, "old.pem", "a" * 16)
    append = Ledger.append

    def one_is_full(ledger: Ledger, kind: Kind, about: dict[str, str]) -> Head:
        if ledger.stream == "staging":
            raise EvidenceError("the disk is full")
        return append(ledger, kind, about)

    sealer.ledger("staging").append(Kind.RESTORED, {"run_id": "r"})
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", one_is_full)
        status, said = call("new.pem", "--rotate", "old.pem")
    assert (status, "the disk is full; the same command goes on" in said) == (64, True)
    new = trusted(said)
    key = (here / "new.pem").read_bytes()
    status, said = call("new.pem", "--rotate", "old.pem")
    assert (status, trusted(said), (here / "new.pem").read_bytes()) == (0, new, key)
    assert rotations(here, "lab", old) == rotations(here, "staging", old) == [new["keyid"]]
    assert "already exists" not in call("new.pem", "--rotate", "old.pem")[1], "there is nothing left to do"
    assert rotations(here, "lab", old) == [new["keyid"]]
    call("third.pem")
    assert "already exists" in call("third.pem", "--rotate", "old.pem")[1], "no ledger knows it"


def test_no_key_is_made_where_a_ledger_is_damaged(here: Path) -> None:
    call("old.pem")
    path = sealed(here, "old.pem", "a" * 16).ledger("lab").path
    path.write_bytes(path.read_bytes() + b"damaged\n")
    status, said = call("new.pem", "--rotate", "old.pem")
    assert (status, "the ledger is damaged" in said) == (64, True)
    assert not (here / "new.pem").exists()


def test_a_key_does_not_call_itself_void(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyid = str(trusted(call("drill.pem")[1])["keyid"])
    monkeypatch.setenv("DRILLBOOK_KEY", "drill.pem")
    assert "cannot revoke itself" in call("--revoke", keyid, "--reason", "x")[1]
    assert "with its zone" in call("--revoke", "a" * 64, "--reason", "x", "--since", "2026-11-30")[1]


def test_without_a_passphrase_and_a_terminal_there_is_no_key(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "_held", [])
    status, said = call("new.pem")
    assert status == 64
    assert "--clear" in said
    assert not (here / "new.pem").exists()
