"""Which evidence is meant, and what is said where it is none, several or damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.store import listing
from drillbook.evidence.store.catalogue import Kind, entries, read_entry
from drillbook.evidence.store.finding import NothingFoundError, found, nothing, the_one, wanted
from drillbook.model.proof import SCHEMA as PROOF
from drillbook.model.record import EnvironmentRecord
from drillbook.model.verdict import Outcome
from tests.support import records, shelf
from tests.unit.evidence.test_reader import OLD, RECORDS

pytestmark = pytest.mark.unit

STAGING = EnvironmentRecord("shop", "staging")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two drills of R1, a control of it and its proof, a drill of R10 on a staging, one without a verdict."""
    network = ("row:R1", "severity:P0", "runbook:runbooks/redis.md#restore-the-network")
    shelf.drill(tmp_path, 8, "aaaa01", "The network is cut", *network, outcome=Outcome.NOT_RECOVERED, reason="too late")
    shelf.drill(tmp_path, 9, "aaaa02", "The network is cut", *network, outcome=Outcome.PASSED, reason="in 29 s")
    shelf.drill(tmp_path, 10, "bbbb01", "The network is cut", *network, outcome=Outcome.HELD, control=records.CONTROL)
    runs = [{"control": None, "outcome": "PASSED", "reason": "", "evidence": _name(tmp_path, "aaaa02")}]
    proof = {"schema": PROOF, "scenario": "features/redis.feature::The network is cut", "proven": True}
    shelf.put(tmp_path, "20261122T110000Z-proof-it-cccc01", proof | {"against": None, "runs": runs}, "proof.json")
    shelf.drill(
        tmp_path, 12, "dddd01", "Disk is full", "row:R10", environment=STAGING, outcome=Outcome.ABORTED, reason="r1"
    )
    shelf.drill(tmp_path, 13, "dddd02", "Disk is full", "row:R10")
    (tmp_path / "ledger").mkdir()
    return tmp_path


def _name(root: Path, run: str) -> str:
    return f"evidence/{next(root.glob(f'*-{run}')).name}"


@pytest.mark.parametrize(
    ("words", "more", "runs"),
    [
        ([], {}, "dddd02 dddd01 cccc01 bbbb01 aaaa02 aaaa01"),
        (["R1"], {}, "cccc01 bbbb01 aaaa02 aaaa01"),
        (["r10"], {}, "dddd02 dddd01"),
        ([], {"rows": ["R1", "R10"]}, "dddd02 dddd01 cccc01 bbbb01 aaaa02 aaaa01"),
        (["@severity:P0"], {"kinds": [Kind.DRILL]}, "aaaa02 aaaa01"),
        ([], {"tags": ["severity:P0"], "kinds": [Kind.CONTROL, Kind.PROOF]}, "cccc01 bbbb01"),
        ([], {"outcomes": ["passed", "not-recovered"]}, "aaaa02 aaaa01"),
        ([], {"outcomes": ["PROVEN"]}, "cccc01"),
        ([], {"outcomes": ["none"]}, "dddd02"),
        (["redis.md"], {"outcomes": ["PASSED"]}, "aaaa02"),
        ([], {"runbooks": ["runbooks/redis.md#restore-the-network"], "outcomes": ["HELD"]}, "bbbb01"),
        (["redis.md#another"], {}, ""),
        (["is.md"], {}, ""),
        ([], {"environments": ["shop"]}, "dddd01"),
        ([], {"environments": ["staging"]}, "dddd01"),
        (["disk"], {}, "dddd02 dddd01"),
        (["NETWORK", "late"], {}, "aaaa01"),
        (["20261122T08"], {}, "aaaa01"),
        (["aaaa"], {}, "aaaa02 aaaa01"),
        (["no-fault"], {}, "bbbb01"),
        (["R7"], {}, ""),
    ],
)
def test_what_fits_comes_newest_first(root: Path, words: Sequence[str], more: dict[str, Any], runs: str) -> None:
    assert [each.folder.name[-6:] for each in found(root, wanted(words, **more))] == runs.split()


