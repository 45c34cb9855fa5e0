"""A session with a store: when it uploads, and what it says where the store is out of reach."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from drillbook.evidence.redaction import Redactor
from drillbook.evidence.store.place import Place
from drillbook.evidence.store.remote import Remote
from drillbook.pytest_plugin.collecting.hiding import drills_key, knows_key
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.output.storing import Storing
from drillbook.target.ansible.environment import passed_on
from tests.unit.evidence.store.test_shipping import NEW, sealed

pytestmark = pytest.mark.unit

OUT_OF_REACH = "file:///proc/no-store"
SECRET = "wJalrXUtnFEMI"


class Session:
    """A pytest session of one drill, as far as its store knows it."""

    def __init__(self, root: Path, url: str, *, drills: bool = True, **of_xdist: Any) -> None:
        self.shown, self.redactor = io.StringIO(), Redactor()
        config: Any = SimpleNamespace(rootpath=root, stash=pytest.Stash(), **of_xdist)
        config.get_terminal_writer = lambda: TerminalWriter(self.shown)
        config.stash[knows_key] = lambda _config: self.redactor
        item: Any = ScenarioItem.__new__(ScenarioItem)
        item.scenario = SimpleNamespace(is_drill=drills)
        self.items = [item]
        self.folder = root / "evidence"
        self.storing = Storing(config, Place(self.folder, url))

    def begin(self) -> None:
        self._within(self.storing.pytest_runtestloop(self))  # type: ignore[arg-type]

    def end(self) -> str:
        self._within(self.storing.pytest_sessionfinish())
        return self.shown.getvalue()

    def _within(self, wrapper: Any) -> None:
        next(wrapper)
        with pytest.raises(StopIteration):
            wrapper.send(None)


def stored(tmp_path: Path) -> list[str]:
    return sorted(Remote(f"memory://{tmp_path.name}").objects())


def test_a_drill_is_uploaded_when_it_is_sealed_and_the_rest_at_the_end(tmp_path: Path) -> None:
    session = Session(tmp_path, f"memory://{tmp_path.name}")
    session.begin()
    session.storing.pytest_runtest_logfinish()
    assert stored(tmp_path) == []
    sealed(session.folder)
    session.storing.pytest_runtest_logfinish()
    assert f"{NEW}/SHA256SUMS" in stored(tmp_path)
    sealed(session.folder, "20991122T090000Z-proof-it-aaaa03")
    assert session.end() == f"2 folders of evidence went to memory://{tmp_path.name}\n"
    assert "20991122T090000Z-proof-it-aaaa03/SHA256SUMS" in stored(tmp_path)


def test_a_store_out_of_reach_is_told_once_and_the_next_session_uploads(tmp_path: Path) -> None:
    session = Session(tmp_path, OUT_OF_REACH)
    session.begin()
    sealed(session.folder)
    for _ in range(2):
        session.storing.pytest_runtest_logfinish()
    said = session.end()
    assert said.startswith(f"{OUT_OF_REACH}: the store does not take {NEW}/content/drill.json: ")
    assert said.endswith(
        f"; 1 folder of evidence stays in {session.folder}: the next session or 'drillbook evidence "
        "push' uploads that\n"
    )
    (tmp_path / "here").mkdir()
    (notes,) = (tmp_path / ".drillbook").iterdir()
    again = Session(tmp_path, f"file://{tmp_path}/here")
    again.storing._outbox._notes = notes  # the same store, which can be reached now
    again.begin()
    assert again.end() == f"1 folder of evidence went to file://{tmp_path}/here\n"
    assert (tmp_path / "here" / NEW / "SHA256SUMS").read_text() == "one"


def test_a_store_that_hangs_is_asked_twice_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, asked = Session(tmp_path, f"memory://{tmp_path.name}"), []
    session.begin()
    sealed(session.folder)

    def hangs(_self: Remote, name: str, _file: Path) -> None:
        asked.append(name)
        raise OSError("no answer in time")

    monkeypatch.setattr(Remote, "put", hangs)
    for _ in range(3):
        session.storing.pytest_runtest_logfinish()
    assert len(asked) == 1
    assert session.end().startswith("no answer in time; 1 folder of evidence stays in ")
    assert len(asked) == 2


def test_a_session_without_drills_asks_no_store(tmp_path: Path) -> None:
    session = Session(tmp_path, OUT_OF_REACH, drills=False)
    session.begin()
    sealed(session.folder)
    session.storing.pytest_runtest_logfinish()
    assert session.end() == ""
    assert not (tmp_path / ".drillbook").exists()


def test_on_xdist_a_worker_begins_and_the_controller_uploads(tmp_path: Path) -> None:
    url = f"memory://{tmp_path.name}"
    worker, controller = Session(tmp_path, url, workerinput={}), Session(tmp_path, url, drills=False)
    controller.begin()
    worker.begin()
    sealed(worker.folder)
    worker.storing.pytest_runtest_logfinish()
    assert (worker.end(), stored(tmp_path)) == ("", [])
    controller.storing._config.stash[drills_key] = True
    assert controller.end() == f"1 folder of evidence went to {url}\n"


def test_credentials_reach_neither_evidence_nor_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("FSSPEC_S3_SECRET", SECRET + "2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    session = Session(tmp_path, f"memory://{tmp_path.name}")
    session.begin()
    said = session.redactor.text(f"{SECRET} {SECRET}2 eu-central-1")
    assert said == "[REDACTED:AWS_SECRET_ACCESS_KEY] [REDACTED:FSSPEC_S3_SECRET] eu-central-1"
    assert not [each for each in passed_on(()) if each.startswith(("AWS_", "FSSPEC_"))]
    assert "AWS_SECRET_ACCESS_KEY" in os.environ
