"""`drillbook lint`: what can be known about a drill repository without a drill."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.repository.lint import data_loss, decisions, features, hosts, inventory, obstacles, playbooks, runbooks
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding, counts, exit_status

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


def judge(repository: Repository) -> list[Finding]:
    """Every check that looks only at what was read."""
    subjects = (features, playbooks, hosts, obstacles, data_loss, runbooks, inventory, decisions)
    return [finding for subject in subjects for finding in subject.check(repository)]
