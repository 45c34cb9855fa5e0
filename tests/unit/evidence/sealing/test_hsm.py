"""A key that never leaves its HSM: SoftHSM, reached by PKCS#11 as any other one is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drillbook.errors import EvidenceError
from drillbook.evidence.sealing.envelope import public_key, verify
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.signing import opened

LIBRARY = next((path for path in Path("/usr/lib").glob("**/libsofthsm2.so")), None)
pytestmark = [
    pytest.mark.hsm,
    pytest.mark.skipif(
        LIBRARY is None or shutil.which("softhsm2-util") is None,
        reason="SoftHSM is not installed (apt-get install softhsm2)",
    ),
]

PIN, OF_OFFICER, PAYLOAD = "87654321", "12345678", b'{"it": 1}'


def test_a_key_in_an_hsm_signs_with_its_pin_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed (securesystemslib[hsm])")
    from pkcs11.util.ec import encode_named_curve_parameters
    from securesystemslib.signer import HSMSigner, SSlibKey

    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.setenv("PYKCS11LIB", str(LIBRARY))
    make = ["softhsm2-util", "--init-token", "--free", "--label", "drill", "--so-pin", OF_OFFICER, "--pin", PIN]
    subprocess.run(make, check=True, capture_output=True)
    token = pkcs11.lib(str(LIBRARY)).get_token(token_label="drill")
    with token.open(rw=True, user_pin=PIN) as session:
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(store=True, id=b"\x02")
    uri, key = HSMSigner.import_(token_label="drill")
    assert isinstance(key, SSlibKey)
    pem = key._crypto_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public = tmp_path / "hsm.pub"
    public.write_bytes(pem)

    source = KeySource(uri, public, PIN)
    source.check()
    assert source.exposed() is None
    signing = opened(source)
    read = verify(signing.sign(PAYLOAD), [public_key(pem.decode())])
    assert (read.payload, read.keyids) == (PAYLOAD, (signing.keyid,))
    with pytest.raises(EvidenceError, match="PinIncorrect"):
        opened(KeySource(uri, public, "0000")).sign(PAYLOAD)
    with pytest.raises(EvidenceError, match="could not sign"):
        opened(KeySource("hsm:7?label=drill", public, PIN)).sign(PAYLOAD)
