"""What is wrong with evidence: stable codes, each with its weight, and the verdict on the whole.

The rule: a code means one thing for ever, so that other programs can rely on it. The heaviest finding decides. Without
anything to verify, nothing is whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from drillbook.model.printable import printable

LONGEST_VALUE = 80


class Weight(Enum):
    """How a finding changes the verdict, and the exit status of that; the heaviest first."""

    BROKEN = ("broken", 2)
    """Somebody changed, removed or added something, or the evidence contradicts itself."""
    UNKNOWN = ("unknown", 3)
    """It cannot be verified: no trust, no signature, unreadable, another version."""
    FAILED = ("failed", 1)
    """The evidence is whole, and says that a drill did not end as it had to."""
    WARNING = ("warning", 0)
    NOTE = ("note", 0)

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def exit_status(self) -> int:
        return self.value[1]


class Code(StrEnum):
    """Each way in which evidence can be wrong; docs/verify.md has a row for each."""

    # the trust file
    E_NO_TRUST = "E_NO_TRUST"
    E_TRUST = "E_TRUST"
    E_TRUST_KEYID = "E_TRUST_KEYID"
    E_ALGORITHM = "E_ALGORITHM"
    # reading
    E_NOTHING = "E_NOTHING"
    E_UNREADABLE = "E_UNREADABLE"
    E_SIZE = "E_SIZE"
    E_JSON = "E_JSON"
    # envelopes
    E_PAYLOAD_TYPE = "E_PAYLOAD_TYPE"
    E_NO_SIGNATURE = "E_NO_SIGNATURE"
    E_DUP_SIGNATURE = "E_DUP_SIGNATURE"
    E_SIGNATURE = "E_SIGNATURE"
    E_UNTRUSTED_KEY = "E_UNTRUSTED_KEY"
    W_UNKNOWN_SIGNER = "W_UNKNOWN_SIGNER"
    E_THRESHOLD = "E_THRESHOLD"
    E_KEY_VALIDITY = "E_KEY_VALIDITY"
    E_KEY_REVOKED = "E_KEY_REVOKED"
    E_NOT_ANCHORED = "E_NOT_ANCHORED"
    E_ROTATION = "E_ROTATION"
    # statements
    E_STATEMENT = "E_STATEMENT"
    E_PREDICATE_UNKNOWN = "E_PREDICATE_UNKNOWN"
    E_VERSION_UNSUPPORTED = "E_VERSION_UNSUPPORTED"
    E_RESULT_ENUM = "E_RESULT_ENUM"
    E_RESULT_CONTRADICTION = "E_RESULT_CONTRADICTION"
    E_ATTESTATION_MISSING = "E_ATTESTATION_MISSING"
    E_ATTESTATION_TWICE = "E_ATTESTATION_TWICE"
    E_UNSIGNED = "E_UNSIGNED"
    E_NOT_SEALED = "E_NOT_SEALED"
    # files
    E_SUMS_MISSING = "E_SUMS_MISSING"
    E_SUMS_FORMAT = "E_SUMS_FORMAT"
    E_FILE_MISSING = "E_FILE_MISSING"
    E_FILE_EXTRA = "E_FILE_EXTRA"
    E_FILE_DIGEST = "E_FILE_DIGEST"
    E_FILETYPE = "E_FILETYPE"
    E_NAME = "E_NAME"
    E_SUBJECT_DIGEST = "E_SUBJECT_DIGEST"
    W_NOT_A_BUNDLE = "W_NOT_A_BUNDLE"
    W_PROOF_GONE = "W_PROOF_GONE"
    # the record
    E_SCHEMA = "E_SCHEMA"
    E_RUN_BINDING = "E_RUN_BINDING"
    E_OUTCOME_MISMATCH = "E_OUTCOME_MISMATCH"
    E_COUNT_MISMATCH = "E_COUNT_MISMATCH"
    E_PLAN_DIGEST = "E_PLAN_DIGEST"
    W_PLAN_GREW = "W_PLAN_GREW"
    E_OBJECTIVE_ARITHMETIC = "E_OBJECTIVE_ARITHMETIC"
    E_PROFILE = "E_PROFILE"
    I_PROFILE = "I_PROFILE"
    # the ledger
    E_LEDGER_MISSING = "E_LEDGER_MISSING"
    E_LEDGER_TORN = "E_LEDGER_TORN"
    E_LEDGER_SEQ = "E_LEDGER_SEQ"
    E_LEDGER_CHAIN = "E_LEDGER_CHAIN"
    E_LEDGER_DIGEST = "E_LEDGER_DIGEST"
    E_LEDGER_STREAM = "E_LEDGER_STREAM"
    E_HEAD_MISMATCH = "E_HEAD_MISMATCH"
    E_TRUNCATED = "E_TRUNCATED"
    E_NO_INTENT = "E_NO_INTENT"
    E_DOUBLE_INTENT = "E_DOUBLE_INTENT"
    E_DOUBLE_CLOSE = "E_DOUBLE_CLOSE"
    E_RUN_NEVER_CLOSED = "E_RUN_NEVER_CLOSED"
    E_RUN_MISSING = "E_RUN_MISSING"
    E_RUN_UNRECORDED = "E_RUN_UNRECORDED"
    I_NO_LEDGER = "I_NO_LEDGER"
    I_HEAD_ADVANCED = "I_HEAD_ADVANCED"
    I_RESTORED = "I_RESTORED"
    I_REPAIRED = "I_REPAIRED"
    I_KEY_ROTATED = "I_KEY_ROTATED"
    I_KEY_REVOKED = "I_KEY_REVOKED"
    # time
    E_TIME_ORDER = "E_TIME_ORDER"
    E_FUTURE = "E_FUTURE"
    W_CLOCK_BACKWARDS = "W_CLOCK_BACKWARDS"
    W_CLOCK_UNSYNCED = "W_CLOCK_UNSYNCED"
    W_TSA_UNCHECKED = "W_TSA_UNCHECKED"
    W_TSA_MISSING = "W_TSA_MISSING"
    E_TSA_INVALID = "E_TSA_INVALID"
    E_TSA_UNTRUSTED = "E_TSA_UNTRUSTED"
    E_TSA_MISMATCH = "E_TSA_MISMATCH"
    E_TSA_OUTSIDE_WINDOW = "E_TSA_OUTSIDE_WINDOW"
    # what it says
    F_DRILL = "F_DRILL"
    F_VOID = "F_VOID"

    @property
    def weight(self) -> Weight:
        if self in _UNKNOWN:
            return Weight.UNKNOWN
        return {"E": Weight.BROKEN, "W": Weight.WARNING, "I": Weight.NOTE, "F": Weight.FAILED}[self[0]]


_UNKNOWN = frozenset(
    {
        Code.E_NO_TRUST,
        Code.E_TRUST,
        Code.E_TRUST_KEYID,
        Code.E_ALGORITHM,
        Code.E_NOTHING,
        Code.E_UNREADABLE,
        Code.E_SIZE,
        Code.E_PREDICATE_UNKNOWN,
        Code.E_VERSION_UNSUPPORTED,
        Code.E_NOT_ANCHORED,
        Code.E_UNSIGNED,
        Code.E_NOT_SEALED,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong, or that a reader should know: where, which code, and one sentence."""

    where: str
    code: Code
    sentence: str

    def as_json(self) -> dict[str, str]:
        return {
            "code": self.code.value,
            "weight": self.code.weight.word,
            "where": printable(self.where),
            "sentence": printable(self.sentence),
        }


