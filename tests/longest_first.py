"""The longest files first: a process that begins a long one at the end keeps all others waiting.

xdist gives whole files to its processes (`--dist loadfile`: the tests of a file share a lab), in the order of the
collection (`--no-loadscope-reorder`). Files that share a lab are one piece of work (one_lab.py), as long as all of
them. The order is a kept table of seconds, durations.json, and the same in each run.
DRILLBOOK_TEST_DURATIONS=keep writes it anew at the end of a whole run.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.one_lab import scope_of

TABLE = Path(__file__).with_name("durations.json")
UNKNOWN_S = 60.0
"""What a file may need that is not in the table: it is begun early enough to do no harm."""


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("DRILLBOOK_TEST_DURATIONS") == "keep" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Keep(), "keep-durations")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seconds: dict[str, float] = json.loads(TABLE.read_text())
    length: defaultdict[str, float] = defaultdict(float)
    for file in {file_of(item.nodeid) for item in items}:
        length[scope_of(file)] += seconds.get(file, UNKNOWN_S)

    def place(item: pytest.Item) -> tuple[float, str, float, str]:
        file = file_of(item.nodeid)
        return -length[scope_of(file)], scope_of(file), -seconds.get(file, UNKNOWN_S), file

    items.sort(key=place)  # stable: a file's tests stay together, and in order


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class Keep:
    """Sums up what each file took."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[file_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        found = {name: round(seconds, 1) for name, seconds in self._seconds.items()}
        TABLE.write_text(json.dumps(found, indent=1) + "\n")
