"""`drillbook evidence`: what a call prints, and with which status it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.model.proof import SCHEMA as PROOF
from drillbook.model.verdict import Outcome
from tests.support import shelf
from tests.unit.evidence.render.test_shown import EXAMPLE

pytestmark = pytest.mark.unit


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose ini says where evidence lies; there are a drill of R1, a proof and a table."""
    (tmp_path / "pytest.ini").write_text("[pytest]\ndrillbook_evidence = kept\n")
    root = tmp_path / "kept"
    shutil.copytree(EXAMPLE / "content", root / "20261122T203101Z-it-3f9c2a/content")
    shelf.drill(root, 9, "aaaa02", "The disk is full", "row:R2", outcome=Outcome.PASSED, reason="in 29 s")
    proof = {"schema": PROOF, "scenario": "f::It", "proven": False, "against": "no-fault: BETRAYED", "runs": []}
    shelf.put(root, "20261123T110000Z-proof-it-cccc01", proof, "proof.json")
    table = {"schema": "drillbook/drills/1", "drills": [{"rows": ["R1"], "outcome": "PASSED", "proven": True}]}
    (shelf.put(root, "20261123T120000Z-drills-dddd01", table, "drills.json") / "content/drills.md").write_text(
        "| a |\n"
    )
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["evidence", *words])
    return ran.exit_code, ran.output


def test_a_list_is_of_what_the_ini_names_or_the_option(here: Path) -> None:
    status, said = call("list")
    assert status == 0
    assert [line.split()[3] for line in said.splitlines()] == ["dddd01", "cccc01", "3f9c2a", "aaaa02"]
    status, newest = call("list", "-n", "1")
    assert (status, newest.split()) == (0, said.splitlines()[0].split())
    status, said = call("list", "--evidence", "deep")
    assert status == 1
    assert said.startswith(
        f"drillbook: there is no evidence in {here}/deep: no drill has been run here, or --evidence "
    )


def test_json_is_an_array_also_of_nothing(here: Path) -> None:
    status, said = call("list", "R1", "--kind", "drill", "--json")
    (one,) = json.loads(said)
    assert (status, one["id"], one["folder"]) == (
        0,
        "3f9c2a71d0b84c0f9a4be0d1f2a3b4c5",
        "kept/20261122T203101Z-it-3f9c2a",
    )
    status, said = call("list", "R7", "--json")
    assert (status, said.splitlines()[0]) == (1, "[]")
    assert "none of the 4 folders of evidence" in said.splitlines()[1]


def test_a_path_is_one_folder_and_nothing_else(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("path", "R1") == (0, "kept/20261122T203101Z-it-3f9c2a\n")
    assert call("path", "cccc01") == (0, "kept/20261123T110000Z-proof-it-cccc01\n")
    monkeypatch.chdir(here / "deep")
    assert call("path", "R2") == (0, f"{here}/kept/20261122T090000Z-the-disk-is-full-aaaa02\n")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("path", "R7"), 1, "drillbook: none of the 4 folders of evidence in "),
        (("show", "R7"), 1, "drillbook: none of the 4 folders of evidence in "),
        (("path", "20261123T1"), 64, "drillbook: 20261123T1: 2 folders of evidence begin with it: give one more digit"),
        (("list", "--nope"), 64, "Usage: "),
        (("list", "--outcome", "GREEN"), 64, "drillbook: --outcome GREEN: there is no such outcome"),
        (("show", "R2", "--evidence", "nowhere"), 1, "drillbook: there is no evidence in "),
    ],
)
def test_what_is_not_there_is_a_sentence_and_a_status(
    here: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    ended, told = call(*words)
    assert (ended, told[: len(said)]) == (status, said)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("3f9c", "Redis outage: The network between the API and Redis is cut\n"),
        ("cccc", "NOT_PROVEN: It\n  no-fault: BETRAYED\n  evidence: kept/20261123T110000Z-proof-it-cccc01\n"),
        ("dddd", "| a |\n"),
    ],
)
def test_one_is_shown_as_what_it_is(here: Path, what: str, said: str) -> None:
    status, told = call("show", what)
    assert (status, told[: len(said)]) == (0, said)


