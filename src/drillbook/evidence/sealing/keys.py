"""Keys that sign: made, read from a file, or reached by a URI of securesystemslib (a KMS, an HSM, Vault).

The rule: a private key is written encrypted, readable by its owner alone, and never over another file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing.envelope import public_key
from drillbook.evidence.sealing.lines import EnvelopeError

__all__ = [
    "NewKey",
    "new_key",
    "public_part",
    "public_pem",
    "public_pem_of",
    "signer_of_file",
    "signer_of_uri",
    "write_new",
]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key: PEM texts. The private one is encrypted if there is a passphrase."""

    private: bytes
    public: str
    keyid: str


def new_key(passphrase: str | None) -> NewKey:
    """An ed25519 key."""
    made = Ed25519PrivateKey.generate()
    kept: KeySerializationEncryption = NoEncryption()
    if passphrase:
        kept = BestAvailableEncryption(passphrase.encode())
    public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return NewKey(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept), public, public_key(public).keyid)


def public_part(path: Path) -> Path:
    """Where the public part of a private key's file is written."""
    return path.with_name(f"{path.name}.pub")


def write_new(path: Path, key: NewKey) -> Path:
    """Write the private key with mode 0600, and the public one beside it as FILE.pub; returns the latter.

    Raises DrillbookError when one of them already exists: nobody can make a lost key again.
    """
    public = public_part(path)
    for each in (path, public):
        if each.exists() or each.is_symlink():
            raise DrillbookError(f"{each} already exists: name another file, keygen overwrites no key")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for each, data, mode in ((path, key.private, 0o600), (public, key.public.encode(), 0o644)):
            descriptor = os.open(each, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
    except OSError as error:
        raise DrillbookError(f"{path}: the key cannot be written: {error.strerror}") from error
    return public


def signer_of_file(path: Path, passphrase: str | None) -> CryptoSigner:
    """The signer for the key in a PEM file (PKCS8). Raises DrillbookError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DrillbookError(f"{path}: the key cannot be read: {error.strerror}") from error
    try:
        private = load_pem_private_key(data, passphrase.encode() if passphrase and b"ENCRYPTED" in data else None)
    except TypeError as error:
        raise DrillbookError(
            f"{path}: the key is encrypted: give its passphrase in DRILLBOOK_KEY_PASSPHRASE"
        ) from error
    except ValueError as error:
        # its name alone, since a record may hold it
        raise DrillbookError(
            f"the key {path.name} cannot be opened: it is no key, or the passphrase is wrong: {error}"
        ) from error
    made = public_pem_of(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), path)
    return CryptoSigner(private, made)


def public_pem_of(pem: bytes, place: Path) -> SSlibKey:
    """The public key in a PEM. Raises DrillbookError that names its place."""
    try:
        return public_key(pem.decode("ascii", "replace"))
    except EnvelopeError as error:
        raise DrillbookError(f"{place}: {error}: make one with 'drillbook keygen'") from error


def signer_of_uri(uri: str, public: Path, passphrase: str | None) -> Signer:
    """The signer for a URI of securesystemslib; `public` is the PEM of its public key. Raises DrillbookError."""
    try:
        pem = public.read_bytes()
    except OSError as error:
        raise DrillbookError(f"{public}: the public key of {uri} cannot be read: {error.strerror}") from error
    key = public_pem_of(pem, public)
    try:
        return Signer.from_priv_key_uri(uri, key, lambda _name: passphrase or "")
    except Exception as error:  # a vendor's client, of any kind
        raise DrillbookError(f"{uri}: the key cannot be used: {type(error).__name__}: {error}") from error


def public_pem(signer: Signer) -> str:
    """The public key of a signer as PEM, the form of trust files and rotations."""
    key = signer.public_key
    assert isinstance(key, SSlibKey)
    return key._crypto_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
