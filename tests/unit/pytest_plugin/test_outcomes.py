"""How a drill ended, as one value: on the way to pytest's reports and back, to a proof, and in parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.junitxml import xml_key

from drillbook.errors import EvidenceError
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing import bundle
from drillbook.evidence.sealing.sealer import Sealer
from drillbook.model.proof import Run
from drillbook.model.record import RepeatRecord
from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin.drill_session import session_key
from drillbook.pytest_plugin.outcomes import (
    DrillOutcome,
    Told,
    conclude,
    conclude_anew,
    ended_key,
    keep_proofs,
    outcome_key,
    runs_of,
)
from tests.support.sealing import key, sealed_runs

pytestmark = pytest.mark.unit

PASSED = DrillOutcome("x.feature::S", "x.feature::S", "", Outcome.PASSED, "recovered in 2 s", "evidence/one")
NUMBERS = {"recover_s": 2.0, "lost": 0, "rto_met": True, "alert_s": None}
ENDED = {
    "passed": PASSED,
    "its numbers": replace(PASSED, numbers=NUMBERS),
    "a control": replace(PASSED, nodeid="x.feature::S[no-fault]", control="no-fault", outcome=Outcome.BETRAYED),
    "no evidence": replace(PASSED, outcome=Outcome.ABORTED, evidence=None),
    "a task that nothing misses": replace(PASSED, control="without:a.yml:7", outcome=Outcome.HELD, unmissed=True),
    "its control at the end": replace(PASSED, repeat=RepeatRecord(Outcome.BETRAYED, "it changed something again")),
}


def report(**more: Any) -> pytest.TestReport:
    return pytest.TestReport(PASSED.nodeid, ("x.feature", 1, "S"), {}, "passed", None, "teardown", **more)


def sent(told: Told, nodeid: str = PASSED.nodeid) -> Told | None:
    """As it comes out of a report that went to another process as JSON."""
    before = report()
    told.put_on(before)
    after = report(drill=json.loads(json.dumps(vars(before)["drill"])))
    after.nodeid = nodeid
    return Told.on(after)


@pytest.mark.parametrize("ended", ENDED.values(), ids=ENDED.keys())
def test_an_outcome_survives_the_way_between_processes(ended: DrillOutcome) -> None:
    told = Told(begun=True, standing=ended.outcome, ended=ended)
    assert sent(told, ended.nodeid) == told


@pytest.mark.parametrize("told", [Told(), Told(begun=True), Told(begun=True, standing=Outcome.INVALID)])
def test_a_drill_that_has_not_ended_says_so(told: Told) -> None:
    assert sent(told) == told


def test_a_report_of_another_test_says_nothing_of_a_drill() -> None:
    assert Told.on(report()) is None


def test_what_a_proof_takes_of_it() -> None:
    unmissed = ENDED["a task that nothing misses"]
    run = Run("x.feature::S", "without:a.yml:7", Outcome.HELD, "recovered in 2 s", "evidence/one", unmissed=True)
    assert unmissed.run == run


@pytest.mark.parametrize(
    ("scenario", "control"), [("x::S", "x::S[recovery-twice]"), ("x::S[eu-2]", "x::S[eu-2-recovery-twice]")]
)
def test_the_control_at_the_end_of_a_drill_is_a_run_of_its_own(scenario: str, control: str) -> None:
    drill = replace(PASSED, nodeid=scenario, scenario=scenario, repeat=RepeatRecord(Outcome.HELD, "changed nothing"))
    whole, own = drill.parts()
    assert whole == drill
    assert (own.nodeid, own.outcome, own.reason) == (control, Outcome.HELD, "changed nothing")
    assert own.run == Run(scenario, "recovery-twice", Outcome.HELD, "changed nothing", "evidence/one")


def test_the_numbers_are_those_of_the_drill_and_not_of_its_control() -> None:
    ended = replace(PASSED, numbers=NUMBERS, repeat=RepeatRecord(Outcome.HELD, "changed nothing"))
    assert [part.numbers for part in ended.parts()] == [NUMBERS, {}]


def test_a_drill_is_good_when_its_control_is() -> None:
    assert PASSED.parts() == (PASSED,)
    assert PASSED.good
    assert not ENDED["its control at the end"].good
    assert not ENDED["a control"].good


def test_what_is_told_of_a_drill_has_no_path_of_this_machine_and_no_secret(tmp_path: Path) -> None:
    """drills.json, proof.json, the summary and JUnit take it from here."""
    redactor = Redactor()
    redactor.add("token", "swordfish")
    config: Any = SimpleNamespace(rootpath=tmp_path, stash={session_key: SimpleNamespace(redactor=redactor)})
    ended: list[DrillOutcome] = []
    config.stash |= {ended_key: ended}
    item: Any = SimpleNamespace(
        config=config, nodeid="x::S", drill_nodeid="x::S", stash={}, scenario=SimpleNamespace(control=None)
    )
    reason = f"{tmp_path}/evidence: swordfish\x1b[2J is in the way below {Path.home()}/x"
    conclude(item, Outcome.ABORTED, reason, None, RepeatRecord(Outcome.BETRAYED, reason))
    shown = "evidence: [REDACTED:token]\\x1b[2J is in the way below ~/x"
    assert [each.reason for each in ended] == [shown, shown]
    conclude_anew(item, Outcome.INVALID, reason, None)
    assert item.stash[outcome_key].reason == shown


# ---- a proof that cannot be sealed


HELD = [
    replace(PASSED, nodeid=f"x.feature::S[{name}]", control=name, outcome=Outcome.HELD, evidence=None)
    for name in ("no-fault", "no-recovery", "recovery-twice")
]


def proven(root: Path, sealer: Sealer) -> Any:
    """The configuration of a session that has proven a runbook, and whose evidence is gone."""
    session = SimpleNamespace(
        redactor=sealer.redactor,
        evidence_root=sealer.evidence_root,
        root=root,
        sealer=sealer,
        inventory=SimpleNamespace(environment=SimpleNamespace(name="lab")),
    )
    ended = [replace(PASSED, evidence=None, repeat=RepeatRecord(Outcome.HELD, "")), *HELD]
    return SimpleNamespace(rootpath=root, stash={session_key: session, ended_key: ended, xml_key: None})


def test_a_proof_that_is_sealed_changes_no_outcome(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path / "evidence", key(tmp_path), Redactor())
    config = proven(tmp_path, sealer)
    keep_proofs(config, runs_of(config))
    assert [each.outcome for each in runs_of(config)] == [Outcome.PASSED, *[Outcome.HELD] * 3]
    assert list(sealed_runs(tmp_path, sealer.key.public_pem).values()) == ["sealed"]


def test_a_proof_that_cannot_be_sealed_is_taken_away_and_its_drill_has_proven_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealer = Sealer(tmp_path / "evidence", key(tmp_path), Redactor())
    config = proven(tmp_path, sealer)

    def is_full(*_: object) -> None:
        raise EvidenceError("the disk is full")

    monkeypatch.setattr(bundle, "write_attestations", is_full)
    keep_proofs(config, runs_of(config))
    (drill,) = [each for each in runs_of(config) if not each.control]
    assert (drill.outcome, drill.reason) == (Outcome.INVALID, "the proof is not sealed: the disk is full")
    assert [each.name for each in (tmp_path / "evidence").iterdir()] == ["ledger"]
    assert list(sealed_runs(tmp_path, sealer.key.public_pem).values()) == ["void"]
