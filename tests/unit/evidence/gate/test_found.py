"""Proofs are found in the evidence and below proofs/, and the working tree is looked at as it is."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drillbook.evidence.artefacts import Digests
from drillbook.evidence.files import dumps, folder_name
from drillbook.evidence.gate.found import Proofs, WorkingTree
from drillbook.evidence.gate.judging import Asked, State, judge
from drillbook.evidence.gate.kept import KeptProof, KeptProofError, file_of, from_json
from drillbook.model.control import ControlKind
from drillbook.model.proof import Proof, Run
from drillbook.model.record import (
    ArtefactKind,
    ArtefactRecord,
    ControlRecord,
    EngineRecord,
    EnvironmentRecord,
    ScenarioRecord,
)
from drillbook.model.verdict import Outcome
from tests.support.records import feature, record

pytestmark = pytest.mark.unit

ENGINE = EngineRecord("0.1.0", "e1")
FILES = {"playbooks/recovery/x.yml": "x", "playbooks/roles/s/tasks/main.yml": "r", "inventories/lab/hosts.yml": "h"}
ASKED = Asked("features/redis.feature::It is cut", "features/redis.feature", 9, "It is cut", ("row:R1",), "s1")
NAMES = ("no-fault", "no-recovery", "recovery-twice")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def artefacts(root: Path, *more: str) -> list[ArtefactRecord]:
    kinds = {"recovery": ArtefactKind.PLAYBOOK, "roles": ArtefactKind.ROLE, "lab": ArtefactKind.INVENTORY}
    digests = Digests(root)
    return [
        ArtefactRecord(kinds.get(name.split("/")[1], ArtefactKind.PLAYBOOK), name, digests.of(name) or "")
        for name in (*FILES, *more)
    ]


def run(root: Path, day: int, number: int, outcome: Outcome, control: str | None = None, **more: Any) -> Run:
    """A run of the scenario on a day, and its record in the evidence."""
    started = datetime(2026, 11, day, 12, number, tzinfo=UTC)
    run_id = f"{day:02d}{number:04d}{'0' * 26}"
    of_control = None if control is None else ControlRecord(control, ControlKind(control), None, "as stated", None)
    values: dict[str, Any] = {
        "run_id": run_id,
        "feature": feature("features/redis.feature"),
        "scenario": ScenarioRecord("It is cut", None, ["row:R1"], []),
        "control": of_control,
        "started_at": f"2026-11-{day:02d}T12:{number:02d}:00.000Z",
        "ended_at": f"2026-11-{day:02d}T12:{number:02d}:30.000Z",
        "duration_s": 30.0,
        "outcome": outcome,
        "reason": "so it was",
        "engine": ENGINE,
        "inventory": "inventories/lab",
        "artefacts": artefacts(root),
    }
    made = record(**(values | more))
    title = "It is cut" if control is None else f"{control} It is cut"
    folder = root / "evidence" / folder_name(started, title, run_id)
    (folder / "content").mkdir(parents=True)
    (folder / "content/drill.json").write_text(dumps(made.as_json()))
    return Run(ASKED.nodeid, control or "", outcome, "so it was", f"evidence/{folder.name}")


def proof(root: Path, day: int, drill: Outcome = Outcome.PASSED, **more: Any) -> Path:
    """A proof of that day with its runs; recovery-twice was the end of its drill."""
    runs = [run(root, day, 1, drill, **more)]
    runs += [run(root, day, 2 + number, Outcome.HELD, name) for number, name in enumerate(NAMES[:2])]
    runs.append(replace(runs[0], control="recovery-twice", outcome=Outcome.HELD))
    folder = (
        root / "evidence" / folder_name(datetime(2026, 11, day, 12, 9, tzinfo=UTC), "proof It is cut", f"{day:06d}")
    )
    (folder / "content").mkdir(parents=True)
    (folder / "content/proof.json").write_text(dumps(Proof(ASKED.nodeid, tuple(runs)).as_json()))
    return folder


def proofs(root: Path, **more: Any) -> Proofs:
    return Proofs(root / "evidence", root / "proofs", WorkingTree(root), **more)


def state(root: Path, **more: Any) -> State:
    known = {ASKED.nodeid: proofs(root, **more).of(ASKED)}
    now = datetime(2026, 12, 1, tzinfo=UTC)
    return judge([ASKED], known, WorkingTree(root), ENGINE, now=now, max_age_s=86400 * 365)[0].state


def test_a_proof_of_the_evidence_names_all_that_took_part(root: Path) -> None:
    proof(root, 3)
    (found,) = proofs(root).of(ASKED)
    assert (found.scenario, found.proven, found.proven_at) == (ASKED.nodeid, True, "2026-11-03T12:03:30.000Z")
    assert [(each.control, each.outcome, each.duration_s) for each in found.runs] == [
        (None, Outcome.PASSED, 30.0),
        ("no-fault", Outcome.HELD, 30.0),
        ("no-recovery", Outcome.HELD, 30.0),
        ("recovery-twice", Outcome.HELD, None),
    ]
    assert {each.path for each in found.artefacts} == set(FILES)
    assert found.environment == {"name": "lab", "kind": "lab"}
    assert state(root) is State.FRESH


def test_nothing_is_known_of_what_left_nothing(root: Path) -> None:
    assert proofs(root).of(ASKED) == []
    assert state(root) is State.NEVER


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_changed_since_is_found(root: Path, name: str) -> None:
    proof(root, 3)
    (root / name).write_text("other")
    assert state(root) is State.CHANGED


@pytest.mark.parametrize("name", ["playbooks/roles/s/tasks/new.yml", "inventories/lab/group_vars/all.yml"])
def test_a_file_that_is_new_in_a_role_or_an_inventory_is_found(root: Path, name: str) -> None:
    proof(root, 3)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).touch()
    assert state(root) is State.CHANGED


def test_what_git_is_told_to_leave_alone_may_differ_between_checkouts(root: Path) -> None:
    secret = root / "inventories/lab/vault.yml"
    proof(root, 3)
    secret.touch()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    assert state(root) is State.CHANGED
    (root / ".gitignore").write_text("vault.yml\n")
    assert state(root) is State.FRESH
    secret.write_text("x")
    proof(root, 4, artefacts=artefacts(root, "inventories/lab/vault.yml"))
    secret.unlink()
    assert state(root) is State.FRESH


def test_what_lies_elsewhere_changes_nothing(root: Path) -> None:
    proof(root, 3)
    for name in ("playbooks/roles/other/tasks/main.yml", "inventories/staging/hosts.yml", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    assert state(root) is State.FRESH


def test_a_file_of_which_a_control_met_another_version_is_not_proven(root: Path) -> None:
    folder = proof(root, 3)
    path = next((root / "evidence").glob("*-no-fault-*")) / "content/drill.json"
    said = json.loads(path.read_text())
    said["artefacts"][0]["sha256"] = "edited meanwhile"
    path.write_text(dumps(said))
    assert folder.is_dir()
    assert state(root) is State.CHANGED


def test_the_newest_proof_decides_and_no_older_one_is_read(root: Path) -> None:
    proof(root, 3)
    proof(root, 5)
    assert [each.proven_at[:10] for each in proofs(root).of(ASKED)] == ["2026-11-05"]
    proof(root, 7, Outcome.NOT_RECOVERED)
    assert [each.proven for each in proofs(root).of(ASKED)] == [False, True]
    assert state(root) is State.FAILED


def test_a_later_drill_without_its_controls_may_speak_against_it(root: Path) -> None:
    proof(root, 3)
    run(root, 4, 1, Outcome.PASSED)
    assert state(root) is State.FRESH
    run(root, 5, 1, Outcome.ABORTED)
    assert state(root) is State.FRESH
    run(root, 6, 1, Outcome.NOT_RECOVERED, scenario=ScenarioRecord("It is CUT", None, [], []))
    assert state(root) is State.FRESH, "it is another scenario's"
    run(root, 7, 1, Outcome.NOT_RECOVERED)
    assert state(root) is State.FAILED
    proof(root, 8)
    assert state(root) is State.FRESH


def test_proofs_of_another_environment_count_for_nothing(root: Path) -> None:
    proof(root, 3)
    assert state(root, environment="lab") is State.FRESH
    assert state(root, environment="staging") is State.NEVER


def test_a_newer_proof_of_another_environment_hides_none_of_this_one(root: Path) -> None:
    staging = EnvironmentRecord("eu", "staging")
    proof(root, 3, environment=staging)
    proof(root, 5)
    kept(root)
    assert state(root, environment="eu") is State.FRESH
    assert state(root, environment="staging") is State.FRESH
    proof(root, 7, Outcome.NOT_RECOVERED)
    assert state(root, environment="staging") is State.FRESH
    assert state(root) is State.FAILED


def test_what_cannot_be_read_is_told_and_proves_nothing(root: Path) -> None:
    (proof(root, 3) / "content/proof.json").write_text("{")
    (root / "evidence/20261104T120000Z-proof-it-is-cut-000004/content").mkdir(parents=True)
    told: list[str] = []
    assert state(root, tell=told.append) is State.NEVER
    assert [each.partition("content/")[2][:27] for each in told] == ["proof.json: it is not JSON "]


DRILL = {"control": None, "outcome": "PASSED", "reason": "", "evidence": "evidence/x"}


@pytest.mark.parametrize(
    "changes",
    [
        {"runs": [{}]},
        {"runs": 5},
        {"runs": [5]},
        {"runs": [DRILL | {"evidence": 5}]},
        {"runs": [DRILL | {"outcome": "SPLENDID"}]},
        {"runs": [DRILL]},
        {"scenario": None},
        {"proven": None},
        {"more": 1},
    ],
)
def test_a_damaged_proof_hides_no_older_one(root: Path, changes: dict[str, Any]) -> None:
    proof(root, 3)
    path = proof(root, 4) / "content/proof.json"
    path.write_text(dumps(json.loads(path.read_text()) | changes))
    told: list[str] = []
    assert state(root, tell=told.append) is State.FRESH
    assert [each.partition(":")[0] for each in told] == [str(path)]


def test_a_record_that_lacks_its_feature_is_told_and_is_none_of_a_scenario(root: Path) -> None:
    proof(root, 3)
    path = next((root / "evidence").glob("*-it-is-cut-*")) / "content/drill.json"
    later = root / "evidence/20261104T120000Z-it-is-cut-000004/content/drill.json"
    later.parent.mkdir(parents=True)
    later.write_text(dumps(json.loads(path.read_text()) | {"feature": None}))
    told: list[str] = []
    assert state(root, tell=told.append) is State.FRESH
    assert [each.partition(":")[0] for each in told] == [str(later.parent.parent)]


def test_a_proof_whose_record_is_gone_is_told_and_proves_nothing(root: Path) -> None:
    proof(root, 3)
    (next((root / "evidence").glob("*-no-fault-*")) / "content/drill.json").unlink()
    told: list[str] = []
    assert state(root, tell=told.append) is State.NEVER
    assert "cannot be read" in told[0]


# ---- the compact form ---------------------------------------------------------------------------------------------


def kept(root: Path) -> tuple[KeptProof, Path]:
    (found,) = proofs(root).of(ASKED)
    path = proofs(root).keep(found)
    assert path is not None
    return found, path


def test_a_proof_is_kept_and_read_again_without_its_evidence(root: Path) -> None:
    proof(root, 3)
    found, path = kept(root)
    assert path.relative_to(root).as_posix() == f"proofs/{file_of(ASKED.nodeid)}"
    assert path.stat().st_size < 4096
    (root / "evidence").rename(root / "gone")
    assert proofs(root).of(ASKED) == [found]
    assert state(root) is State.FRESH


def test_what_is_kept_stands_until_there_is_a_newer_one(root: Path) -> None:
    proof(root, 3)
    found, path = kept(root)
    before = path.read_bytes()
    assert proofs(root).of(ASKED) == [found]
    assert proofs(root).keep(found) is None
    assert proofs(root).keep(replace(found, proven_at="2026-11-01T00:00:00.000Z")) is None
    assert path.read_bytes() == before
    proof(root, 5)
    newest = proofs(root).of(ASKED)[1]
    assert newest.proven_at[:10] == "2026-11-05"
    assert proofs(root).keep(newest) == path


def test_two_scenarios_never_share_a_file() -> None:
    names = ["features/a.feature::A b", "features/a.feature::A-b", "features/a.feature::ä", "features/b/a.feature::A b"]
    names += [f"features/a.feature::{'x' * 200}{end}" for end in "12"]
    assert len({file_of(each) for each in names}) == len(names)
    assert file_of("features/redis.feature::It is cut") == "redis/it-is-cut-33401a.json"


def damaged(root: Path) -> dict[str, Any]:
    proof(root, 3)
    document: dict[str, Any] = json.loads(kept(root)[1].read_text())
    return document


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema", "drillbook/kept-proof/9"),
        ("runs", [{"control": None, "outcome": "SPLENDID", "reason": ""}]),
        ("proven_at", "yesterday"),
        ("proven_at", "2026-11-03T12:00:00"),
        ("artefacts", [{"kind": "song", "path": "a", "sha256": "b"}]),
        ("against", "it was not proven"),
        ("runs", [{"control": None, "outcome": "PASSED", "reason": ""}]),
        ("runs", [{"control": None, "outcome": "NOT_RECOVERED", "reason": ""}]),
        ("runs", []),
        ("environment", 5),
        ("timings", 5),
        ("feature", None),
        ("more", 1),
    ],
)
def test_a_kept_proof_that_is_damaged_proves_nothing(root: Path, name: str, value: object) -> None:
    document = damaged(root)
    assert from_json(document).proven
    with pytest.raises(KeptProofError):
        from_json(document | {name: value})


def test_a_damaged_file_is_told(root: Path) -> None:
    proof(root, 3)
    _, path = kept(root)
    (root / "evidence").rename(root / "gone")
    path.write_text(path.read_text().replace('"PASSED"', '"HELD ON"'))
    told: list[str] = []
    assert state(root, tell=told.append) is State.NEVER
    assert told[0].startswith(f"{path}: it was damaged after it was written")
    assert told[0].endswith("it proves nothing; remove it")


def test_a_file_under_the_name_of_another_scenario_is_told(root: Path) -> None:
    proof(root, 3)
    _, path = kept(root)
    path.write_text(path.read_text().replace("::It is cut", "::It is whole"))
    (root / "evidence").rename(root / "gone")
    told: list[str] = []
    assert state(root, tell=told.append) is State.NEVER
    assert told == [f"{path}: it is the proof of features/redis.feature::It is whole"]


# ---- a secret in a title ------------------------------------------------------------------------------------------

HIDDEN = "features/redis.feature::It is [REDACTED:token]"


def of_title(
    root: Path, day: int, text: str | None, scenario: str = HIDDEN, name: str = "It is [REDACTED:token]"
) -> None:
    """A proof under a title in which a secret was replaced; `text` is the digest of the scenario's text."""
    of_feature = ArtefactRecord(ArtefactKind.FEATURE, "features/redis.feature", "f", text and name, text)
    made: dict[str, Any] = {"scenario": ScenarioRecord(name, None, [], []), "artefacts": [*artefacts(root), of_feature]}
    path = proof(root, day, **made) / "content/proof.json"
    path.write_text(path.read_text().replace(ASKED.nodeid, scenario))


