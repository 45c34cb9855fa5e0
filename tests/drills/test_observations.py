"""What a diagnosis step saw, in the record, on the terminal and in the report; and that it passes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from .conftest import ROOT, Mini
from .mutants import GOOD, body, step

pytestmark = pytest.mark.lab

SCHEMA = ROOT / "src/drillbook/evidence/schema/drill.schema.json"
LOOK = "drill.eventually(WEB.silent(), within=deadline)"


def test_it_is_in_record_terminal_and_report(mini: Mini) -> None:
    mini.inventory("    api_token: xyzzy-token-4711\n")
    body("down", "drill.observe('workers', 3, 'processes')", "drill.observe('logs', 'xyzzy-token-4711')", LOOK)(mini)
    step("the cause is written down", "drill.observe('the flag', {'set': True})", "drill.expect(WEB.answers())")(mini)
    mini.feature(*GOOD, "And the cause is written down", tags="@rto:1h")
    ran = mini.pytest("features", "-s", "-o", "drillbook_report=true")
    assert ran.status == 0, ran.output
    rows = [{name: row[name] for name in ("phase", "step", "subject", "value", "unit")} for row in
            ran.drill["observations"]]  # fmt: skip
    assert rows == [
        {"phase": "symptoms", "step": 3, "subject": "workers", "value": 3, "unit": "processes"},
        {"phase": "symptoms", "step": 3, "subject": "logs", "value": "[REDACTED:api_token]", "unit": ""},
        {"phase": "criteria", "step": 6, "subject": "the flag", "value": {"set": True}, "unit": ""},
    ]
    times = [row["at_s"] for row in ran.drill["observations"]]
    assert times == sorted(times)
    assert times[0] > 0
    lines = [line.strip() for line in ran.output.splitlines()]
    below = next(at for at, line in enumerate(lines) if line.startswith("✓ Then within 20 seconds the service is down"))
    assert lines[below + 1] == "workers: 3 processes", ran.output
    assert "xyzzy" not in ran.output
    (page,) = (path.read_text() for path in mini.root.glob("evidence/*/content/report.html"))
    assert "<td>workers</td><td>3 processes</td>" in page
    assert "xyzzy" not in page
    says_with_what_it_was_made(ran.drill, mini.root)


def says_with_what_it_was_made(drill: dict[str, Any], root: Path) -> None:
    """The files that took part, and what else is known of the run; two validators take the whole record."""
    assert {each["path"]: each["kind"] for each in drill["artefacts"]} == {
        "features/web.feature": "feature",
        "inventories/hosts.yml": "inventory",
        "playbooks/faults/breakage/inject.yml": "playbook",
        "playbooks/faults/breakage/undo.yml": "playbook",
        "playbooks/recovery/fix.yml": "playbook",
        "steps/web.py": "steps",
    }
    for each in drill["artefacts"]:
        assert each["sha256"] == hashlib.sha256((root / each["path"]).read_bytes()).hexdigest()
    assert len(drill["engine"]["sha256"]) == 64
    assert drill["population"] == {"collected": 1, "selected": 1, "deselected_count": 0, "deselected": []}
    assert (drill["clock"]["synchronised"] is None) is ("clock.synchronised" in drill["absent"])
    assert drill["absent"]["times.alert_s"] == "no alert was waited for, or none came"
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(drill)
    jsonschema_rs.Draft202012Validator(schema).validate(drill)


def test_a_page_that_cannot_be_drawn_is_told_and_hides_nothing(mini: Mini) -> None:
    (mini.root / "conftest.py").write_text(
        "from pathlib import Path\n"
        "def pytest_bdd_after_scenario():\n"
        "    (next(Path('evidence').glob('*/content')) / 'report.html').mkdir()\n"
    )
    mini.feature(*GOOD, tags="@rto:1h")
    ran = mini.pytest("features", "-o", "drillbook_report=true")
    assert ran.status == 0, ran.output
    assert re.search(r"no report\.html: .*report\.html: evidence cannot be written: Is a directory", ran.output)
    assert ran.drill["outcome"] == "PASSED"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("b'bytes'", "the observation of 'the log' holds a bytes"),
        ("float('nan')", "the observation of 'the log' holds nan"),
    ],
)
def test_what_is_no_json_ends_the_drill(mini: Mini, value: str, why: str) -> None:
    body("down", LOOK, "try:", f"    drill.observe('the log', {value})", "except Exception:", "    pass")(mini)
    mini.feature(*GOOD, tags="@rto:1h")
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert why in " ".join(ran.output.split())
    assert ran.drill["observations"] == []
