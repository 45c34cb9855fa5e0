"""What Drillbook seals, `drillbook verify` finds whole; and what it signs, the parsers of in-toto read as we do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.evidence.files import dumps, folder_name
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.evidence.sealing.statements import Kind
from drillbook.evidence.verifying.findings import Code, Report
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.whole import Options, verify_path
from drillbook.model.proof import SCHEMA as PROOF
from drillbook.model.record import SignatureRecord, SignatureState
from drillbook.model.times.clock import wall_now
from drillbook.model.verdict import Axis, Outcome
from tests.support.records import CONTROL, TITLE, record
from tests.support.sealed import codes, payload_of
from tests.support.sealing import key

pytestmark = pytest.mark.unit

STARTED = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    return Sealer(tmp_path / "evidence", key(tmp_path), Redactor())


@pytest.fixture
def verified(tmp_path: Path, sealer: Sealer) -> Callable[..., Report]:
    def verify(**more: Any) -> Report:
        row = {"keyid": sealer.key.keyid, "public": sealer.key.public_pem} | more
        file = tmp_path / "trust.json"
        file.write_text(json.dumps({"keys": [row]}))
        return verify_path(sealer.evidence_root, file, Options(Clock(wall_now())))

    return verify


def ended(sealer: Sealer, run: str, outcome: Outcome, **more: Any) -> Path:
    """The folder of a run that has ended and is not sealed."""
    axis = Axis(outcome.good, ())
    it = record(
        run_id=run.ljust(32, "0"),
        ended_at="2026-11-22T12:01:00.000Z",
        outcome=outcome,
        axes={"valid": axis, "recovered": axis, "restored": axis},
        signature=SignatureRecord(SignatureState.SIGNED, sealer.key.keyid),
        **more,
    )
    title = TITLE if it.control is None else f"{it.control.name} {TITLE}"
    folder = sealer.evidence_root / folder_name(STARTED, title, it.run_id)
    (folder / "content").mkdir(parents=True)
    (folder / "content/drill.json").write_text(dumps(it.as_json()))
    (folder / "content/report.html").write_text("<p>")
    return folder


def row(control: str | None, outcome: str, run: str) -> dict[str, Any]:
    title = TITLE if control is None or control == "recovery-twice" else f"{control} {TITLE}"
    return {
        "control": control,
        "outcome": outcome,
        "reason": "",
        "evidence": f"evidence/{folder_name(STARTED, title, run)}",
    }


RUNS = [
    row(None, "PASSED", "aaaa01"),
    row("recovery-twice", "HELD", "aaaa01"),
    row("no-fault", "HELD", "bbbb02"),
    row("no-recovery", "HELD", "dddd04") | {"evidence": None},
]
"""Of a proof: its drill, at whose end the recovery ran once more, and two controls."""


def proof_of(sealer: Sealer, **changes: Any) -> Path:
    """The folder of a proof that is not sealed."""
    folder = sealer.evidence_root / folder_name(STARTED, f"proof {TITLE}", "cccc03")
    (folder / "content").mkdir(parents=True)
    said = {"schema": PROOF, "scenario": "features/a.feature::It", "proven": True, "against": None, "runs": RUNS}
    (folder / "content/proof.json").write_text(dumps(said | changes))
    return folder


def test_what_is_sealed_is_whole(sealer: Sealer, verified: Callable[..., Report]) -> None:
    first = ended(sealer, "aaaa01", Outcome.PASSED)
    sealer.seal(first, sealer.intent(first))
    sealer.seal(ended(sealer, "bbbb02", Outcome.HELD, control=CONTROL))  # broke nothing: its intent comes at its end
    head = sealer.seal_proof(proof_of(sealer, runs=RUNS), "lab")
    report = verified()
    assert (report.findings, report.exit_status) == ((), 0)
    assert (report.counts.signed, report.counts.entries) == (3, 6)
    assert head is not None
    assert [(each.stream, each.seq, each.digest) for each in report.heads] == [("lab", head.seq, head.digest)]


OTHER = [row(None, "PASSED", "aaaa01"), row("no-fault", "BETRAYED", "bbbb02")]
ELSEWHERE = row("no-recovery", "HELD", "dddd04")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"schema": "drillbook/proof/2"}, [Code.E_VERSION_UNSUPPORTED]),
        ({"proven": False, "against": "no-recovery was not run"}, [Code.F_DRILL]),
        ({"runs": []}, [Code.E_OUTCOME_MISMATCH]),
        ({"runs": OTHER}, [Code.E_OUTCOME_MISMATCH]),
        ({"runs": RUNS[:1]}, [Code.E_OUTCOME_MISMATCH]),
        ({"runs": RUNS[:3]}, [Code.E_OUTCOME_MISMATCH]),
        ({"runs": [row(None, "NOT_RECOVERED", "aaaa01") | {"evidence": None}, *RUNS]}, [Code.E_OUTCOME_MISMATCH]),
        ({"runs": OTHER, "proven": False, "against": "so"}, [Code.E_OUTCOME_MISMATCH, Code.F_DRILL]),
        ({"runs": [*RUNS, ELSEWHERE]}, [Code.E_RUN_MISSING]),
        ({"runs": [*RUNS, ELSEWHERE | {"evidence": None}]}, []),
        ({"runs": [*RUNS, row("without:a.yml:1", "INVALID", "dddd04") | {"evidence": None}]}, []),
        ({"runs": {"control": None}}, [Code.E_SCHEMA]),
        ({"runs": [*RUNS, 5]}, [Code.E_SCHEMA]),
        ({"runs": [*RUNS, {"control": None}]}, [Code.E_SCHEMA]),
        ({"runs": [row(None, "SPLENDID", "aaaa01")]}, [Code.E_SCHEMA]),
        ({"against": "so"}, [Code.E_SCHEMA]),
        ({"scenario": 5}, [Code.E_SCHEMA]),
        ({"timings": 5}, [Code.E_SCHEMA]),
    ],
)
def test_a_proof_rests_on_runs_that_the_ledger_has(
    sealer: Sealer, verified: Callable[..., Report], changes: dict[str, Any], found: list[Code]
) -> None:
    first = ended(sealer, "aaaa01", Outcome.PASSED)
    sealer.seal(first, sealer.intent(first))
    sealer.seal(ended(sealer, "bbbb02", Outcome.HELD, control=CONTROL))
    sealer.seal_proof(proof_of(sealer, **changes), "lab")
    assert codes(verified()) == found


@pytest.mark.parametrize(
    ("text", "code"), [('{"a": 1, "a": 2}', Code.E_JSON), (f'{{"schema": "{PROOF}"}}', Code.E_SCHEMA)]
)
def test_a_proof_that_is_none_is_told(sealer: Sealer, verified: Callable[..., Report], text: str, code: Code) -> None:
    proof = proof_of(sealer)
    (proof / "content/proof.json").write_text(text)
    assert codes(verified()) == [Code.E_NOT_SEALED]
    Sealer(sealer.evidence_root, None, Redactor()).seal_proof(proof, "lab")
    assert codes(verified()) == sorted([code, Code.E_UNSIGNED])


def test_what_did_not_end_well_is_told(sealer: Sealer, verified: Callable[..., Report]) -> None:
    dead = ended(sealer, "aaaa01", Outcome.NOT_RESTORED)
    sealer.intent(dead)
    sealer.seal(dead, by="the guardian")
    restored = {"run_id": "aaaa01".ljust(32, "0"), "by": "a later run", "faults": ["network_cut"], "problem": None}
    sealer.ledger("lab").append(Kind.RESTORED, restored)
    leaking = ended(sealer, "bbbb02", Outcome.PASSED)
    sealer.intent(leaking)
    sealer.void("lab", "bbbb02".ljust(32, "0"), "a file holds a known secret")
    report = verified()
    assert codes(report) == [Code.E_NOT_SEALED, Code.F_DRILL, Code.F_VOID, Code.I_RESTORED]
    (said,) = (each.sentence for each in report.findings if each.code is Code.I_RESTORED)
    assert "network_cut" in said


def test_a_drill_that_nobody_signed_is_unsigned(
    tmp_path: Path, sealer: Sealer, verified: Callable[..., Report]
) -> None:
    folder = ended(sealer, "aaaa01", Outcome.PASSED)
    document = json.loads((folder / "content/drill.json").read_text())
    document["signature"] = {"state": "unsigned", "keyid": None, "reason": "no key was given"}
    (folder / "content/drill.json").write_text(dumps(document))
    Sealer(sealer.evidence_root, None, Redactor()).seal(folder)
    report = verified()
    assert (codes(report), report.exit_status) == ([Code.E_UNSIGNED], 3)
    (folder / "content/report.html").write_text("another")
    assert codes(verified()) == [Code.E_FILE_DIGEST, Code.E_UNSIGNED]


def test_a_record_that_says_signed_is_not_believed_without_a_signature(
    sealer: Sealer, verified: Callable[..., Report]
) -> None:
    folder = ended(sealer, "aaaa01", Outcome.PASSED)
    Sealer(sealer.evidence_root, None, Redactor()).seal(folder)
    assert codes(verified()) == [Code.E_ATTESTATION_MISSING]


def test_a_key_that_keygen_rotates_hands_over(
    tmp_path: Path, sealer: Sealer, verified: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRILLBOOK_KEY", raising=False)
    first = ended(sealer, "aaaa01", Outcome.PASSED)
    sealer.seal(first, sealer.intent(first))
    source = sealer.source
    assert source is not None
    call = ["keygen", str(tmp_path / "new.pem"), "--clear", "--rotate", source.place]
    ran = CliRunner().invoke(app, [*call, "--evidence", str(sealer.evidence_root)])
    assert ran.exit_code == 0, ran.output
    assert codes(verified(may_rotate=True)) == [Code.I_KEY_ROTATED]
    assert codes(verified()) == [Code.E_ROTATION]
    # the line that keygen prints is a row of a trust file
    (line,) = (each for each in ran.output.splitlines() if each.startswith("in a trust file: "))
    (tmp_path / "new.json").write_text(json.dumps({"keys": [json.loads(line.partition(": ")[2])]}))
    report = verify_path(sealer.evidence_root, tmp_path / "new.json", Options(Clock(wall_now())))
    assert Code.E_UNTRUSTED_KEY in codes(report)


# ---- parsers of others --------------------------------------------------------------------------------------------


def theirs(payload: bytes) -> Statement:
    """A statement as in-toto's own library has it."""
    document = json.loads(payload)
    subjects = [ResourceDescriptor(name=each["name"], digest=each["digest"]).pb for each in document["subject"]]
    return Statement(subjects, document["predicateType"], document["predicate"])


def their_result(predicate: dict[str, Any]) -> Any:
    """The predicate of a test-result, strictly: a field that is not known is refused."""
    parsers: Any = (json_format, test_result_pb2)
    return parsers[0].ParseDict(predicate, parsers[1].TestResult())


def test_each_statement_is_one_for_the_library_of_in_toto(sealer: Sealer) -> None:
    folder = ended(sealer, "aaaa01", Outcome.PASSED)
    sealer.seal(folder, sealer.intent(folder))
    lines = (folder / "attestations.intoto.jsonl").read_bytes().splitlines()
    lines += (sealer.evidence_root / "ledger/lab.jsonl").read_bytes().splitlines()
    assert len(lines) == 4
    for line in lines:
        theirs(payload_of(line)).validate()
    result = json.loads(payload_of(lines[0]))["predicate"]
    assert their_result(result).result == "PASSED"


def test_what_is_no_statement_is_refused_by_the_library() -> None:
    with pytest.raises(ValueError, match="At least one subject"):
        theirs(b'{"subject": [], "predicateType": "a", "predicate": {"a": 1}}').validate()
    with pytest.raises(json_format.ParseError, match="no field named"):
        their_result({"result": "PASSED", "run_id": "a"})
