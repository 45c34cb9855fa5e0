"""What the options, the ini and the root of a repository name, as far as the start of the warm server needs it.

The rule: it imports little, because Ansible's import waits for it. All else about options is in `options`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillbook.model.paths import EVIDENCE, STEPS

REQUIRE_DRILLS, REQUIRE_RTO, REQUIRE_SIGNED = "drills", "rto", "signed"
DEFAULT_INVENTORY, DEFAULT_EVIDENCE = "inventories/lab", EVIDENCE
DEFAULT_FEATURES, DEFAULT_STEPS = ["features"], [STEPS]
ROOTS_OF_OURS = (STEPS, "inventories")
"""Folders that mark a root as a drill repository, even without an ini of Drillbook's."""


def inventory_paths(config: pytest.Config) -> tuple[Path, ...]:
    """The inventory to drill, and further ones to merge with it, absolute.

    A variable and the ini name several with commas between them.
    """
    named = config.getoption("--inventory", None)
    # pytest-ansible's own option has a default that nobody asked for
    asked = [named] if isinstance(named, str) else [each for each in named or () if each != "/etc/ansible/hosts"]
    root = config.invocation_params.dir
    if not asked:
        asked = several(os.environ.get("DRILLBOOK_INVENTORY", ""))
    if not asked:
        asked, root = several(str(config.getini("drillbook_inventory"))), config.rootpath
    return tuple(Path(os.path.abspath(root / each)) for each in asked)  # noqa: PTH100 - ".." is resolved, links are not


def several(text: str) -> list[str]:
    """What a text names, with commas between."""
    return [each.strip() for each in text.split(",") if each.strip()]
