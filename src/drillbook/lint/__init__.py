"""`drillbook lint`: what can be known of a drill repository without a drill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook.lint import ansible_lint, dataloss, features, inventory, playbooks, runbooks
from drillbook.lint.collect import WrongCallError, read
from drillbook.lint.findings import Finding, counts, exit_status
from drillbook.lint.repository import Repository

__all__ = ["Finding", "Report", "WrongCallError", "lint"]


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, sorted by place."""

    findings: tuple[Finding, ...]
    features: int

    def lines(self) -> list[str]:
        """One line for each finding, and the counts."""
        return [*map(str, self.findings), counts(self.findings, self.features)]

    def exit_status(self, *, strict: bool = False) -> int:
        """1 when anything fails, 0 otherwise."""
        return exit_status(self.findings, strict=strict)


def lint(paths: Sequence[Path] = (), inventory_path: Path | None = None, here: Path | None = None) -> Report:
    """Look at the repository around these features. Raises WrongCallError when there is nothing to look at."""
    repository = read(paths, inventory_path, here)
    found = [*judge(repository), *ansible_lint.check(repository.root)]
    return Report(tuple(sorted(set(found))), len(repository.features))


def judge(repository: Repository) -> list[Finding]:
    """Every check that looks at nothing but what was read."""
    subjects = (features, playbooks, dataloss, runbooks, inventory)
    return [finding for subject in subjects for finding in subject.check(repository)]
