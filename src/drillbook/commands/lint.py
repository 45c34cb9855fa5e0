"""`drillbook lint`: judges a drill repository and prints what it found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drillbook.commands.lint_collection import read
from drillbook.repository.lint import Report, ansible_lint, judge


def lint(paths: Sequence[Path] = (), inventories: Sequence[Path] = (), here: Path | None = None) -> Report:
    """Look at the repository around these features. Raises WrongCallError when there is nothing to look at."""
    repository = read(paths, inventories, here)
    found = [*judge(repository), *ansible_lint.check(repository.root, repository.handed_over)]
    return Report(tuple(sorted(set(found))), len(repository.features))
