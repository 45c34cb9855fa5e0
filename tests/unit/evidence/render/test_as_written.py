"""docs/findings.md from evidence: which drill counts, what stands in it, and that nobody's text is overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.errors import DrillbookError
from drillbook.evidence.render.as_written import (
    BEGIN,
    DRILLS_BEGIN,
    DRILLS_END,
    END,
    Evidence,
    markdown,
    put_into,
    read,
    read_table,
    table_markdown,
)
from drillbook.model.phases import Phase
from drillbook.model.record import CheckRecord, ObservationRecord, Record, ScenarioRecord, TimesRecord
from drillbook.model.verdict import Outcome
from tests.support import records

pytestmark = pytest.mark.unit

DESCRIPTION = "The source pushes it to a list.\nMove the job by the queue's own operation."


def record(started: str = "2026-11-24T10:00:00Z", **changes: Any) -> Record:
    values: dict[str, Any] = {
        "started_at": started,
        "outcome": Outcome.PASSED,
        "reason": "recovered in 12.3 s",
        "feature": records.feature("features/queue.feature"),
        "scenario": records.scenario(
            "A job is pushed by hand", "as-written", "finding:S0-1B", "row:Q4", description=DESCRIPTION
        ),
        "work": records.work(40, lost=8, accepted_lost=8),
        "checks": [
            seen("the job is unknown", "unknown"),
            seen("Redis answers", "an answer"),
            seen("a late one", "nothing", met=False, found_s=None),
            seen("the job is failed", "failed", phase=Phase.CRITERIA),
        ],
        "observations": [ObservationRecord(Phase.SYMPTOMS, 3, "jobs in failed", 3, "jobs", 12.04)],
        "times": TimesRecord(detect_s=1.25, detect_uncertainty_s=0.1),
    }
    return records.record(**(values | changes))


def seen(name: str, observed: str, phase: Phase = Phase.SYMPTOMS, **changes: Any) -> CheckRecord:
    return records.check(3, phase, name=name, observed=observed, **({"found_s": 4.04} | changes))


def tagged(*tags: str, name: str = "Another") -> ScenarioRecord:
    return records.scenario(name, *tags)


WHOLE = """\
### S0-1B: A job is pushed by hand

The source pushes it to a list.

Move the job by the queue's own operation.

