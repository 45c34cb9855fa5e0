"""What is wrong with the inventory: that it cannot be resolved, or does not say what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding

_PLACE = re.compile(r"\(?(?P<path>/?[\w./~-]+\.(?:ya?ml|ini|json|cfg)|/[\w./~-]+):(?P<line>\d+)(?::\d+)?\)?")


def check(repository: Repository) -> Iterator[Finding]:
    """The one sentence of the error, at the place that it names."""
    problem = repository.inventory_problem
    if not problem:
        return
    sentence = problem.replace(f"{repository.root}/", "")
    code = "no-environment" if "does not say what it is" in problem else "inventory"
    path, line = repository.inventory_name or ".", 1
    if found := _PLACE.search(sentence):
        path, line = found["path"], int(found["line"])
    yield Finding(path, line, code, sentence)
