"""The result of a verification, as lines for people.

The rule: one finding is one line, and nothing in it moves the cursor: strangers wrote some of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.evidence.verifying.findings import Report, Weight
from drillbook.model.printable import printable

_VERDICTS = {
    "whole": "The evidence is whole",
    Weight.FAILED.word: "The evidence is whole, and says that not every drill ended as it had to",
    Weight.UNKNOWN.word: "The evidence cannot be verified",
    Weight.BROKEN.word: "The evidence is broken",
}


def lines(report: Report) -> Iterator[str]:
    """The findings, then what was checked and the verdict, then the heads of the ledgers."""
    for each in report.findings:
        yield printable(f"{each.code.value:<22} {each.where}: {each.sentence}").replace("\n", "\\n")
    counts = report.counts
    looked = (
        f"{_number(counts.bundles, 'bundle')} ({counts.signed} signed), {_number(counts.files, 'file')}, "
        f"{_number(counts.entries, 'entry', 'entries')} of the ledger"
    )
    yield f"{_VERDICTS[report.verdict]}: {looked}."
    if report.heads:
        yield "Only a head that is kept elsewhere shows later that the end was not cut off:"
    for head in report.heads:
        yield printable(f"  --expect-head {head}").replace("\n", "\\n")


def _number(count: int, one: str, more: str | None = None) -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