@pytest.mark.parametrize(
    ("words", "more", "run"),
    [
        (["R1"], {}, "aaaa02"),  # the newest drill: neither its control nor its proof
        (["R1"], {"outcomes": ["NOT_RECOVERED"]}, "aaaa01"),
        (["R1"], {"kinds": [Kind.CONTROL]}, "bbbb01"),
        (["cccc"], {}, "cccc01"),  # an id is that of whatever it is
        (["aaaa01"], {}, "aaaa01"),
        (["aaaa0100000"], {}, "aaaa01"),
        (["20261122T10"], {}, "bbbb01"),
        ([], {}, "dddd02"),
        (["network"], {}, "aaaa02"),
    ],
)
def test_one_is_an_id_or_the_newest(root: Path, words: Sequence[str], more: dict[str, Any], run: str) -> None:
    assert the_one(root, wanted(words, **more)).folder.name[-6:] == run


@pytest.mark.parametrize("begin", ["aaaa", "20261122T0"])
def test_an_id_of_several_is_no_guess(root: Path, begin: str) -> None:
    with pytest.raises(DrillbookError) as told:
        the_one(root, wanted([begin]))
    assert str(told.value) == (
        f"{begin}: 2 folders of evidence begin with it: give one more digit\n"
        "  20261122T090000Z-the-network-is-cut-aaaa02\n  20261122T080000Z-the-network-is-cut-aaaa01"
    )


@pytest.mark.parametrize("words", [["aaaa03"], ["aaaa011"], ["R7"], ["nobody"]])
def test_none_is_a_sentence(root: Path, words: Sequence[str]) -> None:
    with pytest.raises(NothingFoundError, match=r"none of the 6 folders of evidence in .* fits what you asked for: "):
        the_one(root, wanted(words))


def test_where_there_is_nothing_at_all_it_says_so(tmp_path: Path) -> None:
    assert nothing(tmp_path / "nowhere", wanted([])).startswith(f"there is no evidence in {tmp_path / 'nowhere'}: ")


def test_an_outcome_that_there_is_not_is_named() -> None:
    with pytest.raises(DrillbookError, match=r"--outcome GREEN: there is no such outcome: write one of PASSED, .*NONE"):
        wanted([], outcomes=["green"])


def test_what_is_damaged_is_there_and_says_why(root: Path) -> None:
    torn, other, empty, strange = (shelf.drill(root, hour, f"eeee{hour}") for hour in (14, 15, 16, 17))
    (torn / "content/drill.json").write_text("{")
    (other / "content/drill.json").write_text('{"schema": "drillbook/drill/9"}')
    (empty / "content/drill.json").unlink()
    (strange / "content/drill.json").write_text('{"schema": "drillbook/drill/1", "scenario": 3}')
    why = {each.id: each.problem or "" for each in entries(root) if each.problem is not None}
    assert list(why) == ["eeee17", "eeee16", "eeee15", "eeee14"]
    assert why["eeee14"].startswith("is not JSON")
    assert why["eeee15"].startswith("schema 'drillbook/drill/9' is unknown")
    assert why["eeee16"].startswith("holds no record")
    assert why["eeee17"].startswith("was damaged after it was written")
    assert [each.id for each in found(root, wanted(["eeee14"]))] == ["eeee14"]
    assert "; 4 of them cannot be read: " in nothing(root, wanted(["R7"]))
    assert listing.lines([read_entry(torn)])[0].startswith("2026-11-22 14:00:00  unreadable  eeee14  -  -  20261122T14")


@pytest.mark.parametrize("name", OLD)
def test_what_earlier_versions_wrote_is_read(name: str) -> None:
    assert read_entry(RECORDS / name).problem is None


def test_a_line_and_an_object_say_what_it_is(root: Path) -> None:
    shown = [read_entry(next(root.glob(f"*-{run}"))) for run in ("cccc01", "bbbb01", "dddd01", "dddd02")]
    assert listing.lines(shown) == [
        "2026-11-22 11:00:00  PROVEN      cccc01  R1   lab   Redis fails over: The network is cut (proof)",
        "2026-11-22 10:00:00  HELD        bbbb01  R1   lab   Redis fails over: The network is cut (control no-fault)",
        "2026-11-22 12:00:00  ABORTED     dddd01  R10  shop  Redis fails over: Disk is full",
        "2026-11-22 13:00:00  no verdict  dddd02  R10  lab   Redis fails over: Disk is full",
    ]
    told = listing.as_json(shown[2], lambda folder: folder.name)
    assert (told["folder"], told["rows"], told["environment_kind"], told["outcome"], told["kind"]) == (
        "20261122T120000Z-disk-is-full-dddd01",
        ["R10"],
        "staging",
        "ABORTED",
        "drill",
    )
