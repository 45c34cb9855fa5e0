"""`drillbook decide`: what a person is told, what a program is told, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.evidence.files import dumps
from drillbook.model.phases import Phase
from drillbook.model.record import DecisionRecord
from drillbook.repository.decision_table import FILE, own_text
from tests.support.records import record

pytestmark = pytest.mark.unit

MADE = DecisionRecord(
    phase=Phase.SYMPTOMS,
    step=3,
    at_s=4.2,
    table="t",
    rule="many-errors",
    when=[],
    source="s",
    severity="P1",
    decision="quick fix, then roll back",
    within_s=1800.0,
    advice="",
    metrics={"error_rate": 12.5},
    assumed={},
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["decide", *words])
    return ran.exit_code, ran.output


def evidence(folder: Path, *decisions: DecisionRecord) -> str:
    (folder / "content").mkdir()
    (folder / "content/drill.json").write_text(dumps(record(decisions=list(decisions)).as_json()))
    return str(folder)


def test_a_person_is_told_severity_decision_limit_and_rule() -> None:
    status, said = call("error_rate=12", "quick_fix_failed=yes")
    assert status == 0
    assert said.splitlines()[:4] == [
        "severity  P1",
        "decision  roll back now, within 30 min",
        "rule      many-errors-not-fixed: error_rate > 10 % and quick_fix_failed is yes",
        'source    flow chart, "Attempt quick fix (5 min), failed?"',
    ]
    assert "known     error_rate=12 %, quick_fix_failed=yes" in said
    assert "assumed   api_up=yes, " in said


def test_a_program_is_told_the_same() -> None:
    status, said = call("--json", "api_up=no")
    told = json.loads(said)
    assert (status, told["severity"], told["decision"], told["within_s"]) == (0, "P0", "roll back now", 900.0)
    assert told["metrics"] == {"api_up": False}


def test_the_table_is_the_repositorys_or_the_one_that_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stricter = (
        own_text().replace("error_rate > 10 %", "error_rate > 3 %").replace("error_rate >= 5 %", "error_rate >= 2 %")
    )
    (here / "mine.yml").write_text(stricter)
    assert "many-errors: error_rate > 3 %" in call("--table", "mine.yml", "error_rate=4")[1]
    assert "few-errors" in call("error_rate=4")[1]
    (here / "decisions").mkdir()
    (here / FILE).write_text(stricter)
    assert "table     decisions/rollback.yml" in call("error_rate=4")[1]
    (here / "runbooks").mkdir()
    monkeypatch.chdir(here / "runbooks")
    assert "table     decisions/rollback.yml" in call("error_rate=4")[1], "also from a folder of the repository"


def test_our_table_is_shown_to_begin_ones_own_with() -> None:
    assert call("--show") == (0, own_text())


def test_the_metrics_of_a_drill_are_decided_again(tmp_path: Path) -> None:
    well = replace(MADE, phase=Phase.CRITERIA, metrics={"error_rate": 0.0})
    folder = evidence(tmp_path, MADE, well)
    assert "many-errors: error_rate > 10 %" in call("--from", folder)[1], "those before the recovery"
    assert "many-errors-not-fixed" in call("--from", folder, "quick_fix_failed=yes")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing is known: give metrics, like error_rate=12"),
        (["error_rates=1"], "there is no metric 'error_rates'"),
        (["broken_features=1"], "error_rate is not known, and the rule 'many-errors' needs it."),
        (["--table", "no.yml", "error_rate=1"], "no.yml: the decision table cannot be read: No such file"),
        (["--from", "no"], "cannot be read"),
        (["--nothing"], "No such option"),
    ],
)
def test_what_cannot_be_decided_is_a_wrong_call(words: list[str], said: str) -> None:
    status, told = call(*words)
    assert status == 64
    assert said in told


def test_a_drill_that_decided_nothing_is_said(tmp_path: Path) -> None:
    status, told = call("--from", evidence(tmp_path))
    assert status == 64
    assert "this drill has made no decision" in told
