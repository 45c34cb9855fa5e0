"""The page for people, drawn by a process beside the session.

The rule: the record is already written. An error of its page must not hide how the drill ended.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.errors import DrillbookError
from drillbook.pytest_plugin.output.live_output import out_key

if TYPE_CHECKING:
    from drillbook.evidence.render.worker import ReportWorker

_worker_key: pytest.StashKey[ReportWorker] = pytest.StashKey()


def prepare(config: pytest.Config) -> None:
    """Import in the background what draws reports, if this session will have any."""
    if config.getini("drillbook_report") and _worker_key not in config.stash:
        # only a session that drills needs it
        from drillbook.evidence.render import worker

        config.stash[_worker_key] = worker.ReportWorker()


def draw(config: pytest.Config, folder: Path) -> None:
    """Write content/report.html of an evidence folder; report why that was not possible."""
    found = config.stash.get(_worker_key, None)
    if found is None:
        return
    try:
        found.report(folder)
    except DrillbookError as error:
        told = config.stash.get(out_key, None)
        if told is not None:
            told({"event": "note", "text": f"no report.html: {error}"})


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process."""
    found = config.stash.get(_worker_key, None)
    if found is not None:
        found.close()
