"""A kept proof counts, for who trusts a key, with that key's signature over its bytes and as the ledger's last word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drillbook.errors import EvidenceError
from drillbook.evidence.gate import signed
from drillbook.evidence.gate.found import Proofs, WorkingTree
from drillbook.evidence.gate.kept import KeptProof
from drillbook.evidence.gate.signed import STREAM, attestation_of, is_unsigned, recorded, seal
from drillbook.evidence.gate.verified import Signatures
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.keys import new_key, write_new
from drillbook.evidence.sealing.ledger import Ledger
from drillbook.evidence.sealing.signing import Signing, opened
from drillbook.evidence.sealing.statements import Kind
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.trust import Trust, TrustedKey, key_of_pem, read_trust
from drillbook.model.times.clock import wall_now
from tests.support import ROOT
from tests.unit.evidence.gate.test_judging import proof

pytestmark = pytest.mark.unit


def signing(folder: Path, name: str = "key.pem") -> Signing:
    path = folder / name
    if not path.exists():
        write_new(path, new_key(None))
    return opened(KeySource(str(path)))


def trust(of: Signing, **times: object) -> Trust:
    key = key_of_pem(of.public_pem)
    return Trust({of.keyid: TrustedKey(key, "somebody", **times)})  # type: ignore[arg-type]


def kept(root: Path, made: KeptProof, by: Signing) -> Path:
    path = Proofs(root / "evidence", root / "proofs", WorkingTree(root)).keep(made)
    assert path is not None
    seal(root / "proofs", path, made, by)
    return path


def why_not(root: Path, path: Path, by: Trust | None = None) -> str | None:
    return signatures(root / "proofs", by or trust(signing(root))).why_not(path)


def signatures(folder: Path, by: Trust) -> Signatures:
    return Signatures(folder, by, Clock(wall_now()))


ANOTHER = "the ledger has another one as the last of this scenario"
OTHER = proof(2, scenario="features/redis.feature::Another one", name="Another one")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A signed proof, between two others."""
    by = signing(tmp_path)
    kept(tmp_path, OTHER, by)
    made = kept(tmp_path, proof(2), by)
    kept(tmp_path, replace(OTHER, scenario="features/x.feature::X"), by)
    return made


def test_a_signed_proof_counts(path: Path, tmp_path: Path) -> None:
    assert why_not(tmp_path, path) is None
    assert path.stat().st_size + attestation_of(path).stat().st_size < 4096


def test_another_one_of_the_same_scenario_is_the_last_word(path: Path, tmp_path: Path) -> None:
    before = {each: each.read_bytes() for each in (path, attestation_of(path))}
    assert kept(tmp_path, proof(1), signing(tmp_path)) == path
    assert why_not(tmp_path, path) is None
    for each, data in before.items():
        each.write_bytes(data)
    assert (why_not(tmp_path, path) or "").startswith(ANOTHER)


def _edit(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], object]:
    return lambda path, _ledger: path.write_bytes(change(path.read_bytes()))


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path, Path], object]:
    def changed(_path: Path, ledger: Path) -> None:
        ledger.write_bytes(b"".join(each + b"\n" for each in change(ledger.read_bytes().split(b"\n")[:-1])))

    return changed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_edit(lambda data: data.replace(b'"PASSED"', b'"HELD"')), "it is not the file that was signed"),
        (_edit(lambda data: data + b"\n"), "it is not the file that was signed"),
        (lambda path, _: attestation_of(path).unlink(), "nobody has signed it"),
        (lambda path, _: attestation_of(path).write_bytes(b"{}\n"), "no envelope: "),
        (lambda _, ledger: ledger.unlink(), "(ledger): there is no ledger of the proofs"),
        (_lines(lambda lines: lines[1:]), "(ledger/proofs.jsonl:1): the entry does not follow the one before it"),
        (_lines(lambda lines: [lines[0], lines[2]]), "(ledger/proofs.jsonl:2): the entry does not follow"),
        (_lines(lambda lines: [lines[1], lines[0], lines[2]]), "(ledger/proofs.jsonl:1): the entry does not follow"),
        (_lines(lambda lines: [*lines, lines[2]]), "(ledger/proofs.jsonl:4): the ledger forks here"),
        (lambda _, ledger: ledger.write_bytes(ledger.read_bytes()[:-5]), "the last line is torn"),
        (_lines(lambda lines: lines[:1]), ANOTHER),
    ],
)
def test_whatever_is_bent_is_found(
    path: Path, tmp_path: Path, change: Callable[[Path, Path], object], reason: str
) -> None:
    change(path, tmp_path / "proofs/ledger/proofs.jsonl")
    assert reason in (why_not(tmp_path, path) or "")