| measured | |
|---|---|
| outcome | PASSED: recovered in 12.3 s |
| acknowledged jobs | 40 |
| lost | 8 (the scenario accepts exactly 8) |
| done twice | 0 |
| symptom: the job is unknown | unknown (at 4.0 s) |
| jobs in failed | 3 jobs (at 12.0 s) |
| detected after | 1.2 s ± 0.1 |
| feature | `features/queue.feature` |
| evidence | `one` |
"""


def test_a_finding() -> None:
    assert markdown([Evidence("one", record())]) == WHOLE


def test_the_newest_that_shows_something_counts() -> None:
    old, new = record("2026-11-23T10:00:00Z", reason="old"), record(reason="new")
    broken = record("2026-11-24T11:00:00Z", outcome=Outcome.INVALID, reason="nobody looked")
    for order in ([old, new, broken], [broken, old, new]):
        text = markdown([Evidence(str(each.reason).replace(" ", "-"), each) for each in order])
        assert "| outcome | PASSED: new |" in text
        assert "| evidence | `new` |" in text
        assert "A newer drill shows nothing: `nobody-looked` ended INVALID: nobody looked." in text
        assert "old" not in text
    assert "A newer drill" not in markdown([Evidence("one", old), Evidence("two", new)])


@pytest.mark.parametrize(
    ("outcome", "said"),
    [(Outcome.INVALID, "ended INVALID: why"), (Outcome.ABORTED, "ended ABORTED: why"), (None, "has no verdict")],
)
def test_a_drill_that_shows_nothing_is_no_finding(outcome: Outcome | None, said: str) -> None:
    text = markdown([Evidence("one", record(outcome=outcome, reason="why"))])
    assert f"Not shown: `one` {said}." in text
    assert "measured" not in text


def test_what_the_command_breaks_is_a_finding_too() -> None:
    text = markdown([Evidence("one", record(outcome=Outcome.NOT_RECOVERED, reason="8 lost", work=None))])
    assert "| outcome | NOT_RECOVERED: 8 lost |" in text
    assert "acknowledged jobs" not in text


def test_which_scenarios_and_in_which_order() -> None:
    drills = [
        record(scenario=tagged("as-written", "finding:S3-3.4", name="Later")),
        record(scenario=tagged("as-written", name="Nameless")),
        record(scenario=tagged("finding:S0-1A", name="The corrected one")),
        record(),
    ]
    text = markdown([Evidence(str(number), each) for number, each in enumerate(drills)])
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert headings == [
        "### S0-1B: A job is pushed by hand",
        "### S3-3.4: Later",
        "### source not named: Nameless",
    ]
    assert markdown([]) == "No drill of a scenario tagged `@as-written` was found.\n"


def kept(root: Path, name: str, value: Record | str) -> Path:
    folder = root / name / "content"
    folder.mkdir(parents=True)
    (folder / "drill.json").write_text(value if isinstance(value, str) else json.dumps(value.as_json()))
    return root / name


def test_evidence_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    one = kept(tmp_path, "one", record())
    kept(tmp_path, "control", record(control=records.CONTROL))
    (tmp_path / "proof" / "content").mkdir(parents=True)
    assert [each.id for each in read([tmp_path])] == ["one"]
    assert [each.id for each in read([one, tmp_path])] == ["one"]
    with pytest.raises(DrillbookError, match="there is no such folder"):
        read([tmp_path / "missing"])
    kept(tmp_path, "torn", '{"schema"')
    with pytest.raises(DrillbookError, match=r"torn/content/drill\.json: is not JSON"):
        read([tmp_path])
    (tmp_path / "torn/content/drill.json").write_text('{"schema": "other/1"}')
    with pytest.raises(DrillbookError, match="schema 'other/1' is unknown"):
        read([tmp_path])


@pytest.mark.parametrize("text", ["", "# Mine\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_nobody_s_text_is_overwritten(text: str) -> None:
    with pytest.raises(DrillbookError, match="has no place for findings"):
        put_into(text, "x", Path("findings.md"))


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    evidence, document = tmp_path / "evidence", tmp_path / "findings.md"
    kept(evidence, "one", record())
    document.write_text(f"# Findings\n\nMine.\n\n{BEGIN}\n{END}\n\n## After\n")
    run = CliRunner().invoke
    stale = run(app, ["findings", str(evidence), "--check", str(document)])
    assert stale.exit_code == 1
    assert "run 'drillbook findings --write" in stale.output
    assert run(app, ["findings", str(evidence), "--write", str(document)]).exit_code == 0
    written = document.read_text()
    assert written == f"# Findings\n\nMine.\n\n{BEGIN}\n\n{WHOLE.strip()}\n\n{END}\n\n## After\n"
    assert run(app, ["findings", str(evidence), "--write", str(document)]).exit_code == 0
    assert document.read_text() == written
    assert run(app, ["findings", str(evidence), "--check", str(document)]).exit_code == 0
    assert run(app, ["findings", str(evidence)]).output == WHOLE
    document.write_text(written.replace("recovered in 12.3 s", "recovered in 1 s"))
    assert run(app, ["findings", str(evidence), "--check", str(document)]).exit_code == 1
    assert run(app, ["findings", str(tmp_path / "nothing")]).exit_code == 64
    assert run(app, ["findings", str(evidence), "--write", str(tmp_path / "none.md")]).exit_code == 64


def drilled(evidence: str | None, **changes: Any) -> dict[str, Any]:
    row = {"rows": ["Q4"], "scenario": "A | B", "outcome": "PASSED", "proven": True, "evidence": evidence}
    return {**row, "lost": 8, "duplicated": 0, "recover_s": 12.3, **changes}


def kept_table(root: Path, name: str, *rows: dict[str, Any], schema: str = "drillbook/drills/1") -> None:
    folder = root / name / "content"
    folder.mkdir(parents=True)
    (folder / "drills.json").write_text(
        json.dumps({"schema": schema, "took_s": 61.4, "labs": 3, "drills": rows}), encoding="utf-8"
    )


def test_the_newest_table_with_the_times_of_its_drills(tmp_path: Path) -> None:
    assert read_table([tmp_path]) is None
    kept_table(tmp_path, "20261124T090000Z-drills-0")
    kept_table(
        tmp_path,
        "20261124T100000Z-drills-1",
        drilled("evidence/one"),
        drilled(None, outcome="not run", proven=False, lost=None, duplicated=None),
    )
    table = read_table([tmp_path])
    assert table is not None
    lines = table_markdown(table, [Evidence("one", record())]).splitlines()
    assert lines[0] == (
        "2 drills with their controls, on 3 labs side by side, in 61 s: 1 PASSED and proven. "
        "Evidence `20261124T100000Z-drills-1`."
    )
    assert lines[4] == "| Q4 | A \\| B | 10:00:00 | PASSED | 1.2 | - | - | - | 40 | 0 | 8 | 0 | yes |"
    assert lines[5] == "| Q4 | A \\| B | - | not run | - | - | - | - | - | - | - | - | NO |"
    kept_table(tmp_path, "20261124T110000Z-drills-2", schema="other/1")
    with pytest.raises(DrillbookError, match="is no table of the schema"):
        read_table([tmp_path])


def test_the_command_puts_the_table_where_the_document_has_its_marks(tmp_path: Path) -> None:
    evidence, document = tmp_path / "evidence", tmp_path / "findings.md"
    kept(evidence, "one", record())
    kept_table(evidence, "20261124T100000Z-drills-1", drilled("evidence/one"))
    run = CliRunner().invoke
    document.write_text(f"{DRILLS_BEGIN}\n{DRILLS_END}\n{BEGIN}\n{END}\n")
    assert run(app, ["findings", str(evidence), "--write", str(document)]).exit_code == 0
    written = document.read_text()
    assert written.startswith(f"{DRILLS_BEGIN}\n\n1 drills with their controls")
    assert "### S0-1B" in written
    assert run(app, ["findings", str(evidence), "--check", str(document)]).exit_code == 0
    document.write_text(written.replace("1 PASSED and proven", "30 PASSED and proven"))
    assert run(app, ["findings", str(evidence), "--check", str(document)]).exit_code == 1
