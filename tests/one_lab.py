"""Files that share a lab are run by one process: each other process would bring up a lab of its own.

A lab takes 5 s of a processor to come up, and 4 % of one as long as it is there. xdist gives whole files to its
processes (`--dist loadfile`). This scheduler gives the files of a group as one. A test that uses a shared lab is
refused if its file is in no group.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

SHARED = {"whole_lab", "machines"}
"""The name of each fixture that is a lab for more than one file."""
GROUPS = {
    "tests/lab": (
        "tests/lab/test_api.py",
        "tests/lab/test_bullmq_modules.py",
        "tests/lab/test_dead_man_switch.py",
        "tests/lab/test_items.py",
        "tests/lab/test_lifecycle.py",
        "tests/lab/test_postgres_leak.py",
        "tests/lab/test_proxy_faults.py",
        "tests/lab/test_redis_modules.py",
        "tests/lab/test_resilience.py",
    ),
    "tests/hosts": (
        "tests/hosts/test_drill.py",
        "tests/hosts/test_faults.py",
        "tests/hosts/test_machines.py",
        "tests/hosts/test_switch.py",
    ),
    "tests/drills/on_a_lab": (
        "tests/drills/on_a_lab/test_data_loss.py",
        "tests/drills/on_a_lab/test_metrics_of_r7.py",
        "tests/drills/on_a_lab/test_on_the_lab.py",
        "tests/drills/on_a_lab/test_queue_on_the_lab.py",
    ),
}
GROUP_OF = {file: group for group, files in GROUPS.items() for file in files}


def scope_of(nodeid: str) -> str:
    """The group of a test's file, or the file itself."""
    file = nodeid.partition("::")[0]
    return GROUP_OF.get(file, file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    strange = {
        item.nodeid.partition("::")[0]
        for item in items
        if SHARED & set(getattr(item, "fixturenames", ())) and item.nodeid.partition("::")[0] not in GROUP_OF
    }
    if strange:
        raise pytest.UsageError(f"tests that share a lab are of no group in tests/one_lab.py: {', '.join(strange)}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    scheduler: Any = import_module("xdist.scheduler").LoadFileScheduling(config, log)
    scheduler._split_scope = scope_of  # how xdist says that its subclasses tell pieces of work apart
    return scheduler
