"""A decision is waited for as a check is, and the record keeps what the table said last, wanted or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.engine.drill import Drill
from drillbook.engine.failures import DrillFailure
from drillbook.engine.keeping.artefacts import Artefacts
from drillbook.errors import DrillbookError
from drillbook.evidence.files import dumps
from drillbook.evidence.render.terminal import lines
from drillbook.model.phases import Phase
from drillbook.model.record import ArtefactKind, to_plain
from drillbook.model.times.profiles import FULL, Timings
from drillbook.repository.decision_table import FILE, own_text, table_of
from tests.unit.engine.drills import under_way

pytestmark = pytest.mark.unit

CI = Timings("ci", full=False, immediate_s=3.0, extended_s=6.0, watch_s=6.0, day_s=8.0)


def drill_of(tmp_path: Path, timings: Timings = FULL) -> tuple[Drill, Any]:
    begun = under_way(tmp_path, "+" * 30, Phase.SYMPTOMS)
    artefacts = Artefacts(tmp_path, [])
    begun.session = cast(
        Any,
        SimpleNamespace(
            decisions=lambda: table_of(tmp_path), artefacts=artefacts, inventory=SimpleNamespace(timings=timings)
        ),
    )
    return Drill(begun), begun.log.record


def decide(drill: Drill, metrics: Mapping[str, object], rule: str | None = None) -> None:
    drill.decide(lambda: metrics, "quick fix, then roll back", "P1", within=30.5, rule=rule)


def test_what_was_decided_is_in_the_record(tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    (tmp_path / FILE).write_text(own_text())
    drill, record = drill_of(tmp_path)
    decide(drill, {"error_rate": 12.5}, "many-errors")
    (kept,) = record.decisions
    assert (kept.step, kept.phase, kept.rule, kept.severity) == (1, Phase.SYMPTOMS, "many-errors", "P1")
    assert (kept.table, kept.within_s, kept.metrics) == (FILE, 1800.0, {"error_rate": 12.5})
    assert kept.assumed["api_up"] is True
    (table,) = [each for each in record.artefacts if each.kind is ArtefactKind.DECISIONS]
    assert table.path == FILE
    dumps(to_plain(record))
    (check,) = record.checks
    assert check.name == "the decision table says quick fix, then roll back, P1, by the rule many-errors"
    assert check.met


@pytest.mark.parametrize(("metrics", "rule"), [({"error_rate": 3}, None), ({"error_rate": 12}, "some-errors")])
def test_what_was_not_wanted_is_in_the_record_too(tmp_path: Path, metrics: dict[str, object], rule: str | None) -> None:
    drill, record = drill_of(tmp_path)
    with pytest.raises(DrillFailure):
        decide(drill, metrics, rule)
    assert [each.rule for each in record.decisions] == ["few-errors" if metrics["error_rate"] == 3 else "many-errors"]
    assert not [each for each in record.artefacts if each.kind is ArtefactKind.DECISIONS], "it is the package's own"


def test_where_nothing_can_be_decided_nothing_is_kept(tmp_path: Path) -> None:
    drill, record = drill_of(tmp_path)
    with pytest.raises(DrillbookError, match="there is no decision: error_rate is not known"):
        decide(drill, {"broken_features": 1})
    assert record.decisions == []


def test_a_wrong_table_is_said(tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    (tmp_path / FILE).write_text("rules: []\n")
    drill, _ = drill_of(tmp_path)
    with pytest.raises(DrillbookError, match=r"decisions/rollback\.yml:1: 'metrics' has to name"):
        decide(drill, {"error_rate": 3})


def test_the_windows_are_in_the_record_once_a_step_asks(tmp_path: Path) -> None:
    drill, record = drill_of(tmp_path, CI)
    assert record.timings is None
    assert drill.timings == CI
    assert record.timings == CI


def test_the_terminal_says_what_was_decided_and_by_which_profile(tmp_path: Path) -> None:
    drill, record = drill_of(tmp_path)
    decide(drill, {"error_rate": 12.5, "api_up": True})
    told = lines(
        {
            "event": "done",
            "status": "passed",
            "text": "Then",
            "duration_s": 1.0,
            "decisions": to_plain(record.decisions),
        }
    )
    assert told[1].strip() == "P1, quick fix, then roll back (rule many-errors): error_rate=12.5, api_up=yes"
    verdict: dict[str, Any] = {
        "event": "verdict",
        "outcome": "PASSED",
        "reason": "it is well",
        "axes": {name: {"holds": True} for name in ("valid", "recovered", "restored")},
        "times": {},
        "work": None,
        "evidence": "evidence/x",
    }
    short = "verified by the profile ci: windows immediate 3 s, extended 6 s, watch 6 s, day 8 s, not the full 300 s"
    assert any(short in line for line in lines(verdict | {"timings": to_plain(CI)}))
    assert not any("verified by" in line for line in lines(verdict | {"timings": to_plain(FULL)}))
