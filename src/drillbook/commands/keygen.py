"""The work of `drillbook keygen`: it makes keys, hands over from one to the next, and revokes them.

The rule: a ledger says which keys have signed it. The old key introduces the new one, and only a key that is not void
can declare another void.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import keys, passphrase
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.ledger import Ledger, streams
from drillbook.evidence.sealing.signing import Signing, opened
from drillbook.evidence.sealing.statements import Kind
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.pytest_plugin.options import read_ini


def make(here: Path, file: Path, secret: str | None, old: Path | None, evidence: Path | None) -> Iterator[str]:
    """Make a key and report it; `old` signs in each ledger that the new one follows. Raises DrillbookError."""
    before = opened(KeySource(str(old), None, passphrase.held())) if old is not None else None
    made = keys.new_key(secret)
    public = keys.write_new(file, made)
    yield f"key: {file} ({'encrypted' if secret else 'not encrypted'}), its public part: {public}"
    yield "in a trust file: " + json.dumps({"keyid": made.keyid, "name": file.stem, "public": made.public})
    if before is not None:
        about = {"old": before.keyid, "new": made.keyid, "public": made.public}
        yield from _in_each_ledger(here, evidence, before, Kind.KEY_ROTATED, about)


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
    return _in_each_ledger(here, evidence, signing, Kind.KEY_REVOKED, about)


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


def _in_each_ledger(
    here: Path, evidence: Path | None, signing: Signing, kind: Kind, about: dict[str, str]
) -> Iterator[str]:
    root = here / evidence if evidence is not None else read_ini(here).evidence
    found = streams(root)
    if not found:
        yield f"no ledger below {root}: nothing was signed"
    for stream in found:
        yield f"ledger {stream}: {Ledger(root, stream, signing).append(kind, about)} ({kind})"
