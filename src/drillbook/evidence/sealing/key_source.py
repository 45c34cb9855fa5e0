"""Where the signing key is, as the ini and the environment name it. Reads no key and imports nothing that does.

The rule: it reports what is wrong with the key before anything is broken, and always reports a key that a playbook
could read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import passphrase
from drillbook.evidence.sealing.passphrase import KEY, PUBLIC, TIMESTAMP_URL

_URI = re.compile(r"[a-z][a-z0-9+.-]*:")
_SCHEMES = {
    "awskms": ("boto3", "awskms"),
    "azurekms": ("azure", "azurekms"),
    "file2": ("cryptography", "crypto"),
    "gcpkms": ("google", "gcpkms"),
    "hsm": ("pkcs11", "hsm"),
    "hv": ("hvac", "vault"),
}
"""Forms of a URI of securesystemslib whose signatures `drillbook verify` reads: for each the package that it needs, and
the extra of securesystemslib that brings it.
"""
NO_KEY = "no key was given: see 'drillbook keygen' and drillbook_key"


@dataclass(frozen=True, slots=True)
class KeySource:
    """A key in a file (PKCS8 PEM), or behind a URI of securesystemslib (`awskms:...`) with its public key in a file."""

    place: str
    """An absolute path, or the URI."""
    public: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    timestamp_url: str | None = None
    """The authority that stamps signatures (RFC 3161), if there is one."""

    @property
    def is_uri(self) -> bool:
        """Whether the key is behind a URI, and not in a file."""
        return bool(_URI.match(self.place))

    def check(self) -> None:
        """Raise DrillbookError for any error that is visible without reading the key."""
        if self.is_uri:
            self._check_scheme()
            if self.public is None or not self.public.is_file():
                raise DrillbookError(
                    f"{self.place}: its public key is needed as well: name its PEM file with drillbook_key_public "
                    f"(or {PUBLIC})"
                )
        elif self._encrypted() and not self.passphrase:
            raise DrillbookError(
                f"{self.place}: the key is encrypted: give its passphrase in {passphrase.VARIABLE} "
                f"(or by the file descriptor that {passphrase.BY_PIPE} names)"
            )

    def _check_scheme(self) -> None:
        """Raise DrillbookError for a URI that nobody here can sign with."""
        scheme = self.place.partition(":")[0]
        known = _SCHEMES.get(scheme)
        if known is None:
            raise DrillbookError(
                f"{self.place}: no key is reached by {scheme}: here; write a file, or one of "
                f"{', '.join(f'{each}:' for each in _SCHEMES)}"
            )
        package, extra = known
        if find_spec(package) is None:
            raise DrillbookError(
                f"{self.place}: the library for it is not installed: pip install 'securesystemslib[{extra}]'"
            )

    def _encrypted(self) -> bool:
        """Whether the key is encrypted. Raises DrillbookError when there is no such file."""
        try:
            with Path(self.place).open("rb") as file:
                return b"ENCRYPTED" in file.read(200)
        except OSError as error:
            raise DrillbookError(
                f"{self.place}: the key cannot be read ({error.strerror}): make one with 'drillbook keygen', or remove "
                "drillbook_key: drills also run without a key, and their evidence is unsigned"
            ) from error

    def exposed(self) -> str | None:
        """Why a playbook could sign with this key, as a sentence without a path; None when it could not."""
        if self.is_uri:
            return None
        if not self._encrypted():
            return f"a playbook can read this key: {Path(self.place).name} is not encrypted"
        shown = passphrase.shown_by()
        if shown is not None:
            return (
                f"a playbook can read the passphrase of this key: {shown}, which started this session, has it in its "
                f"environment: hand it over with {passphrase.BY_PIPE}"
            )
        return None

    def as_line(self) -> bytes:
        """The form for a child process, which gets it by a pipe."""
        public = str(self.public) if self.public is not None else None
        said = {"place": self.place, "public": public, "passphrase": self.passphrase, "url": self.timestamp_url}
        return json.dumps(said).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> KeySource | None:
        """The opposite of `as_line`; None when the pipe ended before the line."""
        if not line.endswith(b"\n"):
            return None
        said = json.loads(line)
        public = Path(said["public"]) if said["public"] else None
        return cls(said["place"], public, said["passphrase"], said["url"])


def key_source(said: Callable[[str], object], root: Path) -> KeySource | None:
    """The key of the environment, or else of the ini, whose paths are relative to `root`; None when neither names a
    key.
    """
    place = _named(os.environ.get(KEY), said("drillbook_key"), root)
    if place is None:
        return None
    public = _named(os.environ.get(PUBLIC), said("drillbook_key_public"), root)
    url = os.environ.get(TIMESTAMP_URL) or str(said("drillbook_timestamp_url") or "") or None
    return KeySource(place, Path(public) if public is not None else None, passphrase.held(), url)


def _named(of_environment: str | None, of_ini: object, root: Path) -> str | None:
    text, base = (of_environment, Path.cwd()) if of_environment else (str(of_ini or ""), root)
    if not text:
        return None
    return text if _URI.match(text) else str(base / Path(text).expanduser())


def of_descriptor(number: int) -> KeySource | None:
    """What `as_line` wrote to the other end, for this process alone; None when that was closed before."""
    passphrase.undumpable()
    line = b""
    while not line.endswith(b"\n") and (more := os.read(number, 1)):  # what follows the line is another message
        line += more
    return KeySource.from_line(line)
