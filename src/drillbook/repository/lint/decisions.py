"""What is wrong with the decision table of the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.errors import DrillbookError
from drillbook.repository.decision_table import FILE, table_of
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding

_PLACED = re.compile(rf"{re.escape(FILE)}:(\d+): (.*)", re.DOTALL)


def check(repository: Repository) -> Iterator[Finding]:
    """The one sentence of the error, at its place."""
    try:
        table_of(repository.root)
    except DrillbookError as error:
        placed = _PLACED.fullmatch(str(error))
        line, sentence = (int(placed[1]), placed[2]) if placed else (1, str(error))
        yield Finding(FILE, line, "decision-table", sentence)
