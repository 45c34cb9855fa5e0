"""Envelopes: what is signed is verified by us and by openssl, and everything else is refused with its code."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner

from drillbook.errors import DrillbookError, EvidenceError
from drillbook.evidence.sealing import keys
from drillbook.evidence.sealing.envelope import EnvelopeError, public_key, sign, verify
from drillbook.evidence.sealing.lines import read_envelope

pytestmark = pytest.mark.unit

SIGNER = CryptoSigner.generate_ed25519()
OTHER = CryptoSigner.generate_ed25519()
PAYLOAD = b'{"a":1}'
LINE = sign(PAYLOAD, SIGNER)


def changed(**parts: Any) -> bytes:
    return json.dumps(json.loads(LINE) | parts).encode()


def signature(**parts: Any) -> bytes:
    row = json.loads(LINE)["signatures"][0] | parts
    return changed(signatures=[row])


def code(line: bytes) -> str:
    with pytest.raises(EnvelopeError) as refused:
        verify(line, [SIGNER.public_key])
    return refused.value.code


@pytest.mark.parametrize(
    "made", [CryptoSigner.generate_ed25519, CryptoSigner.generate_ecdsa, CryptoSigner.generate_rsa]
)
def test_what_a_key_has_signed_is_verified_with_it(made: Any) -> None:
    signer = made()
    again = public_key(keys.public_pem(signer))
    assert again.keyid == signer.public_key.keyid
    opened = verify(sign(PAYLOAD, signer), [OTHER.public_key, again])
    assert (opened.payload, opened.keyids) == (PAYLOAD, (again.keyid,))


def test_the_line_is_the_one_text_of_its_envelope() -> None:
    assert list(json.loads(LINE)) == ["payload", "payloadType", "signatures"]
    assert b" " not in LINE
    assert b"\n" not in LINE


def test_openssl_verifies_it(tmp_path: Path) -> None:
    read = read_envelope(LINE)
    kind = read.payload_type.encode()
    (tmp_path / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(read.payload), read.payload))
    (tmp_path / "sig").write_bytes(read.signatures[0].signature)
    (tmp_path / "pub").write_text(keys.public_pem(SIGNER))
    command = "openssl pkeyutl -verify -pubin -inkey pub -rawin -in pae -sigfile sig"
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "pae").write_bytes(b"other")
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (changed(payload=base64.b64encode(b'{"a":2}').decode()), "E_SIGNATURE"),
        (signature(sig=json.loads(sign(b"{}", SIGNER))["signatures"][0]["sig"]), "E_SIGNATURE"),
        (sign(PAYLOAD, OTHER), "E_UNTRUSTED_KEY"),
        (signature(keyid=OTHER.public_key.keyid), "E_UNTRUSTED_KEY"),
        (signature(keyid=""), "E_NO_SIGNATURE"),
        (changed(signatures=[]), "E_NO_SIGNATURE"),
        (changed(signatures=json.loads(LINE)["signatures"] * 2), "E_DUP_SIGNATURE"),
        (changed(payloadType="text/plain"), "E_PAYLOAD_TYPE"),
        (changed(payload="e30"), "E_JSON"),
        (changed(payload="e31="), "E_JSON"),
        (changed(payload=1), "E_JSON"),
        (changed(signatures=None), "E_JSON"),
        (LINE[:-1], "E_JSON"),
        (LINE.replace(b'{"payload"', b'{"payload":"","payload"'), "E_JSON"),
    ],
)
def test_what_is_not_signed_so_is_refused(line: bytes, expected: str) -> None:
    assert code(line) == expected


def test_a_signature_of_another_key_beside_a_good_one_is_let_be() -> None:
    both = json.loads(LINE)["signatures"] + json.loads(sign(PAYLOAD, OTHER))["signatures"]
    assert verify(changed(signatures=both), [SIGNER.public_key]).keyids == (SIGNER.public_key.keyid,)


WEAK = [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()), dsa.generate_private_key(1024)]


@pytest.mark.parametrize("key", WEAK, ids=["rsa2048", "p384", "dsa"])
def test_weak_and_strange_keys_are_refused(key: Any) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(EnvelopeError) as refused:
        public_key(pem)
    assert refused.value.code == "E_ALGORITHM"


# ---- keys


def test_a_new_key_is_encrypted_and_signs_with_its_passphrase_alone(tmp_path: Path) -> None:
    made = keys.new_key("a long passphrase")
    path = tmp_path / "keys/drill.pem"
    public = keys.write_new(path, made)
    assert b"ENCRYPTED" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert public.read_text() == made.public
    signer = keys.signer_of_file(path, "a long passphrase")
    assert verify(sign(PAYLOAD, signer), [public_key(made.public)]).keyids == (made.keyid,)
    for wrong in ("another one", None):
        with pytest.raises(DrillbookError, match=r"drill\.pem"):
            keys.signer_of_file(path, wrong)
    with pytest.raises(DrillbookError, match="already exists"):
        keys.write_new(path, made)


def test_a_key_in_clear_signs_with_and_without_a_passphrase(tmp_path: Path) -> None:
    made = keys.new_key(None)
    keys.write_new(tmp_path / "k", made)
    for passphrase in (None, "unused"):
        assert keys.signer_of_file(tmp_path / "k", passphrase).public_key.keyid == made.keyid


def test_a_uri_signs_with_its_public_key_beside_it(tmp_path: Path) -> None:
    keys.write_new(tmp_path / "k", keys.new_key(None))
    signer = keys.signer_of_uri(f"file2:{tmp_path / 'k'}", tmp_path / "k.pub", None)
    assert verify(sign(PAYLOAD, signer), [signer.public_key]).payload == PAYLOAD  # type: ignore[list-item]
    with pytest.raises(DrillbookError, match="nowhere:x"):
        keys.signer_of_uri("nowhere:x", tmp_path / "k.pub", None)


def test_a_key_that_cannot_sign_is_told() -> None:
    class Gone(CryptoSigner):
        def sign(self, payload: bytes) -> Any:
            raise OSError("no network")

    with pytest.raises(EvidenceError, match="no network"):
        sign(PAYLOAD, Gone(SIGNER._private_key))
