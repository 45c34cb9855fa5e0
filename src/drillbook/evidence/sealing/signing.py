"""An open key: it signs payloads, and names itself. Imports the signing libraries, so only signers import it."""

from __future__ import annotations

from pathlib import Path

from securesystemslib.signer import Signer

from drillbook.evidence.sealing import envelope, keys
from drillbook.evidence.sealing.key_source import KeySource


class Signing:
    """Makes envelopes with one key."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self.keyid: str = signer.public_key.keyid

    @property
    def public_pem(self) -> str:
        """The public key."""
        return keys.public_pem(self._signer)

    def sign(self, payload: bytes) -> bytes:
        """The line of the payload's envelope, without its line feed. Raises EvidenceError."""
        return envelope.sign(payload, self._signer)


def opened(source: KeySource) -> Signing:
    """The key of a source. Raises DrillbookError."""
    source.check()
    if source.is_uri:
        assert source.public is not None
        return Signing(keys.signer_of_uri(source.place, source.public, source.passphrase))
    return Signing(keys.signer_of_file(Path(source.place), source.passphrase))
