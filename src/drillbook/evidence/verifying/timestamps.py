"""Time stamps (RFC 3161) over the signature of a drill: an authority says that the signature existed at a moment.

The rule: a stamp counts only for certificates that the reader brings, and never for one from the bundle. This module is
imported only when there is a stamp and such a certificate.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from drillbook.evidence.verifying.findings import Code

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

_BY_LENGTH = {32: hashlib.sha256, 48: hashlib.sha384, 64: hashlib.sha512}


class StampError(Exception):
    """A stamp that proves nothing, with its code; the message is a sentence."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def stamped_at(stamp: bytes, signature: bytes, roots: bytes) -> datetime:
    """The moment at which a trusted authority saw the signature. Raises StampError.

    `roots` are certificates as PEM. The authority's own certificate may have expired since.
    """
    try:
        answer = decode_timestamp_response(stamp)
        moment: datetime = answer.tst_info.gen_time
        seen = bytes(answer.tst_info.message_imprint.message)
    except ValueError as error:
        raise StampError(Code.E_TSA_INVALID, f"it is no time stamp: {error}") from None
    algorithm = _BY_LENGTH.get(len(seen))
    if algorithm is None or algorithm(signature).digest() != seen:
        raise StampError(Code.E_TSA_MISMATCH, "it is of something else than the signature of this drill")
    _trusted(answer, signature, roots)
    return moment


def _trusted(answer: TimeStampResponse, signature: bytes, roots: bytes) -> None:
    builder = VerifierBuilder()
    try:
        for certificate in load_pem_x509_certificates(roots):
            builder = builder.add_root_certificate(certificate)
    except ValueError as error:
        raise StampError(Code.E_TSA_UNTRUSTED, f"the certificates of --tsa-root cannot be read: {error}") from None
    try:
        builder.build().verify_message(answer, signature)
    except (VerificationError, ValueError) as error:
        sentence = f"no authority of --tsa-root has made it: {error}"
        raise StampError(Code.E_TSA_UNTRUSTED, sentence) from None
