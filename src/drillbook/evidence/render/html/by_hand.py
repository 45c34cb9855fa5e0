"""The commands with which anybody verifies a drill by hand: with sha256sum, openssl and the public key.

The rule: they are those of docs/verify-by-hand.md, and a pure function of the record. The report names its own folder
and who signs it, but no digest: it is itself one of the files whose digests are signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from drillbook.evidence.files import folder_name


@cache
def commands() -> tuple[str, ...]:
    """The commands, in which `$drill`, `$key` and `$work` are set."""
    return tuple(Path(__file__).with_name("templates").joinpath("by_hand.sh").read_text(encoding="utf-8").splitlines())


def lines(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines for the drill of this record; none when nobody signs it, or the record is damaged."""
    if signer(record) is None:
        return ()
    control, started = record.get("control"), record.get("started_at")
    named = f"{control.get('name')} {record.get('title')}" if isinstance(control, Mapping) else str(record.get("title"))
    try:
        folder = folder_name(datetime.fromisoformat(str(started)), named, str(record.get("run_id")))
    except ValueError:
        return ()
    return (f'drill="evidence/{folder}" key=drill.pub work=$(mktemp -d)', *commands())


def signer(record: Mapping[str, Any]) -> str | None:
    """The id of the key that signs the drill, according to the record."""
    signature = record.get("signature")
    if not isinstance(signature, Mapping) or signature.get("state") != "signed":
        return None
    keyid = signature.get("keyid")
    return keyid if isinstance(keyid, str) else None
