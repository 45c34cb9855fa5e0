"""What is wrong with the inventory: it cannot be resolved, or does not name its environment."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.errors import InventoryError, NoEnvironmentError
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding


def check(repository: Repository) -> Iterator[Finding]:
    """The one sentence of the error, at its place."""
    error = repository.inventory_problem
    if error is None:
        return
    root = f"{repository.root}/"
    code = "no-environment" if isinstance(error, NoEnvironmentError) else "inventory"
    path, line = repository.inventory_name or ".", 1
    if isinstance(error, InventoryError) and error.place is not None and error.place.line is not None:
        path, line = error.place.path.removeprefix(root), error.place.line
    yield Finding(path, line, code, str(error).replace(root, ""))
