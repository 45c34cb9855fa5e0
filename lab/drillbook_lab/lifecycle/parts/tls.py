"""Certificates: one authority that clients trust, and for the proxy a valid, an expired, an untrusted one."""

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


def write(folder: Path) -> TlsFiles:
    """Make a new authority and its certificates; all files 0600 (the folder's mode is the caller's)."""
    files = TlsFiles(folder)
    now = datetime.datetime.now(datetime.UTC)
    authority, stranger = trustme.CA(), trustme.CA()
    leaves = {
        "valid": authority.issue_cert(HOST, "localhost"),
        "expired": authority.issue_cert(
            HOST,
            "localhost",
            not_before=now - datetime.timedelta(days=90),
            not_after=now - datetime.timedelta(days=1),
        ),
        "untrusted": stranger.issue_cert(HOST, "localhost"),
    }
    files.ca.write_bytes(authority.cert_pem.bytes())
    files.ca.chmod(0o600)
    for kind, leaf in leaves.items():
        path = files.server(kind)
        path.touch(mode=0o600)
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return files