class Findings:
    """Collects the findings, each once."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}

    def add(self, code: Code, where: str, sentence: str) -> None:
        self._found[Finding(where, code, sentence)] = None

    def heavy(self) -> Finding | None:
        """The first of them that speaks against the evidence."""
        return next((each for each in self._found if each.code.weight in (Weight.BROKEN, Weight.UNKNOWN)), None)

    def sorted(self) -> tuple[Finding, ...]:
        return tuple(sorted(self._found))


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """The last entry of a ledger's stream. A reader writes it down elsewhere, to find a later cut."""

    stream: str
    seq: int
    digest: str

    def __str__(self) -> str:
        return f"{self.stream}:{self.seq}:{self.digest}"


@dataclass(slots=True)
class Counts:
    """How much was checked."""

    bundles: int = 0
    signed: int = 0
    files: int = 0
    entries: int = 0
    unsynced: int = 0
    """Drills on machines whose clock was not synchronised."""
    profiles: Counter[str] = field(default_factory=Counter)
    """Drills by the profile of their verification, in words."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, and their verdict."""

    findings: tuple[Finding, ...]
    heads: tuple[Head, ...] = ()
    counts: Counts = field(default_factory=Counts)

    @property
    def verdict(self) -> str:
        """`whole`, or the word of the heaviest finding that changes the exit status."""
        weight = _heaviest(self.findings)
        return weight.word if weight.exit_status else "whole"

    @property
    def exit_status(self) -> int:
        return _heaviest(self.findings).exit_status

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "exit_status": self.exit_status,
            "counts": {name: getattr(self.counts, name) for name in ("bundles", "signed", "files", "entries")},
            "heads": [{"stream": printable(each.stream), "seq": each.seq, "head": each.digest} for each in self.heads],
            "findings": [each.as_json() for each in self.findings],
        }


def _heaviest(findings: Iterable[Finding]) -> Weight:
    found = {each.code.weight for each in findings}
    return next((weight for weight in Weight if weight in found), Weight.NOTE)


def said(value: object) -> str:
    """A value from a stranger, short enough for a sentence."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
