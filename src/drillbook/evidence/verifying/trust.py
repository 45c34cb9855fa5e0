"""Whom the reader trusts: a file of the reader's own, and what signed entries of a ledger may add to it.

The rule: no key comes from the evidence unless a key of the file handed over to it, and the file allows that. A key
counts only within its time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from securesystemslib.signer import SSlibKey

from drillbook.evidence.sealing.envelope import public_key
from drillbook.evidence.sealing.lines import EnvelopeError
from drillbook.evidence.sealing.strict_json import JsonError, parse_object
from drillbook.evidence.verifying.findings import Code, said

TRUST_BYTES = 1 << 20
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_FILE, _KEY = {"keys", "threshold"}, {"keyid", "name", "role", "public"}
_TIMES = ("not_before", "not_after", "revoked_at")


class TrustError(Exception):
    """An unusable trust file, with its code; the message is a sentence."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key, its owner, and when it counts. `may_rotate`: its holder may hand over to another key in a ledger."""

    key: SSlibKey
    name: str
    not_before: datetime | None = None
    not_after: datetime | None = None
    revoked_at: datetime | None = None
    may_rotate: bool = False

    @property
    def keyid(self) -> str:
        return str(self.key.keyid)

    def outside(self, moment: datetime) -> bool:
        """Whether a signature of that moment is outside of the key's time."""
        early = self.not_before is not None and moment < self.not_before
        return early or (self.not_after is not None and moment > self.not_after)


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys by their ids, and how many of them must have signed a drill."""

    keys: Mapping[str, TrustedKey]
    threshold: int = 1


def moment(text: object) -> datetime | None:
    """A time in the form of evidence, RFC 3339 in UTC with `Z`; None for anything else."""
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def read_trust(path: Path) -> Trust:
    """The trust file. Raises TrustError."""
    try:
        with path.open("rb") as file:
            text = file.read(TRUST_BYTES + 1)
    except OSError as error:
        raise TrustError(Code.E_TRUST, f"the trust file cannot be read: {error.strerror}") from None
    if len(text) > TRUST_BYTES:
        raise TrustError(Code.E_TRUST, f"the trust file is larger than {TRUST_BYTES} bytes")
    try:
        document = parse_object(text)
    except JsonError as error:
        raise TrustError(Code.E_TRUST, f"the trust file cannot be used: {error}") from None
    return trust(document)


def trust(document: Mapping[str, Any]) -> Trust:
    """The content of a trust file. Raises TrustError."""
    rows, threshold = document.get("keys"), document.get("threshold", 1)
    if unknown := sorted(document.keys() - _FILE):
        raise TrustError(Code.E_TRUST, f"the trust file has a field {said(unknown[0])} that is not known")
    if not isinstance(rows, list) or not rows:
        raise TrustError(Code.E_TRUST, 'the trust file names no key: write {"keys": [...]}, as keygen prints them')
    if not isinstance(threshold, int) or isinstance(threshold, bool) or not 1 <= threshold <= len(rows):
        raise TrustError(Code.E_TRUST, f"threshold is {said(threshold)}: write a number from 1 to the number of keys")
    keys: dict[str, TrustedKey] = {}
    for row in rows:
        key = _trusted(row)
        if key.keyid in keys:
            raise TrustError(Code.E_TRUST, f"the trust file has the key {key.keyid} twice")
        keys[key.keyid] = key
    return Trust(keys, threshold)


def _trusted(row: object) -> TrustedKey:
    known = {*_KEY, *_TIMES, "may_rotate"}
    if not isinstance(row, dict) or not {"keyid", "public"} <= row.keys() or row.keys() - known:
        raise TrustError(
            Code.E_TRUST, f"a key of the trust file needs keyid and public, and may have only {sorted(known)}"
        )
    for name in _TIMES:
        if row.get(name) is not None and moment(row[name]) is None:
            raise TrustError(Code.E_TRUST, f"{name} is {said(row[name])}: write it as 2026-11-30T00:00:00Z")
    if not isinstance(row.get("may_rotate", False), bool):
        raise TrustError(Code.E_TRUST, f"may_rotate is {said(row['may_rotate'])}, not true or false")
    key = key_of_pem(row["public"])
    if key.keyid != row["keyid"]:
        raise TrustError(
            Code.E_TRUST_KEYID, f"the trust file calls a key {said(row['keyid'])}, and its id is {key.keyid}"
        )
    not_before, not_after, revoked_at = (moment(row.get(name)) for name in _TIMES)
    return TrustedKey(
        key, str(row.get("name", "")), not_before, not_after, revoked_at, may_rotate=row.get("may_rotate", False)
    )


def key_of_pem(pem: object) -> SSlibKey:
    """The key in a PEM, if its kind is strong enough. Raises TrustError."""
    try:
        return public_key(pem if isinstance(pem, str) else "")
    except (EnvelopeError, ValueError) as error:
        raise TrustError(Code.E_ALGORITHM, f"a public key cannot be used: {error}") from None
