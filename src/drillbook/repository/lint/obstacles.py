"""What certainly stops a playbook: questions that somebody would have to answer, and missing roles.

The rule: it says the same as a plan does (`drillbook.repository.obstacles`), about every playbook and role.
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
        known &= set(intent.variables)  # a run that does not give it would ask for it
    su_asks = repository.inventory is not None and repository.inventory.su_asks
    for path, text in repository.playbooks.items():
        if not path.startswith(_PLAYS):
            continue
        try:
            for each in of_file(repository.root, path, text, given.get(path, ()), su_asks=su_asks):
                yield Finding(path, each.line, each.code, each.sentence)
        except PlaybookError:  # an ansible.cfg that cannot be read: the inventory's finding says so
            return
