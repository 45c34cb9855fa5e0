"""The ledger: chained, repaired after a death, and never added to when it is damaged."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from drillbook.errors import EvidenceError
from drillbook.evidence.sealing.envelope import sign, verify
from drillbook.evidence.sealing.ledger import Ledger, OfRun, head_of, ledger_path, of_run, streams
from drillbook.evidence.sealing.lines import predicate_of
from drillbook.evidence.sealing.statements import FIRST_PREV, Kind, sha256

pytestmark = pytest.mark.unit

KEY = CryptoSigner.generate_ed25519()


class Signer:
    def sign(self, payload: bytes) -> bytes:
        return sign(payload, KEY)


def ledger(root: Path) -> Ledger:
    return Ledger(root, "lab", Signer())


def chained(path: Path) -> list[str]:
    """The kinds of a ledger that is whole."""
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    kinds, prev = [], FIRST_PREV
    for seq, line in enumerate(lines):
        payload = verify(line, [KEY.public_key]).payload
        said = predicate_of(payload)
        assert (said["seq"], said["prev"], said["stream"]) == (seq, prev, "lab")
        kinds.append(said["kind"])
        prev = sha256(payload)
    return kinds


def test_each_entry_names_the_one_before(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    assert head_of(tmp_path, "lab") is None
    first = one.append(Kind.INTENT, {"run_id": "r"})
    last = ledger(tmp_path).append(Kind.SEALED, {"run_id": "r", "outcome": "PASSED"})
    assert chained(one.path) == ["intent", "sealed"]
    assert (first.seq, last.seq) == (0, 1)
    assert head_of(tmp_path, "lab") == last
    assert str(last) == f"head 1 {last.digest}"
    said = of_run(one.path, "r")
    assert said.intent == first.digest
    assert said.closed is not None
    assert said.closed["outcome"] == "PASSED"
    assert of_run(one.path, "other") == OfRun()
    assert streams(tmp_path) == ["lab"]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_torn_line_is_taken_away_and_the_ledger_says_so(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("torn")
    one = ledger(root)
    for number in range(data.draw(st.integers(1, 3))):
        one.append(Kind.INTENT, {"run_id": f"r{number}"})
    whole = one.path.read_bytes()
    begin = whole.rfind(b"\n", 0, -1) + 1
    cut = data.draw(st.integers(begin + 1, len(whole) - 1))
    one.path.write_bytes(whole[:cut])
    one.append(Kind.INTENT, {"run_id": "next"})
    assert chained(one.path)[-2:] == ["repaired", "intent"]
    line = one.path.read_bytes().split(b"\n")[-3]
    repaired = predicate_of(verify(line, [KEY.public_key]).payload)
    assert repaired["removed"] == sha256(whole[begin:cut])


def test_a_last_line_longer_than_a_block_is_found(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    one.append(Kind.INTENT, {"run_id": "r"})
    one.append(Kind.VOID, {"run_id": "r", "reason": "x" * 200_000})
    one.append(Kind.INTENT, {"run_id": "s"})
    assert chained(one.path) == ["intent", "void", "intent"]


@pytest.mark.parametrize("line", [b"{}", b"", b"nonsense"])
def test_nothing_is_added_to_a_damaged_ledger(tmp_path: Path, line: bytes) -> None:
    one = ledger(tmp_path)
    one.append(Kind.INTENT, {"run_id": "r"})
    with one.path.open("ab") as file:
        file.write(line + b"\n")
    before = one.path.read_bytes()
    with pytest.raises(EvidenceError, match="damaged"):
        one.append(Kind.INTENT, {"run_id": "s"})
    with pytest.raises(EvidenceError, match=r"lab\.jsonl:2"):
        of_run(one.path, "r")
    assert one.path.read_bytes() == before


def test_a_key_that_cannot_sign_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    class Gone:
        def sign(self, payload: bytes) -> bytes:
            raise EvidenceError(f"no network for {len(payload)} bytes")

    ledger(tmp_path).append(Kind.INTENT, {"run_id": "r"})
    with pytest.raises(EvidenceError, match="no network"):
        Ledger(tmp_path, "lab", Gone()).append(Kind.SEALED, {"run_id": "r"})
    assert chained(ledger_path(tmp_path, "lab")) == ["intent"]


def test_an_environment_of_any_name_has_one_file(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, "eu/prod ä")
    assert path.parent == tmp_path / "ledger"
    Ledger(tmp_path, "eu/prod ä", Signer()).append(Kind.INTENT, {"run_id": "r"})
    assert json.loads(path.read_bytes())["payloadType"] == "application/vnd.in-toto+json"


def test_a_ledger_that_is_replaced_while_it_is_waited_for_is_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ledger(tmp_path)
    one.append(Kind.INTENT, {"run_id": "r"})
    longer = ledger(tmp_path / "elsewhere")
    longer.path.parent.mkdir(parents=True)
    longer.path.write_bytes(one.path.read_bytes())
    longer.append(Kind.SEALED, {"run_id": "r"})
    lock = fcntl.flock

    def replaced(descriptor: int, how: int) -> None:
        lock(descriptor, how)
        if longer.path.exists():
            longer.path.replace(one.path)

    monkeypatch.setattr(fcntl, "flock", replaced)
    one.append(Kind.INTENT, {"run_id": "s"})
    assert chained(one.path) == ["intent", "sealed", "intent"]