@pytest.mark.parametrize("title", ["It is cut", "It is long, and (2)"])
def test_a_title_that_was_kept_without_its_secret_is_found_by_the_text_of_the_scenario(root: Path, title: str) -> None:
    asked = replace(ASKED, nodeid=f"features/redis.feature::{title}", name=title)
    of_title(root, 3, "s0")
    of_title(root, 4, "s1", f"{HIDDEN} (2)")
    of_title(root, 5, "s2")
    (found,) = proofs(root).of(asked)
    assert found.proven_at[:10] == "2026-11-04"
    assert not [each for each in proofs(root).of(replace(asked, text_sha256="s2")) if each.proven_at[8:10] != "05"]
    shown = asked.shown([found])
    assert (shown.name, shown.kept_as) == ("It is [REDACTED:token]", f"{HIDDEN} (2)")
    assert shown.command == "drillbook drills features/redis.feature"
    assert proofs(root).keep(found) is not None
    (root / "evidence").rename(root / "gone")
    assert proofs(root).of(asked) == [found]


def test_the_text_of_another_scenario_is_no_proof_of_a_title_with_a_secret(root: Path) -> None:
    of_title(root, 3, "other")
    assert state(root) is State.CHANGED, "its own, before it changed, or that of another"
    of_title(root, 4, None)
    assert state(root) is State.CHANGED, "a proof that knows no text may be anybody's"
    elsewhere = replace(ASKED, nodeid="features/redis.feature::It was cut")
    assert proofs(root).of(elsewhere) == []
    proof(root, 2)
    assert state(root) is State.FRESH, "what has the title itself comes first"


def test_a_later_drill_speaks_against_a_title_with_a_secret_too(root: Path) -> None:
    of_title(root, 3, "s1")
    of_feature = ArtefactRecord(ArtefactKind.FEATURE, "features/redis.feature", "f", "It is cut", "s1")
    made: dict[str, Any] = {
        "scenario": ScenarioRecord("It is [REDACTED:token]", None, [], []),
        "artefacts": [*artefacts(root), of_feature],
    }
    record_folder = run(root, 4, 1, Outcome.NOT_RECOVERED, **made).evidence
    assert record_folder is not None
    path = root / record_folder
    path.rename(path.with_name(path.name.replace("it-is-cut", "it-is-redacted-token")))
    assert state(root) is State.FAILED
