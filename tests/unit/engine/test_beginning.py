"""A control takes its times from the drill that it is a control of, and from no other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.engine.beginning import _measured
from drillbook.engine.keeping.artefacts import Artefacts
from drillbook.engine.session import DrillSession
from drillbook.errors import GuardError
from drillbook.evidence.artefacts import digest
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.writer import Recorder
from drillbook.model.control import Control, ControlKind
from drillbook.model.record import ArtefactKind, ArtefactRecord, EnvironmentRecord, FeatureRecord
from drillbook.model.scenario import Scenario
from drillbook.model.verdict import Outcome
from drillbook.target.inventory.settings import Environment, EnvironmentKind
from tests.support.records import TITLE, record

pytestmark = pytest.mark.unit

FEATURE = "features/redis.feature"
NOW = "Feature: as it is now\n"


def passed(
    root: Path,
    number: int,
    text: str = NOW,
    line: int = 14,
    environment: tuple[str, str] = ("s", "staging"),
    *,
    artefacts: tuple[ArtefactRecord, ...] = (),
) -> None:
    """A drill that has passed, with this text of its feature, and with these files."""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    made = record(
        feature=FeatureRecord("Redis fails over", FEATURE, line, sha256),
        environment=EnvironmentRecord(*environment),
        outcome=Outcome.PASSED,
        artefacts=list(artefacts),
        run_id=f"run {number}",
        ended_at="2026-11-22T12:01:00.000Z",
    )
    folder = root / f"evidence/2026112{number}T120000Z-the-network-is-cut-00000{number}"
    Recorder(folder, made, Redactor(), lambda _event: None)


def measured(
    root: Path, kind: EnvironmentKind = EnvironmentKind.STAGING, name: str = "s", *, proves: bool = False
) -> Any:
    """What a control of the scenario on line 14 takes for its times."""
    (root / "features").mkdir(exist_ok=True)
    (root / FEATURE).write_text(NOW)
    inventory = SimpleNamespace(environment=Environment(name, kind))
    artefacts = Artefacts(root, [])
    session = SimpleNamespace(
        root=root, evidence_root=root / "evidence", inventory=inventory, proves=proves, artefacts=artefacts
    )
    scenario = Scenario(
        feature_path=FEATURE,
        line=14,
        feature_name="Redis fails over",
        rule_name=None,
        name=TITLE,
        description="",
        tags=frozenset(),
        steps=(),
        phases=(),
        control=Control(ControlKind.NO_RECOVERY),
    )
    return _measured(cast(DrillSession, session), scenario)


def test_the_times_are_those_of_this_version(tmp_path: Path) -> None:
    passed(tmp_path, 1)
    passed(tmp_path, 2, "Feature: as it was\n")
    assert measured(tmp_path).run_id == "run 1"


def test_the_times_of_another_version_are_refused(tmp_path: Path) -> None:
    passed(tmp_path, 1, "Feature: as it was\n")
    with pytest.raises(GuardError) as raised:
        measured(tmp_path)
    assert str(raised.value) == (
        "features/redis.feature:14: the drill last passed with another version of features/redis.feature "
        "(2026-11-22T12:00:00.000Z): its times do not fit the control no-recovery. Run the drill as it is now, then "
        "its controls, or both with 'drillbook prove'"
    )


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (ArtefactKind.STEPS, "steps/redis.py"),
        (ArtefactKind.PLAYBOOK, "playbooks/recovery/fix.yml"),
        (ArtefactKind.ROLE, "playbooks/roles/service/tasks/main.yml"),
    ],
)
def test_so_are_those_with_other_files(tmp_path: Path, kind: ArtefactKind, path: str) -> None:
    """A recovery that was slower or faster then says nothing of how long its criterion may take now."""
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text("as it was\n")
    passed(tmp_path, 1, artefacts=(ArtefactRecord(kind, path, digest(file.read_bytes())),))
    assert measured(tmp_path).run_id == "run 1"
    file.write_text("as it is now\n")
    with pytest.raises(GuardError, match=f"the drill last passed with another version of {path} "):
        measured(tmp_path)
    file.unlink()
    with pytest.raises(GuardError, match=f"the drill last passed with another version of {path} "):
        measured(tmp_path)
    assert measured(tmp_path, proves=True) is None


@pytest.mark.parametrize("kind", [ArtefactKind.RUNBOOK, ArtefactKind.INVENTORY])
def test_what_changes_no_step_changes_no_times(tmp_path: Path, kind: ArtefactKind) -> None:
    passed(tmp_path, 1, artefacts=(ArtefactRecord(kind, "runbooks/gone.md", "0" * 64),))
    assert measured(tmp_path).run_id == "run 1"


def test_in_a_proof_they_are_not_taken_and_nobody_is_refused(tmp_path: Path) -> None:
    passed(tmp_path, 1, "Feature: as it was\n")
    assert measured(tmp_path, proves=True) is None


def test_another_row_of_the_outline_is_another_drill(tmp_path: Path) -> None:
    passed(tmp_path, 2, line=15)
    assert measured(tmp_path) is None
    passed(tmp_path, 1)
    assert measured(tmp_path).run_id == "run 1"


@pytest.mark.parametrize("environment", [("other", "staging"), ("s", "lab"), ("lab", "lab")])
def test_a_drill_of_another_environment_says_nothing_of_this_one(tmp_path: Path, environment: tuple[str, str]) -> None:
    passed(tmp_path, 1, environment=environment)
    passed(tmp_path, 2, "Feature: as it was\n", environment=environment)
    assert measured(tmp_path) is None


def test_one_lab_is_like_another(tmp_path: Path) -> None:
    passed(tmp_path, 1, environment=("lab-1", "lab"))
    assert measured(tmp_path, EnvironmentKind.LAB, "lab-2").run_id == "run 1"
