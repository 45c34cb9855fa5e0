"""The work of `drillbook keygen`: it makes keys, hands over from one to the next, and revokes them.

The rule: a ledger says which keys have signed it. The old key introduces the new one, and only a key that is not void
can declare another void.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import keys, passphrase
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.ledger import Ledger, entries, ledger_path, streams
from drillbook.evidence.sealing.signing import Signing, opened
from drillbook.evidence.sealing.statements import Kind
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.pytest_plugin.options import read_ini


def make(here: Path, file: Path, secret: str | None, old: Path | None, evidence: Path | None) -> Iterator[str]:
    """Make a key and report it; `old` signs in each ledger that the new one follows. Raises DrillbookError.

    Where a part of the ledgers knows of the key in `file` already, the others follow, and no other key is made.
    """
    before = opened(KeySource(str(old), None, passphrase.held())) if old is not None else None
    root = _root(here, evidence)
    handed_over = {} if before is None else {each: _heir(root, each, before.keyid) for each in streams(root)}
    made = _begun(file, handed_over.values())
    if made is None:
        new = keys.new_key(secret)
        public = keys.write_new(file, new)
        yield f"key: {file} ({'encrypted' if secret else 'not encrypted'}), its public part: {public}"
        made = (new.keyid, new.public)
    keyid, pem = made
    yield "in a trust file: " + json.dumps({"keyid": keyid, "name": file.stem, "public": pem})
    if before is not None:
        about = {"old": before.keyid, "new": keyid, "public": pem}
        left = [each for each, heir in handed_over.items() if heir != keyid]
        try:
            yield from _in_ledgers(root, left, before, Kind.KEY_ROTATED, about)
        except DrillbookError as error:
            raise DrillbookError(f"{error}; the same command goes on with the ledgers that are left") from error


def _heir(root: Path, stream: str, old: str) -> object:
    """The id of the key to which a ledger's holder has handed over last; None: to none. Raises EvidenceError."""
    said = [each for _, each in entries(ledger_path(root, stream)) if each.get("kind") == Kind.KEY_ROTATED]
    return next((each.get("new") for each in reversed(said) if each.get("old") == old), None)


def _begun(file: Path, heirs: Collection[object]) -> tuple[str, str] | None:
    """The id of the key in a file, and its public part, if a ledger knows it as an heir. Raises DrillbookError."""
    public = keys.public_part(file)
    if not file.is_file() or not public.is_file():
        return None
    pem = public.read_text(encoding="ascii", errors="replace")
    keyid = str(keys.public_pem_of(pem.encode(), public).keyid) if heirs else ""
    return (keyid, pem) if keyid in heirs else None


def revoke(here: Path, evidence: Path | None, keyid: str, since: str | None, reason: str) -> Iterator[str]:
    """The key of drillbook_key signs in each ledger that this one is void. Raises DrillbookError."""
    if not re.fullmatch(r"[0-9a-f]{64}", keyid):
        raise DrillbookError(f"--revoke {keyid}: a keyid is 64 hexadecimal digits, as the trust file has them")
    if not reason:
        raise DrillbookError("--revoke: say why with --reason")
    source = read_ini(here).key
    if source is None:
        raise DrillbookError("--revoke: there is no key to sign it with: name one with drillbook_key or DRILLBOOK_KEY")
    signing = opened(source)
    if signing.keyid == keyid:
        raise DrillbookError("--revoke: a key cannot revoke itself: name another with DRILLBOOK_KEY")
    about = {"keyid": keyid, "since": _moment(since), "reason": reason}
    root = _root(here, evidence)
    return _in_ledgers(root, streams(root), signing, Kind.KEY_REVOKED, about)


def _moment(since: str | None) -> str:
    if since is None:
        return rfc3339(wall_now())
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise DrillbookError(f"--since {since}: name a time with its zone, as 2026-11-30T07:00:00Z")
    return rfc3339(moment)


def _root(here: Path, evidence: Path | None) -> Path:
    return here / evidence if evidence is not None else read_ini(here).evidence


def _in_ledgers(root: Path, found: Sequence[str], signing: Signing, kind: Kind, about: dict[str, str]) -> Iterator[str]:
    if not found:
        yield f"no ledger below {root}: nothing was signed"
    for stream in found:
        yield f"ledger {stream}: {Ledger(root, stream, signing).append(kind, about)} ({kind})"
