"""Whose signature counts, and when: the trust file, keys that hand over, and keys that were taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner

from drillbook.evidence.sealing.keys import public_pem
from drillbook.evidence.sealing.lines import read_envelope
from drillbook.evidence.verifying.envelopes import Opener
from drillbook.evidence.verifying.findings import Code, Findings, Head
from drillbook.evidence.verifying.trust import Trust, TrustError, moment, read_trust, trust
from drillbook.model.verdict import Outcome
from tests.support.sealed import START, ZEROS, Evidence, codes, digest, envelope, key, payload_of, stable, time_of

pytestmark = pytest.mark.unit

ROW = key().row()


# ---- the trust file -----------------------------------------------------------------------------------------------


def test_a_trust_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    row = key().row(not_before="2026-01-01T00:00:00Z", role="runner", may_rotate=True)
    file.write_text(json.dumps({"keys": [row, key(1).row()], "threshold": 2}))
    read = read_trust(file)
    assert list(read.keys) == [key().keyid, key(1).keyid]
    one = read.keys[key().keyid]
    assert (one.name, one.may_rotate, one.not_before, one.not_after) == (
        "CI",
        True,
        moment("2026-01-01T00:00:00Z"),
        None,
    )
    assert read.threshold == 2


@pytest.mark.parametrize(
    ("document", "code", "says"),
    [
        ({}, Code.E_TRUST, "names no key"),
        ({"keys": []}, Code.E_TRUST, "names no key"),
        ({"keys": [ROW], "tresholt": 2}, Code.E_TRUST, "a field 'tresholt' that is not known"),
        ({"keys": [ROW], "threshold": 2}, Code.E_TRUST, "threshold is 2"),
        ({"keys": [ROW], "threshold": True}, Code.E_TRUST, "threshold is True"),
        ({"keys": [ROW, ROW]}, Code.E_TRUST, "twice"),
        ({"keys": ["a"]}, Code.E_TRUST, "needs keyid and public"),
        ({"keys": [ROW | {"revoked": "2026-01-01T00:00:00Z"}]}, Code.E_TRUST, "needs keyid and public"),
        ({"keys": [ROW | {"revoked_at": "2026-01-01"}]}, Code.E_TRUST, "revoked_at is '2026-01-01'"),
        ({"keys": [ROW | {"may_rotate": "no"}]}, Code.E_TRUST, "may_rotate is 'no'"),
        ({"keys": [ROW | {"keyid": key(1).keyid}]}, Code.E_TRUST_KEYID, f"its id is {key().keyid}"),
        ({"keys": [ROW | {"public": "ssh-ed25519 AAAA"}]}, Code.E_ALGORITHM, "cannot be used"),
        ({"keys": [ROW | {"public": 7}]}, Code.E_ALGORITHM, "cannot be used"),
    ],
)
def test_a_trust_file_that_cannot_be_used_is_refused(document: Mapping[str, Any], code: Code, says: str) -> None:
    with pytest.raises(TrustError) as refused:
        trust(document)
    assert refused.value.code is code
    assert says in str(refused.value)


def pem_of(private: Any) -> str:
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return str(public.decode())


@pytest.mark.parametrize(
    "private", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())], ids=["rsa", "ec"]
)
def test_a_weak_key_is_refused(private: Any) -> None:
    with pytest.raises(TrustError) as refused:
        trust({"keys": [ROW | {"public": pem_of(private)}]})
    assert refused.value.code is Code.E_ALGORITHM


@pytest.mark.parametrize("text", [b"{", b'{"keys": [], "keys": []}', b"\xff", b"[]", b"x" * ((1 << 20) + 1)])
def test_a_trust_file_is_no_other_document(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "trust.json"
    file.write_bytes(text)
    with pytest.raises(TrustError, match="the trust file") as refused:
        read_trust(file)
    assert refused.value.code is Code.E_TRUST


def test_a_trust_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="cannot be read: No such file"):
        read_trust(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["2026-11-22T12:00:60Z", "2026-11-22 12:00:00Z", "2026-11-22T12:00:00+00:00", 7, None])
def test_a_time_is_written_in_one_way(text: object) -> None:
    assert moment(text) is None


# ---- the verdict is securesystemslib's ----------------------------------------------------------------------------

ONE, TWO, THREE = (CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa())


@pytest.mark.parametrize(
    "signers", [(ONE,), (TWO,), (THREE,), (ONE, TWO, THREE), (ONE, CryptoSigner.generate_ed25519())]
)
@pytest.mark.parametrize("spoilt", [None, "sig", "payload", "type"])
@pytest.mark.parametrize("threshold", [1, 2])
def test_the_verdict_is_that_of_the_library(signers: Any, spoilt: str | None, threshold: int) -> None:
    keys = trust({"keys": [{"keyid": s.public_key.keyid, "public": public_pem(s)} for s in (ONE, TWO, THREE)]})
    theirs = Envelope(b'{"a":1}', "application/vnd.in-toto+json", {})
    for each in signers:
        theirs.sign(each)
    if spoilt == "payload":
        theirs.payload = b'{"a":2}'
    elif spoilt == "type":
        theirs.payload_type += "+x"
    elif spoilt == "sig":
        for sig in theirs.signatures.values():
            flipped = bytearray.fromhex(sig.signature)
            flipped[-1] ^= 1
            sig.signature = flipped.hex()
    try:
        theirs.verify([each.key for each in keys.keys.values()], threshold)
        good = True
    except VerificationError:
        good = False
    line = stable(theirs.to_dict()) + b"\n"
    findings = Findings()
    opener = Opener(findings, threshold)
    opener._good(read_envelope(line[:-1]), keys.keys, "here")
    assert good is (findings.heavy() is None)


# ---- the time of a key --------------------------------------------------------------------------------------------


def believed(**more: Any) -> Trust:
    return trust({"keys": [key().row(**more)]})


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"not_before": "2026-11-01T00:00:00Z", "not_after": "2026-12-01T00:00:00Z"}, []),
        ({"not_before": "2026-11-23T00:00:00Z"}, [Code.E_KEY_VALIDITY]),
        ({"not_after": "2026-11-22T00:00:00Z"}, [Code.E_KEY_VALIDITY]),
        ({"revoked_at": "2026-11-22T00:00:00Z"}, [Code.E_KEY_REVOKED]),
        ({"revoked_at": "2026-11-23T00:00:00Z"}, [Code.E_NOT_ANCHORED]),
    ],
)
def test_a_key_counts_within_its_time(more: dict[str, str], found: list[Code]) -> None:
    evidence = Evidence()
    folder = evidence.drill()
    assert codes(evidence.verify(believed(**more))) == found
    del evidence.files[evidence.ledger]
    assert codes(evidence.verify(believed(**more), one=folder)) == [*found, Code.I_NO_LEDGER]


def test_what_a_head_from_before_covers_is_believed_of_a_key_that_was_revoked() -> None:
    evidence = Evidence()
    evidence.drill()
    revoked = believed(revoked_at="2026-11-23T00:00:00Z")
    assert codes(evidence.verify(revoked, heads=[evidence.head()])) == []
    head = evidence.head()
    evidence.drill("bbbb02")
    assert codes(evidence.verify(revoked, heads=[head])) == [Code.E_NOT_ANCHORED, Code.I_HEAD_ADVANCED]


# ---- a key hands over ---------------------------------------------------------------------------------------------


def rotated(heir: int = 1, /, **more: Any) -> Evidence:
    """A drill of the old key, the entry that hands over, and a drill of the new one."""
    evidence = Evidence()
    evidence.drill()
    about: dict[str, Any] = {"old": key().keyid, "new": key(heir).keyid, "public": key(heir).public} | more
    evidence.entry("key-rotated", **about)
    evidence.signer = key(heir)
    evidence.drill("bbbb02")
    return evidence


def test_a_key_hands_over_where_the_trust_file_lets_it() -> None:
    report = rotated().verify(believed(may_rotate=True))
    assert (codes(report), report.exit_status) == ([Code.I_KEY_ROTATED], 0)


def test_a_key_hands_over_nothing_where_the_trust_file_does_not_say_so() -> None:
    report = rotated().verify(believed())
    assert {Code.E_ROTATION, Code.E_UNTRUSTED_KEY} <= set(codes(report))
    assert report.exit_status == 2
    (refused,) = (each for each in report.findings if each.code is Code.E_ROTATION)
    assert "name the new key there, or set may_rotate" in refused.sentence


def test_a_key_that_the_trust_file_names_itself_needs_no_leave() -> None:
    evidence = rotated()
    report = evidence.verify(evidence.trust(key().row(may_rotate=True), key(1).row()))
    assert codes(report) == [Code.I_KEY_ROTATED]


def test_a_key_that_has_handed_over_counts_no_more() -> None:
    evidence = rotated()
    evidence.drill("cccc03", signers=(key(),))
    evidence.entry("repaired", removed=ZEROS, signers=(key(),))
    report = evidence.verify(believed(may_rotate=True))
    assert Code.E_UNTRUSTED_KEY in codes(report)
    assert {each.where for each in report.findings if each.code is Code.E_UNTRUSTED_KEY} >= {
        "ledger/lab.jsonl:7",
        "ledger/lab.jsonl:8",
    }


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"new": key(2).keyid}, "the new key's id is"),
        ({"public": "none"}, "the new key cannot be used"),
        ({"old": key(2).keyid}, "the old key has not signed that"),
    ],
)
def test_a_rotation_that_is_none_adds_no_key(more: dict[str, Any], says: str) -> None:
    report = rotated(**more).verify(believed(may_rotate=True))
    (refused,) = (each for each in report.findings if each.code is Code.E_ROTATION)
    assert says in refused.sentence
    assert Code.E_UNTRUSTED_KEY in codes(report)


def test_a_revoked_key_hands_over_nothing() -> None:
    report = rotated().verify(believed(may_rotate=True, revoked_at="2027-01-01T00:00:00Z"))
    assert Code.E_ROTATION in codes(report)


def test_what_a_stranger_hands_over_adds_no_key() -> None:
    evidence = Evidence()
    evidence.drill()
    about: dict[str, Any] = {"old": key().keyid, "new": key(1).keyid, "public": key(1).public}
    evidence.entry("key-rotated", signers=(key(1),), **about)
    evidence.signer = key(1)
    evidence.drill("bbbb02")
    report = evidence.verify(believed(may_rotate=True))
    assert Code.I_KEY_ROTATED not in codes(report)
    assert report.exit_status == 2


# ---- a key is taken back ------------------------------------------------------------------------------------------


def two() -> Trust:
    return trust({"keys": [key().row(may_rotate=True), key(1).row()]})


def test_what_a_key_signed_before_it_was_revoked_in_the_chain_is_believed() -> None:
    evidence = Evidence()
    evidence.drill()
    since = time_of(evidence.at)
    evidence.entry("key-revoked", signers=(key(1),), keyid=key().keyid, since=since, reason="it was stolen")
    report = evidence.verify(two())
    assert (codes(report), report.exit_status) == ([Code.I_KEY_REVOKED], 0)


@pytest.mark.parametrize("since", [START - timedelta(days=1), START + timedelta(days=1)])
def test_what_a_key_signs_after_it_was_revoked_is_refused(since: Any) -> None:
    evidence = Evidence()
    about: dict[str, Any] = {"keyid": key().keyid, "since": time_of(since), "reason": "it was stolen"}
    evidence.entry("key-revoked", signers=(key(1),), **about)
    evidence.drill()
    found = codes(evidence.verify(two()))
    assert Code.E_KEY_REVOKED in found


def test_what_it_signed_between_the_theft_and_the_entry_is_refused() -> None:
    evidence = Evidence()
    evidence.drill()
    about: dict[str, Any] = {"keyid": key().keyid, "since": time_of(START), "reason": "it was stolen"}
    evidence.entry("key-revoked", signers=(key(1),), **about)
    assert Code.E_KEY_REVOKED in codes(evidence.verify(two()))


def test_a_revocation_counts_in_other_streams_too() -> None:
    evidence = Evidence()
    evidence.drill()
    other = Evidence(stream="staging")
    about: dict[str, Any] = {
        "keyid": key().keyid,
        "since": time_of(START + timedelta(days=1)),
        "reason": "it was stolen",
    }
    other.entry("key-revoked", signers=(key(1),), **about)
    evidence.files |= other.files
    assert Code.E_NOT_ANCHORED in codes(evidence.verify(two()))
    assert codes(evidence.verify(two(), heads=[evidence.head()])) == [Code.I_KEY_REVOKED]


def test_a_key_to_which_a_thief_handed_over_counts_no_more_than_the_stolen_one() -> None:
    evidence = rotated(2)
    other = Evidence(stream="staging")
    about: dict[str, Any] = {"keyid": key().keyid, "since": time_of(START), "reason": "it was stolen"}
    other.entry("key-revoked", signers=(key(1),), **about)
    evidence.files |= other.files
    report = evidence.verify(two())
    refused = {each.where for each in report.findings if each.code is Code.E_KEY_REVOKED}
    assert {"ledger/lab.jsonl:4", "ledger/lab.jsonl:5"} <= refused


def test_evidence_of_two_environments_has_two_heads() -> None:
    evidence = Evidence()
    evidence.drill()
    other = Evidence(stream="staging eu", at=START + timedelta(hours=2))
    other.drill("bbbb02")
    other.files["ledger/staging eu.jsonl"] = other.files.pop(other.ledger)
    evidence.files |= other.files
    report = evidence.verify()
    assert (codes(report), report.heads) == ([], (evidence.head(), other.head()))


def test_a_signed_result_of_a_second_key_of_the_file_counts_as_well() -> None:
    evidence = Evidence()
    folder = evidence.drill(outcome=Outcome.PASSED)
    path = f"{folder}/attestations.intoto.jsonl"
    lines = [envelope(payload_of(line), key(1)) for line in evidence.lines(path)]
    evidence.put_lines(lines, path)
    assert codes(evidence.verify(two())) == []
    assert Head("lab", 1, digest(payload_of(evidence.lines()[1]))) == evidence.head()
