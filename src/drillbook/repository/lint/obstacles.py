"""What stops a playbook for certain: who would have to answer, and roles that are not there.

The rule: the same as a plan says (`drillbook.repository.obstacles`), of every playbook and role.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.errors import PlaybookError
from drillbook.model import paths
from drillbook.model.work_balance import PREFIX_VARIABLE
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding
from drillbook.repository.obstacles import of_file

_PLAYS = (paths.FAULTS, paths.RECOVERIES, paths.CLEANUPS, paths.MESSAGES, "playbooks/roles/")


def check(repository: Repository) -> Iterator[Finding]:
    """All of them, each at its place."""
    given: dict[str, set[str]] = {paths.WORK_CLEANUP: {PREFIX_VARIABLE}}
    for intent in (each for scenario in repository.scenarios for step in scenario.steps for each in step.intents):
        known = given.setdefault(intent.playbook, set(intent.variables))
        known &= set(intent.variables)  # what one run of it does not give, that run would ask for
    for path, text in repository.playbooks.items():
        if not path.startswith(_PLAYS):
            continue
        try:
            for each in of_file(repository.root, path, text, given.get(path, ())):
                yield Finding(path, each.line, each.code, each.sentence)
        except PlaybookError:  # an ansible.cfg that cannot be read: the inventory's finding says so
            return
