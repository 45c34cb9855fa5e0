"""Reports drawn by a process beside the session: the same bytes, each error told, and none missing when it is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.render.html import page
from drillbook.evidence.render.worker import ReportWorker
from tests.support.unit import until

pytestmark = pytest.mark.unit

# a session that does not end by itself: the test kills it
OWNER = """
import time
from drillbook.evidence.render.worker import ReportWorker
print(ReportWorker().pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def worker() -> Iterator[ReportWorker]:
    made = ReportWorker()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Evidence of a drill of which nothing but its name is known, in a folder whose name has to be quoted."""
    content = tmp_path / 'a "drill"\nin two lines' / "content"
    content.mkdir(parents=True)
    (content / "drill.json").write_text(json.dumps({"schema": "drillbook/drill/1", "title": "Disk full"}))
    return content.parent


def page_of(folder: Path) -> Path:
    return folder / "content" / "report.html"


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_page_is_the_one_that_is_drawn_here(worker: ReportWorker, folder: Path) -> None:
    page.report(folder)
    here = page_of(folder).read_bytes()
    page_of(folder).unlink()
    pid = worker.pid
    worker.report(folder)
    worker.report(folder)
    assert page_of(folder).read_bytes() == here
    assert worker.pid == pid is not None


def test_what_goes_wrong_is_told_and_the_next_page_is_drawn(worker: ReportWorker, folder: Path) -> None:
    with pytest.raises(DrillbookError, match=r"drill\.json: cannot be read"):
        worker.report(folder / "elsewhere")
    page_of(folder).mkdir()
    with pytest.raises(DrillbookError, match=r"report\.html: evidence cannot be written: Is a directory"):
        worker.report(folder)
    page_of(folder).rmdir()
    worker.report(folder)
    assert b"Disk full" in page_of(folder).read_bytes()


def test_without_it_the_page_is_drawn_here(worker: ReportWorker, folder: Path) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.report(folder)
    assert b"Disk full" in page_of(folder).read_bytes()
    assert worker.pid is None
    with pytest.raises(DrillbookError, match=r"drill\.json: cannot be read"):
        worker.report(folder / "elsewhere")


def test_a_silent_one_is_ended(worker: ReportWorker, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "drillbook.evidence.render.worker.ANSWER_S", 0.0
    )  # a stopped process never answers: no need to wait
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    worker.report(folder)
    assert b"Disk full" in page_of(folder).read_bytes()
    assert gone(pid)


def test_where_it_cannot_be_started_the_page_is_drawn_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # the one way for the start itself to fail
    worker = ReportWorker()
    assert worker.pid is None
    worker.report(folder)
    assert page_of(folder).is_file()
    worker.close()


def test_it_ends_when_its_session_is_killed() -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            OWNER,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert not gone(pid)
    owner.kill()
    owner.communicate()
    until(lambda: gone(pid), "the process that draws has ended")
