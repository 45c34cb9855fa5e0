"""Opens envelopes with the reader's trusted keys, and reads the statements in them.

The rule: nothing in an envelope is believed before a trusted key's signature is good. Each signature is judged. An
envelope must have the one form that Drillbook writes: otherwise somebody could change a byte that no signature covers,
unseen.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature

from drillbook.evidence.sealing.lines import EnvelopeError, ReadEnvelope, read_envelope
from drillbook.evidence.sealing.statements import PAYLOAD_TYPE, STATEMENT_TYPE, sha256
from drillbook.evidence.sealing.strict_json import JsonError, parse_object, stable_json
from drillbook.evidence.verifying.findings import Code, Findings, said
from drillbook.evidence.verifying.trust import TrustedKey

LINE_BYTES = 8 << 20
_HEX = frozenset("0123456789abcdef")


class ShapeError(Exception):
    """A field of a statement that is missing or wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A statement that trusted keys have signed: their ids, the first one's signature, the payload's digest, and its
    content.
    """

    keyids: tuple[str, ...]
    signature: bytes
    digest: str
    statement: Mapping[str, Any]

    @property
    def predicate_type(self) -> str:
        return str(self.statement["predicateType"])

    @property
    def predicate(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.statement["predicate"]
        return found

    @property
    def subjects(self) -> list[tuple[str, Mapping[str, str]]]:
        return [(each["name"], each["digest"]) for each in self.statement["subject"]]


class Opener:
    """Opens the lines of one file, and reports what is wrong with them."""

    def __init__(self, findings: Findings, threshold: int = 1) -> None:
        self._findings, self._threshold = findings, threshold

    def read(self, line: bytes, where: str) -> ReadEnvelope | None:
        """The parts of an envelope in the right form."""
        if not line.endswith(b"\n"):
            self._findings.add(Code.E_JSON, where, "the line has no end: it was cut")
            return None
        try:
            read = read_envelope(line[:-1])
        except EnvelopeError as error:
            self._findings.add(Code(error.code), where, str(error))
            return None
        if _written(read) != line[:-1]:
            sentence = "it is not written as envelopes are (compact, sorted, no other fields): nobody signs how it is"
            self._findings.add(Code.E_JSON, where, sentence)
            return None
        if read.payload_type != PAYLOAD_TYPE:
            sentence = f"payloadType is {said(read.payload_type)}, not {PAYLOAD_TYPE}"
            self._findings.add(Code.E_PAYLOAD_TYPE, where, sentence)
            return None
        return read

    def opened(self, read: ReadEnvelope, keys: Mapping[str, TrustedKey], where: str) -> Opened | None:
        """Its statement; None when its signatures, or its type, are not good."""
        good = self._good(read, keys, where)
        if not good:
            return None
        try:
            statement = parse_object(read.payload)
        except JsonError as error:
            self._findings.add(Code.E_JSON, where, f"the signed payload: {error}")
            return None
        try:
            _check(statement)
        except ShapeError as error:
            self._findings.add(Code.E_STATEMENT, where, str(error))
            return None
        signature = next(each.signature for each in read.signatures if each.keyid == good[0])
        return Opened(good, signature, sha256(read.payload), statement)

    def _good(self, read: ReadEnvelope, keys: Mapping[str, TrustedKey], where: str) -> tuple[str, ...]:
        """The trusted keys with a good signature; none when one signature is bad, or too few have signed."""
        signed = Envelope(read.payload, read.payload_type, {}).pae()
        good, bad, unknown = [], [], []
        for each in read.signatures:
            key = keys.get(each.keyid)
            if key is None:
                unknown.append(each.keyid)
                continue
            try:
                key.key.verify_signature(Signature(each.keyid, each.signature.hex()), signed)
                good.append(each.keyid)
            except UnverifiedSignatureError:
                bad.append(each.keyid)
        for keyid in bad:
            self._findings.add(Code.E_SIGNATURE, where, f"the signature of the key {keyid} is not good")
        for keyid in unknown:
            code = Code.W_UNKNOWN_SIGNER if good else Code.E_UNTRUSTED_KEY
            self._findings.add(code, where, f"the trust file does not name the key {said(keyid)} that has signed it")
        if bad or not good:
            return ()
        if len(good) < self._threshold:
            sentence = f"{len(good)} trusted keys have signed it; the trust file demands {self._threshold}"
            self._findings.add(Code.E_THRESHOLD, where, sentence)
        return tuple(good)


def _written(read: ReadEnvelope) -> bytes:
    """The one text of an envelope."""
    signatures = [{"keyid": each.keyid, "sig": base64.b64encode(each.signature).decode()} for each in read.signatures]
    payload = base64.b64encode(read.payload).decode()
    try:
        return stable_json({"payload": payload, "payloadType": read.payload_type, "signatures": signatures})
    except UnicodeEncodeError:
        return b""


def _check(statement: Mapping[str, Any]) -> None:
    if statement.get("_type") != STATEMENT_TYPE:
        raise ShapeError(f"_type is {said(statement.get('_type'))}, not {STATEMENT_TYPE}")
    text(statement, "predicateType")
    if not isinstance(statement.get("predicate"), dict):
        raise ShapeError("the statement has no predicate")
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or not subjects:
        raise ShapeError("the statement has no subject")
    for each in subjects:
        digests = each.get("digest") if isinstance(each, dict) else None
        if not isinstance(digests, dict) or not digests or not isinstance(each.get("name"), str):
            raise ShapeError("a subject has not a name and a digest")
        if not all(isinstance(value, str) and value and _HEX.issuperset(value) for value in digests.values()):
            raise ShapeError(f"the digest of the subject {said(each['name'])} is no hexadecimal number")


def text(fields: Mapping[str, Any], name: str) -> str:
    """A field with a text that is not empty. Raises ShapeError."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ShapeError(f"{name} is {said(value)}, not a text")
    return value


def hex64(fields: Mapping[str, Any], name: str) -> str:
    """A field with a SHA-256. Raises ShapeError."""
    value = fields.get(name)
    if not isinstance(value, str) or len(value) != 64 or not _HEX.issuperset(value):
        raise ShapeError(f"{name} is {said(value)}, not a SHA-256 in 64 small hexadecimal digits")
    return value
