"""Reads the line of an envelope, without verifying it and without importing what could.

The rule: there is one way to read a line. Finding the end of a chain and verifying it use the same one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drillbook.errors import EvidenceError
from drillbook.evidence.sealing.strict_json import JsonError, parse_object


class EnvelopeError(EvidenceError):
    """An unusable envelope; `code` is the code of the failure (docs/evidence.md)."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class ReadSignature:
    """A signature as it is written."""

    keyid: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class ReadEnvelope:
    """An envelope as it is written; nothing in it is verified."""

    payload: bytes
    payload_type: str
    signatures: tuple[ReadSignature, ...]


def read_envelope(line: bytes) -> ReadEnvelope:
    """The parts of an envelope's line. Raises EnvelopeError (E_JSON, E_NO_SIGNATURE, E_DUP_SIGNATURE)."""
    try:
        value = parse_object(line)
    except JsonError as error:
        raise EnvelopeError("E_JSON", str(error)) from error
    payload_type, rows = value.get("payloadType"), value.get("signatures")
    if not isinstance(payload_type, str) or not isinstance(rows, list):
        raise EnvelopeError("E_JSON", "no envelope: payloadType and signatures are required")
    payload = _decoded(value.get("payload"), "payload")
    if not rows:
        raise EnvelopeError("E_NO_SIGNATURE", "nobody has signed it")
    signatures = tuple(_signature(row) for row in rows)
    if len({each.keyid for each in signatures}) != len(signatures):
        raise EnvelopeError("E_DUP_SIGNATURE", "one key has signed it twice")
    return ReadEnvelope(payload, payload_type, signatures)


def predicate_of(payload: bytes) -> Mapping[str, Any]:
    """The predicate of a statement. Raises JsonError."""
    predicate = parse_object(payload).get("predicate")
    if not isinstance(predicate, dict):
        raise JsonError("the statement has no predicate")
    return predicate


def _signature(row: object) -> ReadSignature:
    if not isinstance(row, dict) or not isinstance(row.get("keyid"), str) or not row["keyid"]:
        raise EnvelopeError("E_NO_SIGNATURE", "a signature does not name its key")
    return ReadSignature(row["keyid"], _decoded(row.get("sig"), "sig"))


def _decoded(text: object, name: str) -> bytes:
    if not isinstance(text, str):
        raise EnvelopeError("E_JSON", f"no envelope: {name} is no text")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise EnvelopeError("E_JSON", f"{name} is no base64") from error
    if base64.b64encode(decoded).decode() != text:
        # the bits that base64 leaves over: another text would have the same bytes
        raise EnvelopeError("E_JSON", f"{name} is no base64 as it is written")
    return decoded