def test_a_damaged_record_is_not_shown(here: Path) -> None:
    (here / "kept/20261122T203101Z-it-3f9c2a/content/drill.json").write_text("{")
    status, said = call("show", "3f9c2a")
    assert status == 64
    assert said.startswith("drillbook: ")
    assert "is not JSON" in said


# ------------------------------------------------------------------ a store


@pytest.fixture
def store(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store, which the ini names; what is sealed in evidence/ has been pushed."""
    url = f"file://{here}/store"
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    (here / "pytest.ini").write_text(f"[pytest]\ndrillbook_evidence = {url}\n")
    (here / "kept").rename(here / "evidence")
    for folder in (here / "evidence").iterdir():
        (folder / "SHA256SUMS").write_text("sums")
    assert call("push")[0] == 0
    return url


def test_a_push_says_what_the_store_has_now(here: Path, store: str) -> None:
    assert call("push") == (0, f"drillbook: {store} has all evidence that is sealed in evidence\n")
    (here / "evidence/20261122T203101Z-it-3f9c2a/SHA256SUMS").write_text("anew")
    assert call("push", "--evidence", store) == (0, f"{store}/20261122T203101Z-it-3f9c2a\n")
    assert call("push", "--evidence", "evidence")[0] == 64


def test_what_a_store_has_is_listed_shown_and_fetched(here: Path, store: str) -> None:
    shutil.rmtree(here / "evidence")
    status, said = call("list", "R1", "--json", "--kind", "drill")
    (one,) = json.loads(said)
    assert (status, one["id"]) == (0, "3f9c2a71d0b84c0f9a4be0d1f2a3b4c5")
    assert not (Path(one["folder"]) / "content/samples.ndjson").exists()
    assert call("show", "3f9c", "--evidence", store)[1].startswith("Redis outage: ")
    status, said = call("path", "R1")
    assert sorted(each.name for each in Path(said.strip()).rglob("*.*")) == [
        "drill.json",
        "samples.ndjson",
        "work.ndjson",
    ]
    status, said = call("path", "R7")
    assert status == 1
    assert said.startswith(f"drillbook: none of the 4 folders of evidence in {store} fits what you asked for: ")


def test_a_report_of_a_store_is_written_here(here: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[list[str], Path]] = []

    def report(folder: Path, target: Path) -> Path:
        drawn.append((sorted(each.name for each in (folder / "content").iterdir()), target))
        return target

    monkeypatch.setattr("drillbook.evidence.render.html.page.report", report)
    ran = CliRunner().invoke(app, ["report", f"{store}/20261122T203101Z-it-3f9c2a"])
    assert (ran.exit_code, ran.output) == (0, "20261122T203101Z-it-3f9c2a.html\n")
    assert drawn == [(["drill.json", "samples.ndjson", "work.ndjson"], Path("20261122T203101Z-it-3f9c2a.html"))]
    ran = CliRunner().invoke(app, ["report", f"{store}/20261122T203101Z-no-3f9c2b"])
    assert (ran.exit_code, "the store has no folder '20261122T203101Z-no-3f9c2b'" in ran.output) == (64, True)


def test_what_waits_for_the_store_is_told(here: Path, store: str) -> None:
    folder = shelf.drill(here / "evidence", 9, "aaaa09")
    folder = folder.rename(folder.with_name("20991122T090000Z-it-aaaa09"))
    (folder / "SHA256SUMS").write_text("sums")
    said = call("list", "-n", "1")[1]
    assert said.startswith("drillbook: 1 more in evidence not in the store yet: 'drillbook evidence push'\n")
    assert "aaaa09" not in said


def test_a_store_out_of_reach_is_a_sentence_and_a_status(here: Path, store: str) -> None:
    status, said = call("list", "--evidence", f"file://{here}/none")
    assert (status, said.startswith(f"drillbook: there is no evidence in file://{here}/none: ")) == (1, True)
    (here / "evidence/20261122T203101Z-it-3f9c2a/SHA256SUMS").write_text("anew")
    status, said = call("push", "--evidence", "file:///proc/none")
    assert (status, said.startswith("drillbook: file:///proc/none: the store does not take ")) == (1, True)
