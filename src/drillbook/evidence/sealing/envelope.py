"""DSSE envelopes: a key makes them, and a reader verifies them with trusted keys. Imports the signing libraries.

The rule: bytes are signed and bytes are verified. Nothing in an envelope is believed before its signature is good, and
a key that comes with it is never believed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature, Signer, SSlibKey

from drillbook.errors import EvidenceError
from drillbook.evidence.sealing.lines import EnvelopeError, read_envelope
from drillbook.evidence.sealing.statements import PAYLOAD_TYPE
from drillbook.evidence.sealing.strict_json import stable_json

__all__ = ["EnvelopeError", "Opened", "public_key", "sign", "verify"]

RSA_BITS = 3072
# it reports each signature that is not good, and so do we
logging.getLogger("securesystemslib").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope with a good signature of a trusted key."""

    payload: bytes
    keyids: tuple[str, ...]


def public_key(pem: str) -> SSlibKey:
    """The key in a PEM: ed25519, ECDSA on P-256, or RSA of 3072 bits and more. Raises EnvelopeError (E_ALGORITHM)."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise EnvelopeError("E_ALGORITHM", f"no public key in PEM: {error}") from error
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        raise EnvelopeError("E_ALGORITHM", f"an RSA key of {key.key_size} bits; required: {RSA_BITS}")
    if isinstance(key, EllipticCurvePublicKey) and not isinstance(key.curve, SECP256R1):
        raise EnvelopeError("E_ALGORITHM", f"a key on the curve {key.curve.name}; required: P-256")
    if not isinstance(key, (Ed25519PublicKey, EllipticCurvePublicKey, RSAPublicKey)):
        raise EnvelopeError("E_ALGORITHM", "the key is none of ed25519, ECDSA and RSA")
    return SSlibKey.from_crypto(key)


def sign(payload: bytes, signer: Signer) -> bytes:
    """The line of an envelope, without its line feed. Raises EvidenceError with what the signer said."""
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    try:
        envelope.sign(signer)
    except Exception as error:  # a KMS's own errors, of any kind
        raise EvidenceError(f"the key could not sign: {type(error).__name__}: {error}") from error
    return stable_json(envelope.to_dict())


def verify(line: bytes, keys: Iterable[SSlibKey]) -> Opened:
    """The content of an envelope's line, if one of `keys` has signed it. Raises EnvelopeError, whose `code` says what
    is wrong.

    Signatures of other keys beside a good one are ignored: a second one may be a reviewer's.
    """
    read = read_envelope(line)
    envelope = Envelope(read.payload, read.payload_type, {})
    if read.payload_type != PAYLOAD_TYPE:
        raise EnvelopeError("E_PAYLOAD_TYPE", f"the payload's type is {read.payload_type!r}; required: {PAYLOAD_TYPE}")
    known = {key.keyid: key for key in keys}
    trusted = [each for each in read.signatures if each.keyid in known]
    if not trusted:
        named = ", ".join(each.keyid[:16] for each in read.signatures)
        raise EnvelopeError("E_UNTRUSTED_KEY", f"signed by {named}, which the trust file does not name")
    envelope.signatures = {each.keyid: Signature(each.keyid, each.signature.hex()) for each in trusted}
    try:
        good = envelope.verify([known[each.keyid] for each in trusted], 1)
    except (VerificationError, UnverifiedSignatureError, ValueError) as error:
        raise EnvelopeError("E_SIGNATURE", "the signature is not good") from error
    return Opened(read.payload, tuple(good))
