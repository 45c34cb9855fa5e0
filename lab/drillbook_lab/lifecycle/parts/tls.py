"""Certificates: one authority that clients trust, and a valid, an expired and an untrusted certificate of the proxy."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme

from drillbook_lab.base.topology import HOST

KINDS = ("valid", "expired", "untrusted")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the authority and the three server certificates (key and chain in one file) lie."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, kind: str) -> Path:
        return self.folder / f"server-{kind}.pem"


def write(folder: Path, *names: str) -> TlsFiles:
    """Make a new authority and its certificates, for loopback and more names.

    All files are 0600. The caller sets the folder's mode.
    """
    files = TlsFiles(folder)
    now = datetime.datetime.now(datetime.UTC)
    authority, stranger = trustme.CA(), trustme.CA()
    leaves = {
        "valid": authority.issue_cert(HOST, "localhost", *names),
        "expired": authority.issue_cert(
            HOST,
            "localhost",
            *names,
            not_before=now - datetime.timedelta(days=90),
            not_after=now - datetime.timedelta(days=1),
        ),
        "untrusted": stranger.issue_cert(HOST, "localhost", *names),
    }
    files.ca.write_bytes(authority.cert_pem.bytes())
    files.ca.chmod(0o600)
    for kind, leaf in leaves.items():
        path = files.server(kind)
        path.touch(mode=0o600)
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return files
