"""`drillbook lint`: judges a drill repository and prints what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from drillbook.commands.lint_collection import read
from drillbook.repository.lint import Report, ansible_lint, judge


def lint(paths: Sequence[Path] = (), inventories: Sequence[Path] = (), here: Path | None = None) -> Report:
    """Check the repository around these features. Raises WrongCallError when there is nothing to check."""
    repository = read(paths, inventories, here)
    found = judge(repository)
    for run in repository.handed_over:
        found += ansible_lint.check(repository.root, run.variables, only=run.playbooks)
    # a title, a step, a tag or a file's name may hold a secret that the inventory knows
    shown = {
        replace(each, path=repository.redact(each.path), sentence=repository.redact(each.sentence)) for each in found
    }
    return Report(tuple(sorted(shown)), len(repository.features))
