"""`drillbook verify`: what a call prints, and with which status it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.evidence.verifying.findings import Code, Finding, Report
from drillbook.evidence.verifying.telling import lines
from drillbook.model.verdict import Outcome
from tests.support.sealed import Evidence, key

pytestmark = pytest.mark.unit

AT = ("--at", "2026-11-30T00:00:00Z")
TRUST = ("--trust", "trust.json")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "trust.json").write_text(json.dumps({"keys": [key().row()]}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["verify", *words])
    return ran.exit_code, ran.output


def test_whole_evidence_is_told_with_the_head_to_be_kept(here: Path) -> None:
    evidence = Evidence()
    evidence.drill()
    evidence.write(here / "evidence")
    status, said = call(*TRUST, *AT)
    assert status == 0
    assert said == (
        "The evidence is whole: 1 bundle (1 signed), 3 files, 2 entries of the ledger.\n"
        "Only a head that is kept elsewhere shows later that the end was not cut off:\n"
        f"  --expect-head {evidence.head()}\n"
    )
    kept = said.split()[-2:]
    assert call(*TRUST, *AT, *kept)[0] == 0
    before = Evidence()
    assert call("--trust", "trust.json", *AT, "--expect-head", kept[1].replace("lab:1", "lab:0"))[0] == 2
    assert before.files == {}


def test_a_failed_drill_is_1_a_changed_one_2_and_one_without_trust_3(here: Path) -> None:
    evidence = Evidence()
    folder = evidence.drill(outcome=Outcome.NOT_RECOVERED)
    evidence.write(here / "kept")
    status, said = call("kept", *TRUST, *AT)
    assert (status, said.splitlines()[0]) == (1, f"F_DRILL                {folder}: it says 'NOT_RECOVERED'")
    assert "The evidence is whole, and says that not every drill ended as it had to" in said
    assert call("kept", *AT)[0] == 3
    (here / "kept" / folder / "content/report.html").write_text("x")
    status, said = call("kept", *TRUST, *AT)
    assert (status, "The evidence is broken" in said) == (2, True)
    assert call("kept", *AT)[0] == 2


def test_a_store_is_verified_as_it_is_now(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    evidence, url = Evidence(), f"file://{here}/store"
    folder = evidence.drill()
    evidence.write(here / "store")
    assert call(url, *TRUST, *AT)[0] == 0
    record = here / "store" / folder / "content/drill.json"
    record.write_bytes(record.read_bytes()[:-1])
    status, said = call(url, *TRUST, *AT)
    assert (status, "E_FILE_DIGEST" in said) == (2, True)
    record.unlink()
    assert "E_FILE_MISSING" in call(url, *TRUST, *AT)[1]
    assert call(f"file://{here}/none", *TRUST, *AT)[0] == 3
    assert call("nowhere://it", *TRUST, *AT)[0] == 3


def test_a_fault_of_the_verifier_is_no_verdict(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Report:
        raise KeyError("it")

    monkeypatch.setattr("drillbook.commands.entries.verify.verify_path", fails)
    status, said = call("kept", *TRUST)
    assert (status, said) == (3, "drillbook: kept: it cannot be verified: Drillbook itself failed (KeyError: 'it')\n")


def test_json_has_all_that_was_found(here: Path) -> None:
    evidence = Evidence()
    folder = evidence.drill(outcome=Outcome.INVALID)
    evidence.write(here / "evidence")
    status, said = call("--json", *TRUST, *AT)
    assert (status, json.loads(said)) == (
        1,
        {
            "verdict": "failed",
            "exit_status": 1,
            "counts": {"bundles": 1, "signed": 1, "files": 3, "entries": 2},
            "heads": [{"stream": "lab", "seq": 1, "head": evidence.head().digest}],
            "findings": [
                {"code": "F_DRILL", "weight": "failed", "where": folder, "sentence": "it says 'INVALID'"},
            ],
        },
    )


def test_what_is_of_tomorrow_is_told(here: Path) -> None:
    evidence = Evidence()
    evidence.drill()
    evidence.write(here / "evidence")
    yesterday = ("--at", "2026-11-22T11:50:00Z")
    assert call(*TRUST, *yesterday)[0] == 2
    assert call(*TRUST, *yesterday, "--max-skew", "1h")[0] == 0


def test_nothing_is_never_whole(here: Path) -> None:
    status, said = call(*TRUST)
    assert status == 3
    assert "there is no evidence that can be read: No such file or directory" in said
    status, said = call("--trust", "none.json", ".")
    assert status == 3
    assert "the trust file cannot be read: No such file or directory" in said
    assert json.loads(call("--json")[1])["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", "yesterday"), "--at yesterday: write the time in UTC as 2026-11-30T00:00:00Z"),
        (("--max-skew", "long"), "--max-skew long: write a duration"),
        (("--expect-head", "lab:5"), "--expect-head lab:5: write STREAM:SEQ:HEX"),
        (("--expect-head", f"lab:-1:{'0' * 64}"), "write STREAM:SEQ:HEX"),
        (("--tsa-root", "none.pem"), "--tsa-root none.pem: it cannot be read: No such file or directory"),
        (("--trst", "a"), "No such option"),
        (("a", "b"), "unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_64(here: Path, words: tuple[str, ...], says: str) -> None:
    status, said = call(*words)
    assert (status, says in said) == (64, True)


def test_nothing_of_evidence_moves_a_cursor() -> None:
    finding = Finding("a\x1b[2Jb\nE_OK", Code.E_FILE_EXTRA, "'\u202e' is not listed")
    (line, *_) = lines(Report((finding,)))
    assert line == "E_FILE_EXTRA           a\\x1b[2Jb\\nE_OK: '\\u202e' is not listed"
    assert finding.as_json()["where"] == "a\\x1b[2Jb\nE_OK"
