"""The schema of drill.json is that of the record's types, and two validators that know nothing of us agree with it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from drillbook.evidence.files import dumps
from drillbook.evidence.reader import RecordError, read_record
from drillbook.evidence.redaction import MARKER_START
from tests.support import ROOT
from tests.support.schema import PLACE, schema

pytestmark = pytest.mark.unit

RECORDS = sorted((ROOT / "tests/data").glob("**/drill.json"))
EXAMPLE = ROOT / "tests/data/drill_example/content/drill.json"


def document(path: Path = EXAMPLE) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def validators() -> list[Callable[[Any], bool]]:
    """Python's and Rust's, with formats."""
    known = document(PLACE)
    jsonschema.Draft202012Validator.check_schema(known)
    python = jsonschema.Draft202012Validator(known, format_checker=jsonschema.FormatChecker())
    rust = jsonschema_rs.Draft202012Validator(known, validate_formats=True)
    return [python.is_valid, rust.is_valid]


def test_the_schema_is_that_of_the_types() -> None:
    assert PLACE.read_text(encoding="utf-8") == dumps(schema()), "run: python -m tests.support.schema"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parents[1].name)
def test_every_record_is_valid_also_an_old_one(path: Path, validators: list[Callable[[Any], bool]]) -> None:
    assert [valid(document(path)) for valid in validators] == [True, True]


def test_there_are_old_records() -> None:
    assert len(RECORDS) >= 4
    assert any("engine" not in document(path) for path in RECORDS)


def broken() -> Iterator[tuple[str, Callable[[Any], object]]]:
    """What neither is a record nor is read as one."""
    yield "another schema", lambda it: it.update(schema="drillbook/drill/2")
    yield "a field that is not known", lambda it: it.update(colour="red")
    yield "a field that is missing", lambda it: it.pop("run_id")
    yield "an outcome that there is not", lambda it: it.update(outcome="SPLENDID")
    yield "a text in the place of a number", lambda it: it.update(duration_s="long")
    yield "a text in the place of a list", lambda it: it.update(steps="none")
    yield "a kind that there is not", lambda it: it["artefacts"][0].update(kind="song")
    yield "a null where there is a value", lambda it: it["feature"].update(path=None)
    yield "a truth in the place of a number", lambda it: it["times"].update(recover_s=True)
    yield "a row without a field", lambda it: it["steps"][0].pop("text")


@pytest.mark.parametrize(("name", "change"), list(broken()), ids=[name for name, _ in broken()])
def test_what_the_reader_refuses_the_schema_refuses(
    name: str, change: Callable[[Any], object], validators: list[Callable[[Any], bool]], tmp_path: Path
) -> None:
    made = document()
    change(made)
    assert [valid(made) for valid in validators] == [False, False], name
    (tmp_path / "drill.json").write_text(dumps(made))
    with pytest.raises(RecordError):
        read_record(tmp_path / "drill.json")


def test_a_number_that_held_a_secret_and_one_that_is_none_are_valid(validators: list[Callable[[Any], bool]]) -> None:
    made = copy.deepcopy(document())
    made["process"], made["duration_s"], made["times"]["recover_s"] = f"{MARKER_START}password]", "nan", "inf"
    assert [valid(made) for valid in validators] == [True, True]


def test_a_time_and_a_digest_have_their_form(validators: list[Callable[[Any], bool]]) -> None:
    for name, value in (
        ("started_at", "yesterday"),
        ("ended_at", "2026-11-22T12:00:00+01:00"),
        ("engine", {"version": "0.1.0", "sha256": "E3B0"}),
    ):
        made = document() | {name: value}
        assert [valid(made) for valid in validators] == [False, False]


def test_it_is_in_the_wheel() -> None:
    assert PLACE.is_relative_to(ROOT / "src/drillbook"), "hatch packs what lies below it"
