"""Evidence on disk: redacted, and at every instant one whole document."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps, folder_name, write_atomically
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.writer import Recorder
from drillbook.model.verdict import Outcome
from tests.support.records import record
from tests.support.unit import quickly

pytestmark = pytest.mark.unit

SECRET = "correct-horse-battery"
STARTED = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)


class Kept:
    """A recorder in a temporary folder, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.record = record(title=f"The password is {SECRET}")
        redactor = Redactor()
        redactor.add("password", SECRET)
        self.recorder = Recorder(folder / "run", self.record, redactor, self.told.append)
        self.content = folder / "run" / "content"

    def drill(self) -> Any:
        return json.loads((self.content / "drill.json").read_text())

    def everything(self) -> str:
        return "".join(path.read_text() for path in self.content.iterdir()) + str(self.told)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_the_record_is_there_from_the_first_moment(kept: Kept) -> None:
    assert kept.drill()["outcome"] is None
    kept.record.outcome = Outcome.PASSED
    kept.recorder.save()
    assert kept.drill()["outcome"] == "PASSED"


def test_nothing_is_written_or_told_with_a_secret_in_it(kept: Kept) -> None:
    kept.recorder.append("samples.ndjson", [{"value": {SECRET: [f"x{SECRET}"]}, "path": Path(SECRET)}])
    kept.recorder.tell("note", text=f"the password is {SECRET}", path=Path(f"/{SECRET}"))
    kept.record.notes.append(SECRET)
    kept.recorder.save()
    assert SECRET not in kept.everything()
    assert kept.everything().count("[REDACTED:password]") == 7


def test_rows_are_added_one_a_line(kept: Kept) -> None:
    kept.recorder.append("samples.ndjson", [{"n": 1}, {"n": float("nan")}])
    kept.recorder.append("samples.ndjson", [])
    kept.recorder.append("samples.ndjson", [{"n": "ü\n"}])
    lines = (kept.content / "samples.ndjson").read_text().splitlines()
    assert [json.loads(line, parse_constant=pytest.fail) for line in lines] == [{"n": 1}, {"n": "nan"}, {"n": "ü\n"}]


def test_no_rows_make_no_file(kept: Kept) -> None:
    kept.recorder.append("samples.ndjson", [])
    assert not (kept.content / "samples.ndjson").exists()


def test_an_event_is_told_as_plain_values(kept: Kept) -> None:
    kept.recorder.tell("verdict", evidence=Path("a/b"), times=(1.23456,))
    assert kept.told == [{"event": "verdict", "evidence": "a/b", "times": [1.235]}]


def test_a_folder_that_is_there_already_is_refused(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(DrillbookError, match="Drillbook breaks nothing without evidence"):
        Kept(tmp_path)


def test_rows_that_cannot_be_written_are_an_error(kept: Kept) -> None:
    (kept.content / "samples.ndjson").mkdir()
    with pytest.raises(DrillbookError, match=r"samples\.ndjson: evidence cannot be written"):
        kept.recorder.append("samples.ndjson", [{}])


def test_an_answer_with_half_a_surrogate_pair_stops_no_drill(kept: Kept) -> None:
    """json.loads accepts it, UTF-8 does not."""
    kept.record.notes.append(json.loads('"half \\ud800"'))
    kept.recorder.save()
    assert kept.drill()["notes"] == ["half \ud800"]


@quickly
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_what_is_written_is_read(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drill.json"
        for text in texts:
            write_atomically(path, text)
            assert path.read_bytes() == text.encode()
        assert [each.name for each in Path(folder).iterdir()] == ["drill.json"]


@quickly
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_survives_the_disk(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drill.json"
        write_atomically(path, dumps(value))
        assert json.loads(path.read_text()) == value


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "drill.json"
    write_atomically(path, "old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(*{"write": (Path, "open"), "fsync": (os, "fsync"), "replace": (Path, "replace")}[broken], full)
        with pytest.raises(DrillbookError, match=r"drill\.json: evidence cannot be written: No space left on device"):
            write_atomically(path, "new")
    assert path.read_text() == "old"
    write_atomically(path, "newer")
    assert path.read_text() == "newer"


def test_the_new_document_is_synced_before_it_takes_the_place_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "drill.json"
    write_atomically(path, "old")
    seen: list[str] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        seen.append(f"synced {os.fstat(descriptor).st_size} bytes while {path.read_text()} was there")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    write_atomically(path, "newer")
    assert seen == ["synced 5 bytes while old was there"]


def test_from_step_to_step_it_is_written_and_not_synced(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    # counted and not done: whether a disk has it nobody can see from here
    monkeypatch.setattr(os, "fsync", synced.append)
    kept.record.outcome = Outcome.PASSED
    kept.recorder.save(synced=False)
    assert (kept.drill()["outcome"], synced) == ("PASSED", [])
    kept.recorder.save()
    assert len(synced) == 1


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("The network is cut", "the-network-is-cut"),
        ("  ../../etc: passwd! ", "etc-passwd"),
        ("日本", "drill"),
        ("x" * 100, "x" * 48),
        ("a" * 47 + " b", "a" * 47),
    ],
)
def test_a_folder_is_named_by_time_title_and_run(title: str, slug: str) -> None:
    assert folder_name(STARTED, title, "0123456789") == f"20261122T120005Z-{slug}-012345"


def test_evidence_is_json_that_every_reader_takes() -> None:
    assert dumps({"b": 1, "a": "ü"}) == '{\n  "a": "ü",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(float("nan"))