def test_the_signature_of_another_proof_is_not_its_own(path: Path, tmp_path: Path) -> None:
    other = kept(tmp_path, replace(OTHER, proven_at="2026-11-30T12:00:00Z"), signing(tmp_path))
    attestation_of(path).write_bytes(attestation_of(other).read_bytes())
    assert why_not(tmp_path, path) == "it is not the file that was signed"


def test_a_key_that_nobody_trusts_and_one_out_of_its_time_prove_nothing(path: Path, tmp_path: Path) -> None:
    stranger = signing(tmp_path, "stranger.pem")
    assert "the trust file does not name the key" in (why_not(tmp_path, path, trust(stranger)) or "")
    by, now = signing(tmp_path), wall_now()
    for times, why in (
        ({"not_after": now - timedelta(days=900)}, "did not count"),
        ({"revoked_at": now - timedelta(days=900)}, "is revoked since"),
        ({"revoked_at": now + timedelta(days=1)}, "before the key"),  # and nothing but the signer's word shows that
    ):
        assert why in (why_not(tmp_path, path, trust(by, **times)) or "")
    assert why_not(tmp_path, path, trust(by, not_after=now + timedelta(days=900))) is None


def test_a_key_that_the_ledger_revokes_proves_nothing(path: Path, tmp_path: Path) -> None:
    by, other = signing(tmp_path), signing(tmp_path, "other.pem")
    both = Trust({**trust(by).keys, **trust(other).keys})
    assert why_not(tmp_path, path, both) is None
    about = {"keyid": by.keyid, "since": "2026-01-01T00:00:00Z", "reason": "it was stolen"}
    Ledger(tmp_path / "proofs", STREAM, other).append(Kind.KEY_REVOKED, about)
    assert "is revoked since" in (why_not(tmp_path, path, both) or "")


def test_a_proof_needs_as_many_keys_as_the_trust_file_demands(path: Path, tmp_path: Path) -> None:
    keys = trust(signing(tmp_path)).keys
    assert "the trust file demands 2" in (why_not(tmp_path, path, Trust(keys, 2)) or "")


def test_whoever_dies_between_the_ledger_and_the_envelope_has_not_signed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, made, by = tmp_path / "proofs", proof(1), signing(tmp_path)
    assert not is_unsigned(root, path, recorded(root))
    assert is_unsigned(root, path, {}), "the ledger does not know it"

    def dies(*_: object) -> None:
        raise EvidenceError("no space left")

    Proofs(tmp_path / "evidence", root, WorkingTree(tmp_path)).keep(made)
    with monkeypatch.context() as patch:
        patch.setattr(signed, "write_atomically", dies)
        with pytest.raises(EvidenceError):
            seal(root, path, made, by)
    assert is_unsigned(root, path, recorded(root))
    seal(root, path, made, by)
    assert not is_unsigned(root, path, recorded(root)) and why_not(tmp_path, path) is None
    for each in (path, attestation_of(path)):  # changed by hand: nobody signs that
        each.write_bytes(each.read_bytes() + b"\n")
        assert not is_unsigned(root, path, {})


def test_what_nobody_has_signed_is_told_and_is_none_of_the_proofs(path: Path, tmp_path: Path) -> None:
    told: list[str] = []
    of_proofs = signatures(tmp_path / "proofs", trust(signing(tmp_path)))
    proofs = Proofs(tmp_path / "evidence", tmp_path / "proofs", WorkingTree(tmp_path), None, told.append)
    proofs.why_not = of_proofs.why_not
    assert proofs.kept_one(proof().scenario) is not None
    attestation_of(path).unlink()
    assert proofs.kept_one(proof().scenario) is None
    assert told == [f"{path}: nobody has signed it: it proves nothing"]


# ---- those of this repository -------------------------------------------------------------------------------------

OURS = ROOT / "proofs"


def test_the_proofs_of_this_repository_are_signed_with_the_key_that_lies_here() -> None:
    ours = signatures(OURS, read_trust(OURS / "demonstration-trust.json"))
    assert {path.name: why for path in OURS.glob("*/*.json") if (why := ours.why_not(path))} == {}


def test_that_key_says_of_itself_what_it_is() -> None:
    path = OURS / "demonstration-key.pem"
    assert path.read_text().startswith("A DEMONSTRATION KEY, and public: everybody can sign with it.")
    assert set(read_trust(OURS / "demonstration-trust.json").keys) == {opened(KeySource(str(path))).keyid}
