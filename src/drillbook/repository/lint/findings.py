"""What lint finds, as values. The rule: a part that lint could not look at is a finding of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error fails; a warning fails under `--strict`; a note names something that lint did not look at."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing at one place; `path` is relative to the root where it lies below it, `line` counts from 1."""

    path: str
    line: int
    code: str
    sentence: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        told = "" if self.severity is Severity.ERROR else f" ({self.severity})"
        return f"{self.path}:{self.line}: {self.code}: {self.sentence}{told}"


def counts(findings: Iterable[Finding], features: int) -> str:
    """`2 errors, 1 warning, 1 note in 3 features`."""
    found = Counter(each.severity for each in findings)
    numbers = ", ".join(_many(found[severity], severity) for severity in Severity)
    return f"{numbers} in {_many(features, 'feature')}"


def exit_status(findings: Iterable[Finding], *, strict: bool) -> int:
    """1 for an error, and under `strict` for a warning; else 0."""
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return int(any(each.severity in failing for each in findings))


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
